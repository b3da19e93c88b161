//! A key as it is kept.

use std::borrow::Borrow;
use std::fmt;

use flag_model::{Date, Invalid, ProjectName, Timestamp};

use crate::fingerprint::Fingerprint;
use crate::scope::Scopes;

/// How all projects are spelled.
const ALL_PROJECTS: &str = "*";

/// A key: what it may do, until when, and how its text is recognised.
#[derive(Clone, Debug)]
pub struct Key {
    /// Which key this is; no secret.
    pub id: KeyId,
    /// Of its text.
    pub fingerprint: Fingerprint,
    /// What it may be used for.
    pub scopes: Scopes,
    /// Whose flags it may be used for.
    pub projects: Projects,
    /// When it was made.
    pub created: Timestamp,
    /// The last day on which it counts, in UTC.
    pub expires_on: Option<Date>,
    /// Who holds it, for people; may be empty.
    pub comment: String,
}

impl Key {
    /// The last instant at which it counts, if there is one.
    pub fn ends(&self) -> Option<Timestamp> {
        let day = self.expires_on?;
        Timestamp::parse(&format!("{day} 23:59:59.999999")).ok()
    }
}

/// The name of a key: 1 to 32 letters, digits or dashes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(Box<str>);

impl KeyId {
    /// Takes the text if it is valid. What was found is not repeated: it could be a secret in the wrong place.
    pub fn new(text: &str) -> Result<Self, Invalid> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if (1..=32).contains(&text.len()) && text.bytes().all(allowed) {
            return Ok(Self(text.into()));
        }
        let expected = "1 to 32 letters, digits or dashes";
        Err(Invalid::new(
            "id",
            format!("{} bytes", text.len()),
            expected,
        ))
    }

    pub(crate) fn of_digits(digits: &str) -> Self {
        Self(digits.into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for KeyId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// Whose flags a key may be used for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Projects {
    /// Everybody's.
    All,
    /// Those of these projects.
    Only(Vec<ProjectName>),
}

impl Projects {
    /// Whether a project is one of them.
    pub fn contains(&self, project: &ProjectName) -> bool {
        match self {
            Self::All => true,
            Self::Only(projects) => projects.contains(project),
        }
    }

    /// The project, if there is exactly one.
    pub fn single(&self) -> Option<&ProjectName> {
        match self {
            Self::Only(projects) => match projects.as_slice() {
                [project] => Some(project),
                _ => None,
            },
            Self::All => None,
        }
    }

    /// Reads names of projects, or one `*` for all of them.
    pub fn parse<T: AsRef<str>>(names: &[T]) -> Result<Self, Invalid> {
        match names {
            [] => Err(Invalid::new("projects", "none", "names of projects, or *")),
            [name] if name.as_ref() == ALL_PROJECTS => Ok(Self::All),
            names => {
                let names = names.iter().map(|name| match name.as_ref() {
                    ALL_PROJECTS => Err(Invalid::new("projects", "* among others", "* alone")),
                    name => ProjectName::new(name),
                });
                Ok(Self::Only(names.collect::<Result<_, _>>()?))
            }
        }
    }

    /// The names as they are kept: those of the projects, or one `*`.
    pub fn names(&self) -> Vec<&str> {
        match self {
            Self::All => vec![ALL_PROJECTS],
            Self::Only(projects) => projects.iter().map(ProjectName::as_str).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn project(name: &str) -> ProjectName {
        ProjectName::new(name).unwrap()
    }

    #[test]
    fn a_star_is_every_project_and_a_name_is_one() {
        assert!(Projects::parse(&["*"]).unwrap().contains(&project("a")));
        let one = Projects::parse(&["a"]).unwrap();
        assert!(one.contains(&project("a")) && !one.contains(&project("b")));
        assert_eq!(one.single(), Some(&project("a")));
        let two = Projects::parse(&["a", "b"]).unwrap();
        assert_eq!(two.single().or(Projects::All.single()), None);
        assert!(
            two.contains(&project("a"))
                && two.contains(&project("b"))
                && !two.contains(&project("ab"))
        );
        assert!(Projects::parse::<&str>(&[]).is_err());
        assert!(Projects::parse(&["a", "*"]).is_err());
    }

    #[test]
    fn projects_are_kept_as_they_are_typed() {
        for names in [&["*"][..], &["b", "a"]] {
            assert_eq!(Projects::parse(names).unwrap().names(), names);
        }
    }

    #[test]
    fn a_key_counts_until_its_last_day_is_over() {
        let key = Key {
            id: KeyId::new("a").unwrap(),
            fingerprint: Fingerprint::of(b""),
            scopes: Scopes::default(),
            projects: Projects::All,
            created: Timestamp::UNIX_EPOCH,
            expires_on: Some(Date::parse("2027-01-31").unwrap()),
            comment: String::new(),
        };
        let last = Timestamp::parse("2027-01-31 23:59:59.999999").unwrap();
        assert_eq!(key.ends(), Some(last));
    }

    #[test]
    fn a_key_is_found_by_the_text_of_its_id() {
        let ids = HashSet::from([KeyId::new("3f-A9").unwrap()]);
        assert!(ids.contains("3f-A9") && !ids.contains("3f-A8"));
    }

    #[test]
    fn an_id_is_plain() {
        for text in ["3f-A9", "x", &"x".repeat(32)] {
            assert_eq!(KeyId::new(text).unwrap().as_str(), text);
        }
        for text in ["", "a_b", "a b", "é", &"x".repeat(33)] {
            assert!(KeyId::new(text).is_err(), "{text}");
        }
    }
}

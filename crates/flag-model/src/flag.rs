//! The key of a flag.

use std::fmt;
use std::str::FromStr;

use crate::invalid::{Invalid, quoted};
use crate::name::{FlagName, ProjectName};

/// Identifies a flag: its project, type and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlagKey {
    /// The project that the flag belongs to.
    pub project: ProjectName,
    /// The type of the flag; flags of different types may share a name.
    pub flag_type: FlagType,
    /// The name of the flag.
    pub name: FlagName,
}

impl fmt::Display for FlagKey {
    /// Writes `project/type/name`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.project, self.flag_type, self.name)
    }
}

impl FromStr for FlagKey {
    type Err = Invalid;

    /// Reads `project/type/name`. Names may contain slashes; a text with two ways to read it is refused.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let mut readings = FlagType::ALL.into_iter().flat_map(|flag_type| {
            let separator = format!("/{flag_type}/");
            text.char_indices().filter_map(move |(at, _)| {
                let (project, rest) = text.split_at(at);
                let name = rest.strip_prefix(&*separator)?;
                (!project.is_empty() && !name.is_empty()).then_some((project, flag_type, name))
            })
        });
        let (Some((project, flag_type, name)), None) = (readings.next(), readings.next()) else {
            let expected = "project/feature/name or project/data/name, with one way to read it";
            return Err(Invalid::new("flag", quoted(text), expected));
        };
        Ok(Self {
            project: ProjectName::new(project)?,
            flag_type,
            name: FlagName::new(name)?,
        })
    }
}

/// The kind of values that a flag has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FlagType {
    /// Boolean values.
    Feature,
    /// Text values.
    Data,
}

impl FlagType {
    /// Both types.
    pub const ALL: [Self; 2] = [Self::Feature, Self::Data];

    /// Reads `feature` or `data`, as in keys, queries and answers.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let found = Self::ALL
            .into_iter()
            .find(|flag_type| flag_type.as_str() == text);
        found.ok_or_else(|| Invalid::new("flag type", quoted(text), "feature or data"))
    }

    /// The type as in keys, queries and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Feature => "feature",
            Self::Data => "data",
        }
    }
}

impl fmt::Display for FlagType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<(&str, FlagType, &str)>) {
        let key = text.parse::<FlagKey>().ok();
        assert_eq!(
            key.as_ref().map(ToString::to_string).as_deref(),
            expected.map(|_| text)
        );
        let expected = expected.map(|(project, flag_type, name)| FlagKey {
            project: ProjectName::new(project).unwrap(),
            flag_type,
            name: FlagName::new(name).unwrap(),
        });
        assert_eq!(key, expected, "{text}");
    }

    #[test]
    fn a_key_is_read_as_it_is_written() {
        check("p/feature/f", Some(("p", FlagType::Feature, "f")));
        check("p/data/f", Some(("p", FlagType::Data, "f")));
        check("a/b/data/c/d", Some(("a/b", FlagType::Data, "c/d")));
        check("p/data/data", Some(("p", FlagType::Data, "data")));
        check("日/data/本", Some(("日", FlagType::Data, "本")));
        check("/data/data/f", Some(("/data", FlagType::Data, "f")));
        check("p/data/data/", Some(("p", FlagType::Data, "data/")));
    }

    #[test]
    fn a_text_that_is_no_key_or_could_be_two_is_refused() {
        for text in [
            "",
            "p",
            "p/f",
            "p/other/f",
            "p/feature/",
            "/data/f",
            "p/Data/f",
            "p/data/a#b",
        ] {
            check(text, None);
        }
        check("p/data/data/f", None);
        check("p/feature/x/data/f", None);
    }

    #[test]
    fn a_flag_type_is_read_as_it_is_written() {
        for (text, flag_type) in [("feature", FlagType::Feature), ("data", FlagType::Data)] {
            assert_eq!(FlagType::parse(text), Ok(flag_type));
            assert_eq!(flag_type.to_string(), text);
        }
        let message = FlagType::parse("DATA").unwrap_err().to_string();
        assert_eq!(
            message,
            "flag type: found \"DATA\", expected feature or data"
        );
    }
}

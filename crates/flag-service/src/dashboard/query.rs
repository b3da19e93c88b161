//! Addresses of pages: what they ask for, and links to them.

use std::time::Duration;

use flag_model::{FlagKey, FlagName, FlagType, ProjectName, Timestamp};
use form_urlencoded::Serializer;

use super::error::PageError;

/// The path of the first page.
pub(super) const HOME: &str = "/dashboard";

/// The parameters of a page.
#[derive(Clone, Debug, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads the part of a URL after `?`, or a form.
    pub(super) fn parse(text: &[u8]) -> Self {
        Self(form_urlencoded::parse(text).into_owned().collect())
    }

    /// The first value of a parameter; empty if it is missing.
    pub(super) fn get(&self, name: &str) -> &str {
        let mut values = self.0.iter().filter(|(found, _)| found == name);
        values.next().map_or("", |(_, value)| value)
    }

    /// The value of a parameter that is not empty.
    pub(super) fn given(&self, name: &str) -> Option<&str> {
        Some(self.get(name)).filter(|value| !value.is_empty())
    }

    /// The parameters that a form of the page keeps: those with a value, without these and what was changed just now.
    pub(super) fn kept(&self, without: &[&str]) -> impl Iterator<Item = (&str, &str)> {
        let kept = self.0.iter().filter(|(name, value)| {
            !value.is_empty() && name != "done" && !without.contains(&name.as_str())
        });
        kept.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The project of the page.
    pub(super) fn project(&self) -> Result<ProjectName, PageError> {
        let name = self.get("project");
        ProjectName::new(name).map_err(|error| PageError::Invalid(format!("project: {error}")))
    }

    /// The flag of the page.
    pub(super) fn flag(&self) -> Result<FlagKey, PageError> {
        let invalid = |error| PageError::Invalid(format!("flag: {error}"));
        Ok(FlagKey {
            project: self.project()?,
            flag_type: FlagType::parse(self.get("type")).map_err(invalid)?,
            name: FlagName::new(self.get("name")).map_err(invalid)?,
        })
    }

    /// The time of a revision.
    pub(super) fn moment(&self, name: &str) -> Result<Timestamp, PageError> {
        let at = Timestamp::parse(self.get(name));
        at.map_err(|error| PageError::Invalid(format!("{name}: {error}")))
    }

    /// A number, such as that of a page.
    pub(super) fn number(&self, name: &str) -> Option<usize> {
        self.get(name).parse().ok()
    }

    /// The address of the same page with other values for these parameters; an empty value leaves one out.
    pub(super) fn link(&self, path: &str, other: &[(&str, &str)]) -> String {
        let kept = self.0.iter().filter(|(name, value)| {
            !value.is_empty() && other.iter().all(|(changed, _)| changed != name)
        });
        let kept = kept.map(|(name, value)| (name.as_str(), value.as_str()));
        let all: Vec<_> = kept.chain(other.iter().copied()).collect();
        link(path, &all)
    }
}

/// The address of a page; parameters without a value are left out.
pub(super) fn link(path: &str, parameters: &[(&str, &str)]) -> String {
    let mut query = Serializer::new(String::new());
    query.extend_pairs(parameters.iter().filter(|(_, value)| !value.is_empty()));
    let query = query.finish();
    let mark = if query.is_empty() { "" } else { "?" };
    format!("{HOME}{path}{mark}{query}")
}

/// The address of the flags of a project.
pub(super) fn project_link(project: &ProjectName) -> String {
    link("/flags", &[("project", project.as_str())])
}

/// The address of a flag.
pub(super) fn flag_link(flag: &FlagKey) -> String {
    link("/flag", &flag_parameters(flag))
}

/// The address of the flags of two projects side by side.
pub(super) fn compare_link(project: &ProjectName, with: &str) -> String {
    link("/compare", &[("project", project.as_str()), ("with", with)])
}

/// The value of the parameter `in` for the other store.
pub(super) const OTHER_STORE: &str = "other";

/// The address of a project beside the one of the same name in the other store.
pub(super) fn other_store_link(project: &ProjectName) -> String {
    let project = project.as_str();
    let parameters = [("project", project), ("with", project), ("in", OTHER_STORE)];
    link("/compare", &parameters)
}

/// The address of a revision.
pub(super) fn revision_link(flag: &FlagKey, created: Timestamp) -> String {
    let at = moment(created);
    let mut parameters = flag_parameters(flag).to_vec();
    parameters.push(("at", &at));
    link("/revision", &parameters)
}

/// The time of a revision, as a parameter.
pub(super) fn moment(created: Timestamp) -> String {
    created.to_string().replace(' ', "T")
}

/// The parameters that name a flag.
pub(super) fn flag_parameters(flag: &FlagKey) -> [(&'static str, &str); 3] {
    [
        ("project", flag.project.as_str()),
        ("type", flag.flag_type.as_str()),
        ("name", flag.name.as_str()),
    ]
}

/// Reads a time in UTC, or how long ago, such as `24h`.
pub(super) fn parse_time(text: &str, now: Timestamp) -> Option<Timestamp> {
    let text = text.trim();
    if let Some(ago) = ago(text) {
        return Some(now.saturating_sub(ago));
    }
    // A day means its end, so that all of its changes count; without seconds a time is that of the full minute.
    let text = text.trim_end_matches('Z').trim_end_matches(" UTC");
    let full = match text.len() {
        10 => format!("{text} 23:59:59.999999"),
        16 => format!("{text}:00"),
        _ => text.to_owned(),
    };
    Timestamp::parse(&full).ok()
}

fn ago(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds: u64 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    let number: u64 = number.parse().ok()?;
    number.checked_mul(seconds).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_it_was_written() {
        let flag: FlagKey = "p/data/f".parse().unwrap();
        let odd = FlagKey {
            name: FlagName::new("a/b?c=d&e \"ü\u{202e}").unwrap(),
            ..flag
        };
        let address = flag_link(&odd);
        let (path, query) = address.split_once('?').unwrap();
        assert_eq!(path, "/dashboard/flag");
        assert!(query.is_ascii() && !query.contains('"'), "{query}");
        assert_eq!(Query::parse(query.as_bytes()).flag().unwrap(), odd);
    }

    #[test]
    fn a_link_changes_one_parameter_and_keeps_the_others() {
        let query = Query::parse(b"project=p&q=a+b&page=3&sort=");
        let next = query.link("/flags", &[("page", "4")]);
        assert_eq!(next, "/dashboard/flags?project=p&q=a+b&page=4");
        let without = query.link("/flags", &[("page", ""), ("q", "")]);
        assert_eq!(without, "/dashboard/flags?project=p");
    }

    #[test]
    fn a_time_is_in_utc_or_ago() {
        let now = Timestamp::parse("2026-11-28 12:00:00").unwrap();
        for (text, expected) in [
            ("2026-11-27", "2026-11-27 23:59:59.999999"),
            ("2026-11-27 08:15", "2026-11-27 08:15:00.000000"),
            ("2026-11-27T08:15", "2026-11-27 08:15:00.000000"),
            ("2026-11-27 08:15:01.5Z", "2026-11-27 08:15:01.500000"),
            (" 24h", "2026-11-27 12:00:00.000000"),
            ("90s", "2026-11-28 11:58:30.000000"),
        ] {
            let time = parse_time(text, now).map(|time| time.to_string());
            assert_eq!(time.as_deref(), Some(expected), "{text}");
        }
        for text in ["", "h", "yesterday", "ü", "1w"] {
            assert_eq!(parse_time(text, now), None, "{text}");
        }
    }
}

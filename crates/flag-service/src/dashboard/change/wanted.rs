//! What is wanted of a flag, as the address of a page or a form says it.

use flag_model::{FlagKey, Timestamp};

use crate::dashboard::error::PageError;
use crate::dashboard::query::Query;

/// Which change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::dashboard) enum Kind {
    /// An earlier revision comes into force again.
    Rollback,
    /// A treatment gets another percentage.
    Percent,
    /// Everybody gets the control value.
    Off,
}

/// What is wanted, once all of it is chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::dashboard) enum Wanted {
    /// The revision made at this time in force again.
    Rollback(Timestamp),
    /// Another percentage of the treatment of this rollout group, as it was typed.
    Percent { group: String, percent: String },
    /// Control for everybody; also for instances in override lists, if wanted.
    Off { takes_overrides: bool },
}

impl Kind {
    /// Reads the parameter `do`.
    pub(in crate::dashboard) fn of(query: &Query) -> Result<Self, PageError> {
        let kinds = [Self::Rollback, Self::Percent, Self::Off];
        let found = kinds
            .into_iter()
            .find(|kind| kind.as_str() == query.get("do"));
        found.ok_or_else(|| PageError::Invalid("do: expected rollback, percent or off".to_owned()))
    }

    /// The value of the parameter `do`.
    pub(in crate::dashboard) fn as_str(self) -> &'static str {
        match self {
            Self::Rollback => "rollback",
            Self::Percent => "percent",
            Self::Off => "off",
        }
    }
}

impl Wanted {
    /// Reads it; `None` if something is still to be chosen.
    pub(in crate::dashboard) fn of(kind: Kind, query: &Query) -> Result<Option<Self>, PageError> {
        Ok(match kind {
            Kind::Rollback => match query.given("to") {
                None => None,
                Some(to) => {
                    let to = Timestamp::parse(to);
                    let to = to.map_err(|error| PageError::Invalid(format!("to: {error}")))?;
                    Some(Self::Rollback(to))
                }
            },
            Kind::Percent => query.given("percent").map(|percent| Self::Percent {
                group: query.get("group").to_owned(),
                percent: percent.trim().trim_end_matches('%').trim_end().to_owned(),
            }),
            Kind::Off => Some(Self::Off {
                takes_overrides: query.get("overrides") == "yes",
            }),
        })
    }

    /// Which change it is.
    pub(in crate::dashboard) fn kind(&self) -> Kind {
        match self {
            Self::Rollback(_) => Kind::Rollback,
            Self::Percent { .. } => Kind::Percent,
            Self::Off { .. } => Kind::Off,
        }
    }

    /// The revision that is to come into force again.
    pub(in crate::dashboard) fn target(&self) -> Option<Timestamp> {
        match self {
            Self::Rollback(to) => Some(*to),
            Self::Percent { .. } | Self::Off { .. } => None,
        }
    }

    /// The parameters that say it.
    pub(in crate::dashboard) fn parameters(&self) -> Vec<(&'static str, String)> {
        let kind = ("do", self.kind().as_str().to_owned());
        match self {
            Self::Rollback(to) => vec![kind, ("to", to.to_string().replace(' ', "T"))],
            Self::Percent { group, percent } => {
                vec![kind, ("group", group.clone()), ("percent", percent.clone())]
            }
            Self::Off {
                takes_overrides: true,
            } => vec![kind, ("overrides", "yes".to_owned())],
            Self::Off { .. } => vec![kind],
        }
    }
}

impl Wanted {
    /// What a form is for that was shown when the revision made at `base` was the newest.
    pub(in crate::dashboard) fn purpose(&self, flag: &FlagKey, base: Timestamp) -> Vec<String> {
        let shown = [
            ("form", "change".to_owned()),
            ("flag", flag.to_string()),
            ("base", base.to_string()),
        ];
        let parts = shown.into_iter().chain(self.parameters());
        parts
            .flat_map(|(name, value)| [name.to_owned(), value])
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use form_urlencoded::Serializer;

    use super::*;

    #[test]
    fn what_is_wanted_is_read_as_it_was_written() {
        let to = Timestamp::parse("2026-11-28 12:00:00.123456").unwrap();
        let percent = Wanted::Percent {
            group: "a \"&<b>".to_owned(),
            percent: "12.5".to_owned(),
        };
        let off = |takes_overrides| Wanted::Off { takes_overrides };
        for wanted in [Wanted::Rollback(to), percent, off(true), off(false)] {
            let mut text = Serializer::new(String::new());
            text.extend_pairs(wanted.parameters());
            let query = Query::parse(text.finish().as_bytes());
            let kind = Kind::of(&query).unwrap();
            assert_eq!(Wanted::of(kind, &query).unwrap(), Some(wanted));
        }
    }

    #[test]
    fn nothing_is_taken_for_granted() {
        let query = |text: &str| Query::parse(text.as_bytes());
        assert!(Kind::of(&query("do=delete")).is_err());
        assert!(Kind::of(&query("")).is_err());
        for (kind, text) in [(Kind::Rollback, ""), (Kind::Percent, "group=treatment_1")] {
            assert_eq!(Wanted::of(kind, &query(text)).unwrap(), None);
        }
        assert!(Wanted::of(Kind::Rollback, &query("to=yesterday")).is_err());
        let percent = Wanted::of(Kind::Percent, &query("group=a&percent=+20+%25")).unwrap();
        assert!(matches!(percent, Some(Wanted::Percent { percent, .. }) if percent == "20"));
    }
}

//! What an event of the service says: which flags have changed.

use std::collections::HashSet;

use flag_api::{ChangedFlag, EventData};
use flag_model::FlagType;

use crate::question::{FlagRef, QuestionKey};

/// Which flags have changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Any of them, perhaps.
    Everything,
    /// These.
    Flags(HashSet<(FlagType, Box<str>)>),
}

impl Change {
    /// Reads the data of an event. If it names no flag, or cannot be read, everything may have changed.
    pub(crate) fn read(data: &str) -> Self {
        let data: EventData<'_> = serde_json::from_str(data).unwrap_or_default();
        match data.flags.iter().map(names).collect::<Option<HashSet<_>>>() {
            Some(flags) if !flags.is_empty() => Self::Flags(flags),
            _ => Self::Everything,
        }
    }

    /// Whether it is about the flag of this question.
    pub(crate) fn is_about(&self, key: &QuestionKey) -> bool {
        self.is_about_flag(key.question().flag)
    }

    /// Whether it is about this flag.
    pub(crate) fn is_about_flag(&self, flag: FlagRef<'_>) -> bool {
        match self {
            Self::Everything => true,
            Self::Flags(flags) => flags.contains(&(flag.flag_type, flag.name.into())),
        }
    }

    /// Whether it is about a flag of this name, of whichever type.
    pub(crate) fn is_about_name(&self, name: &str) -> bool {
        let is_about = |flag_type| self.is_about_flag(FlagRef { flag_type, name });
        FlagType::ALL.into_iter().any(is_about)
    }
}

/// The flag that an entry of the list names, if it has a type that is known.
fn names(changed: &ChangedFlag<'_>) -> Option<(FlagType, Box<str>)> {
    let flag_type = FlagType::parse(&changed.flag_type).ok()?;
    Some((flag_type, (*changed.flag_name).into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(data: &str, expected: &[FlagRef<'_>]) {
        let flags = expected
            .iter()
            .map(|flag| (flag.flag_type, flag.name.into()));
        assert_eq!(Change::read(data), Change::Flags(flags.collect()));
    }

    #[test]
    fn an_event_names_flags() {
        check(
            r#"{"flags":[{"flag_type":"feature","flag_name":"f","revision_time":"2024-09-25 19:15:28.248896"},
                {"flag_type":"data","flag_name":"g","revision_time":"2024-09-25 19:15:28.248896","more":1}],"more":2}"#,
            &[FlagRef::boolean("f"), FlagRef::string("g")],
        );
    }

    #[test]
    fn an_event_that_names_no_flag_is_about_all() {
        for data in [
            r#"{"flags":[]}"#,
            "{}",
            "",
            "<html>",
            "[]",
            r#"{"flags":{}}"#,
            r#"{"flags":["f"]}"#,
            r#"{"flags":[{"flag_type":"feature"}]}"#,
            r#"{"flags":[{"flag_type":"feature","flag_name":"f","revision_time":"2024-09-25 19:15:28.248896"},
                {"flag_type":"number","flag_name":"g","revision_time":"2024-09-25 19:15:28.248896"}]}"#,
        ] {
            assert_eq!(Change::read(data), Change::Everything, "{data}");
        }
    }

    #[test]
    fn a_change_is_about_the_flags_that_it_names() {
        let change = Change::read(
            r#"{"flags":[{"flag_type":"feature","flag_name":"f","revision_time":"2024-09-25 19:15:28.248896"}]}"#,
        );
        assert!(change.is_about_flag(FlagRef::boolean("f")));
        assert!(!change.is_about_flag(FlagRef::string("f")));
        assert!(!change.is_about_flag(FlagRef::boolean("g")));
        assert!(change.is_about_name("f"));
        assert!(!change.is_about_name("g"));
        assert!(Change::Everything.is_about_name("g"));
    }
}

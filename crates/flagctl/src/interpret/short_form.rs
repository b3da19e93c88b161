//! The short form of a revision: `10%`, `on`, `off`.

use flag_model::{FlagType, FlagValue, Revision, quoted};

use super::error::ArgumentError;
use crate::args::ReviseArgs;

/// What the word after the flag asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ShortForm {
    /// That percentage for the treatment, as it was typed.
    Percent(String),
    /// The treatment for everybody.
    On,
    /// The control value for everybody, except for override lists.
    Off,
}

impl ShortForm {
    /// Reads the word.
    pub(crate) fn parse(word: &str) -> Result<Self, ArgumentError> {
        match (word, word.strip_suffix('%')) {
            ("on", _) => Ok(Self::On),
            ("off", _) => Ok(Self::Off),
            (_, Some(percent)) if !percent.is_empty() => {
                Ok(Self::Percent(percent.trim().to_owned()))
            }
            _ => {
                let found = quoted(word);
                let message = format!(
                    "found {found} after the flag, expected a percentage such as 10%, or on, or off"
                );
                Err(ArgumentError::Usage(message))
            }
        }
    }

    /// Writes what it means into the arguments, on top of the newest revision.
    pub(crate) fn apply(
        &self,
        args: &mut ReviseArgs,
        flag_type: FlagType,
        newest: Option<&Revision>,
    ) -> Result<(), ArgumentError> {
        if args.treatment.percent.is_some() {
            let message = "two percentages are given: in the short form and in --percent";
            return Err(ArgumentError::Usage(message.to_owned()));
        }
        if *self == Self::On {
            check_on(flag_type, newest)?;
        }
        if newest.is_none() && flag_type == FlagType::Feature && args.control.is_none() {
            args.control = Some("false".to_owned());
        }
        let has_treatment = newest.is_some_and(|newest| !newest.treatments.is_empty());
        let (percent, comment) = match self {
            Self::Percent(percent) => (Some(percent.clone()), format!("{percent} %")),
            Self::On => (Some("100".to_owned()), "On for everybody".to_owned()),
            Self::Off => (
                has_treatment.then(|| "0".to_owned()),
                "Off for everybody".to_owned(),
            ),
        };
        args.treatment.percent = percent;
        args.comment.get_or_insert(comment);
        Ok(())
    }
}

/// Whether 100 % of the treatment means `true` for everybody.
fn check_on(flag_type: FlagType, newest: Option<&Revision>) -> Result<(), ArgumentError> {
    let is_true = |value: &FlagValue| *value == FlagValue::Boolean(true);
    let is_plain = newest.is_none_or(|newest| {
        !is_true(&newest.control) && newest.treatments.iter().all(|one| is_true(&one.value))
    });
    if flag_type == FlagType::Feature && is_plain {
        return Ok(());
    }
    let message = "`on` is for a feature whose control is false and whose treatments are true; use --control, --percent and --value";
    Err(ArgumentError::Usage(message.to_owned()))
}

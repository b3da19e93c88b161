//! The value of a flag.

use std::fmt;

use crate::flag::FlagType;
use crate::invalid::{Invalid, quoted};

/// A value that an instance can receive.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum FlagValue {
    /// The value of a `feature` flag.
    Boolean(bool),
    /// The value of a `data` flag, at most [`FlagValue::MAX_TEXT_BYTES`].
    Text(Box<str>),
}

impl FlagValue {
    /// The longest text of a `data` flag, in bytes.
    pub const MAX_TEXT_BYTES: usize = 64 * 1024;

    /// Reads a value of the given type: `true` or `false` (`True` and `False` too, as Python writes them) for
    /// `feature`, any text for `data`.
    pub fn parse(flag_type: FlagType, text: &str) -> Result<Self, Invalid> {
        match (flag_type, text) {
            (FlagType::Data, _) => Self::text(text),
            (FlagType::Feature, "true" | "True") => Ok(Self::Boolean(true)),
            (FlagType::Feature, "false" | "False") => Ok(Self::Boolean(false)),
            (FlagType::Feature, _) => Err(Invalid::new("value", quoted(text), "true or false")),
        }
    }

    /// Checks the length of the text.
    pub fn text(text: &str) -> Result<Self, Invalid> {
        if text.len() <= Self::MAX_TEXT_BYTES {
            return Ok(Self::Text(text.into()));
        }
        let expected = format!("at most {} bytes", Self::MAX_TEXT_BYTES);
        Err(Invalid::new(
            "value",
            format!("{} bytes", text.len()),
            expected,
        ))
    }

    /// The type of the flags that have such values.
    pub fn flag_type(&self) -> FlagType {
        match self {
            Self::Boolean(_) => FlagType::Feature,
            Self::Text(_) => FlagType::Data,
        }
    }
}

impl fmt::Display for FlagValue {
    /// Writes `true`, `false` or the bare text, as in cells.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(flag_type: FlagType, text: &str, expected: &FlagValue, written: &str) {
        let value = FlagValue::parse(flag_type, text).unwrap();
        assert_eq!(value, *expected);
        assert_eq!(
            (value.flag_type(), &*value.to_string()),
            (flag_type, written)
        );
    }

    #[test]
    fn a_value_is_read_as_its_flag_type_says() {
        let (yes, no) = (FlagValue::Boolean(true), FlagValue::Boolean(false));
        check(FlagType::Feature, "true", &yes, "true");
        check(FlagType::Feature, "True", &yes, "true");
        check(FlagType::Feature, "false", &no, "false");
        check(FlagType::Feature, "False", &no, "false");
        let text = FlagValue::Text("true".into());
        check(FlagType::Data, "true", &text, "true");
        let message = FlagValue::parse(FlagType::Feature, "yes").unwrap_err();
        assert_eq!(
            message.to_string(),
            "value: found \"yes\", expected true or false"
        );
    }

    #[test]
    fn a_text_has_at_most_64_kib() {
        assert!(FlagValue::text(&"x".repeat(65_536)).is_ok());
        let message = FlagValue::text(&"x".repeat(65_537)).unwrap_err();
        assert_eq!(
            message.to_string(),
            "value: found 65537 bytes, expected at most 65536 bytes"
        );
    }
}

//! The values that flags have.

use std::sync::Arc;

use flag_api::ReplyValue;

use crate::question::FlagType;

/// A type of value that a flag can have: `bool` or `String`.
#[diagnostic::on_unimplemented(
    message = "a flag cannot hold `{Self}`",
    label = "expected `bool` or `String`"
)]
pub trait FlagValue: sealed::Sealed + Sized + Send + 'static {
    /// The value as it stands in a `const`: `bool` or `&'static str`.
    type Fixed: Copy + Into<Self> + Send + Sync + 'static;

    /// The type of the flags that hold it.
    const FLAG_TYPE: FlagType;
}

impl FlagValue for bool {
    type Fixed = bool;

    const FLAG_TYPE: FlagType = FlagType::Feature;
}

impl FlagValue for String {
    type Fixed = &'static str;

    const FLAG_TYPE: FlagType = FlagType::Data;
}

/// A value of either kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Of a `feature` flag.
    Boolean(bool),
    /// Of a `data` flag.
    Text(Arc<str>),
}

impl Value {
    /// The type of the flags that hold it.
    pub(crate) fn flag_type(&self) -> FlagType {
        match self {
            Self::Boolean(_) => FlagType::Feature,
            Self::Text(_) => FlagType::Data,
        }
    }

    /// The value as it came, if its kind is what flags of this type have.
    pub(crate) fn of(flag_type: FlagType, value: ReplyValue<'_>) -> Option<Self> {
        match (flag_type, value) {
            (FlagType::Feature, ReplyValue::Boolean(value)) => Some(Self::Boolean(value)),
            (FlagType::Data, ReplyValue::Text(text)) => Some(Self::Text(text.into())),
            _ => None,
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

pub(crate) mod sealed {
    use super::Value;

    /// What only `bool` and `String` are.
    pub trait Sealed {
        /// The value, if it is of this kind.
        fn from_value(value: &Value) -> Option<Self>
        where
            Self: Sized;
    }

    impl Sealed for bool {
        fn from_value(value: &Value) -> Option<Self> {
            match value {
                Value::Boolean(value) => Some(*value),
                Value::Text(_) => None,
            }
        }
    }

    impl Sealed for String {
        fn from_value(value: &Value) -> Option<Self> {
            match value {
                Value::Text(text) => Some(Self::from(&**text)),
                Value::Boolean(_) => None,
            }
        }
    }
}

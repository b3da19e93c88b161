//! The values that flags have.

use flag_model::FlagType;
/// [`FlagValue`] is the name of the trait here.
pub(crate) use flag_model::FlagValue as Value;

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

pub(crate) mod sealed {
    use super::Value;

    /// Keeps others from implementing the trait.
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
                Value::Text(text) => Some(text.to_string()),
                Value::Boolean(_) => None,
            }
        }
    }
}

//! The values that flags have.

use flag_model::{FlagType, FlagValue};

/// A type of value that a flag can have: `bool` or `String`.
#[diagnostic::on_unimplemented(
    message = "a flag cannot hold `{Self}`",
    label = "expected `bool` or `String`"
)]
pub trait ValueType: sealed::Sealed + Sized + Send + 'static {
    /// The value as it stands in a `const`: `bool` or `&'static str`.
    type Const: Copy + Into<Self> + Send + Sync + 'static;

    /// The type of the flags that hold it.
    const FLAG_TYPE: FlagType;
}

impl ValueType for bool {
    type Const = bool;

    const FLAG_TYPE: FlagType = FlagType::Feature;
}

impl ValueType for String {
    type Const = &'static str;

    const FLAG_TYPE: FlagType = FlagType::Data;
}

pub(crate) mod sealed {
    use super::FlagValue;

    /// Keeps others from implementing the trait.
    pub trait Sealed {
        /// The value, if it is of this kind.
        fn from_value(value: &FlagValue) -> Option<Self>
        where
            Self: Sized;
    }

    impl Sealed for bool {
        fn from_value(value: &FlagValue) -> Option<Self> {
            match value {
                FlagValue::Boolean(value) => Some(*value),
                FlagValue::Text(_) => None,
            }
        }
    }

    impl Sealed for String {
        fn from_value(value: &FlagValue) -> Option<Self> {
            match value {
                FlagValue::Text(text) => Some(text.to_string()),
                FlagValue::Boolean(_) => None,
            }
        }
    }
}

//! The variables of the environment, as they were handed in.

use std::ffi::{OsStr, OsString};

/// Names and values.
pub(crate) type Variables = Vec<(OsString, OsString)>;

/// The value of a variable; one that is empty counts as not set.
pub(crate) fn variable<'v>(variables: &'v Variables, name: &str) -> Option<&'v OsStr> {
    let (_, value) = variables.iter().find(|(variable, _)| variable == name)?;
    (!value.is_empty()).then_some(value)
}

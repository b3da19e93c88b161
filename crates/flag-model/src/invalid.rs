//! What is said of a value that cannot be.

use std::fmt::Write as _;

/// A value that cannot be: which field held it, what was found, and what was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: found {found}, expected {expected}")]
pub struct Invalid {
    /// The field, as its owner knows it, for instance `Treatments[0].OverrideList[3]`.
    pub field: String,
    /// What stood there, shortened.
    pub found: String,
    /// What may stand there.
    pub expected: String,
}

impl Invalid {
    /// Says that `field` holds `found` instead of `expected`.
    pub fn new(
        field: impl Into<String>,
        found: impl Into<String>,
        expected: impl Into<String>,
    ) -> Self {
        Self {
            field: field.into(),
            found: found.into(),
            expected: expected.into(),
        }
    }

    /// Puts the field into the one that holds it: `Name` in `Treatments[0]` is `Treatments[0].Name`.
    #[must_use]
    pub fn within(self, outer: &str) -> Self {
        Self {
            field: format!("{outer}.{}", self.field),
            ..self
        }
    }
}

/// Shows text in quotes, escaped, and shortened to 80 characters, as messages show what was found.
pub fn quoted(text: &str) -> String {
    const SHOWN: usize = 80;
    let mut shown: String = text.chars().take(SHOWN).collect();
    let left_out = text.chars().count().saturating_sub(SHOWN);
    shown = format!("{shown:?}");
    if left_out > 0 {
        let _ = write!(shown, "… ({left_out} more characters)");
    }
    shown
}

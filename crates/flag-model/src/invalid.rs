//! The error about an invalid value.

/// An invalid value: its field, what was found, and what was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: found {found}, expected {expected}")]
pub struct Invalid {
    /// The field, as flag owners know it, for instance `Treatments[0].OverrideList[3]`.
    pub field: String,
    /// What was found, shortened.
    pub found: String,
    /// What is valid.
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

    /// Prefixes the field with the one that contains it: `Name` in `Treatments[0]` is `Treatments[0].Name`.
    #[must_use]
    pub fn within(self, outer: &str) -> Self {
        Self {
            field: format!("{outer}.{}", self.field),
            ..self
        }
    }
}

/// Text in quotes, escaped and shortened to 80 characters, for messages.
pub fn quoted(text: &str) -> String {
    let (shown, more) = cut(text);
    format!("{shown:?}{more}")
}

/// Text on one line, shortened to 80 characters, for messages.
pub(crate) fn shortened(text: &str) -> String {
    let (shown, more) = cut(text);
    let mut line = String::with_capacity(shown.len() + more.len());
    for character in shown.chars() {
        if character.is_control() {
            line.extend(character.escape_debug());
        } else {
            line.push(character);
        }
    }
    line + &more
}

/// The beginning of a text, and how much more there is.
fn cut(text: &str) -> (&str, String) {
    const SHOWN: usize = 80;
    match text.char_indices().nth(SHOWN) {
        None => (text, String::new()),
        Some((at, _)) => {
            let (shown, rest) = text.split_at(at);
            (
                shown,
                format!("… ({} more characters)", rest.chars().count()),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_cut() {
        assert_eq!(quoted(&"é".repeat(80)), format!("{:?}", "é".repeat(80)));
        assert_eq!(
            quoted(&"é".repeat(82)),
            format!("{:?}… (2 more characters)", "é".repeat(80))
        );
        assert_eq!(shortened("a\"b"), "a\"b");
    }

    #[test]
    fn shortened_text_stays_on_one_line() {
        assert_eq!(shortened("a\nb\u{7}é"), "a\\nb\\u{7}é");
        assert_eq!(
            shortened(&"é".repeat(81)),
            "é".repeat(80) + "… (1 more characters)"
        );
    }

    #[test]
    fn a_field_is_named_with_the_one_that_contains_it() {
        let invalid = Invalid::new("Name", "1", "a text").within("Treatments[0]");
        let message = "Treatments[0].Name: found 1, expected a text";
        assert_eq!(invalid.to_string(), message);
    }
}

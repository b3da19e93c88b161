//! Names, ids and salts; they refuse what a row key or a message cannot hold.

use std::borrow::{Borrow, Cow};
use std::fmt;

use crate::invalid::{Invalid, quoted};

const NAME: &str = "1 to 128 letters, digits, '.', '_' or '-', the first a letter or digit";

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

/// Whether `text` matches `[A-Za-z0-9._-]{1,128}`.
fn is_salt(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(is_name_byte)
}

/// Whether `text` matches `[A-Za-z0-9][A-Za-z0-9._-]{0,127}`.
fn is_name(text: &str) -> bool {
    is_salt(text) && text.starts_with(|first: char| first.is_ascii_alphanumeric())
}

/// Whether `text` is one line of 1 to 256 bytes without control characters.
fn is_owner(text: &str) -> bool {
    (1..=256).contains(&text.len()) && !text.chars().any(char::is_control)
}

macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident, $field:literal, $is_valid:path, $expected:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Box<str>);

        impl $name {
            /// Takes the text if it is valid.
            pub fn new(text: impl AsRef<str>) -> Result<Self, Invalid> {
                let text = text.as_ref();
                if $is_valid(text) {
                    Ok(Self(text.into()))
                } else {
                    Err(Invalid::new($field, quoted(text), $expected))
                }
            }

            /// The text as given.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_type!(
    /// The name of a project: `[A-Za-z0-9][A-Za-z0-9._-]{0,127}`.
    ProjectName, "project name", is_name, NAME
);
text_type!(
    /// The name of a flag within its project and type: `[A-Za-z0-9][A-Za-z0-9._-]{0,127}`.
    FlagName, "flag name", is_name, NAME
);
text_type!(
    /// The name of a treatment, served as the rollout group: `[A-Za-z0-9][A-Za-z0-9._-]{0,127}`.
    TreatmentName, "treatment name", is_name, NAME
);
text_type!(
    /// Who owns a flag or made a revision: 1 to 256 bytes without control characters.
    OwnerId, "OwnerID", is_owner, "1 to 256 bytes without control characters"
);
text_type!(
    /// What is hashed before an instance id: `[A-Za-z0-9._-]{1,128}`, so that `{salt}#{instance id}` is unambiguous.
    Salt, "Salt", is_salt, "1 to 128 letters, digits, '.', '_' or '-'"
);

impl FlagName {
    /// Whether the name is snake case, `[a-z][a-z0-9_]*`, as new flags are named.
    pub fn is_snake_case(&self) -> bool {
        self.0.starts_with(|first: char| first.is_ascii_lowercase())
            && self
                .0
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    }
}

impl From<&FlagName> for Salt {
    /// The default salt of a flag: its name, which is always a valid salt.
    fn from(name: &FlagName) -> Self {
        Self(name.0.clone())
    }
}

/// Whom a decision is for: 1 to 512 bytes of UTF-8 without NUL, taken exactly as given.
///
/// Borrows where it can, so that asking costs no allocation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceId<'a>(Cow<'a, str>);

impl<'a> InstanceId<'a> {
    /// Takes the text if it is valid; nothing is trimmed, folded or normalised.
    pub fn new(text: impl Into<Cow<'a, str>>) -> Result<Self, Invalid> {
        let text = text.into();
        if (1..=512).contains(&text.len()) && !text.contains('\0') {
            return Ok(Self(text));
        }
        let found = if text.len() > 512 {
            format!("{} bytes", text.len())
        } else {
            quoted(&text)
        };
        Err(Invalid::new(
            "instance id",
            found,
            "1 to 512 bytes without NUL",
        ))
    }

    /// The text as given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same id, owning its text.
    pub fn into_owned(self) -> InstanceId<'static> {
        InstanceId(Cow::Owned(self.0.into_owned()))
    }
}

impl Borrow<str> for InstanceId<'_> {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for InstanceId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_name(text: &str, valid: bool) {
        assert_eq!(FlagName::new(text).is_ok(), valid, "{text:?}");
        assert_eq!(ProjectName::new(text).is_ok(), valid, "{text:?}");
    }

    #[test]
    fn names_are_of_letters_digits_dots_dashes_and_underscores() {
        for text in ["a", "0", "csr-assistant", "a.b_c-D9", &"x".repeat(128)] {
            check_name(text, true);
        }
        for text in [
            "",
            " a",
            "a ",
            "a#b",
            "-a",
            ".a",
            "_a",
            "é",
            "a\n",
            "a/b",
            &"x".repeat(129),
        ] {
            check_name(text, false);
        }
    }

    #[test]
    fn a_refusal_names_field_found_and_expected() {
        let message = FlagName::new("a#b").unwrap_err().to_string();
        assert_eq!(
            message,
            format!("flag name: found \"a#b\", expected {NAME}")
        );
    }

    #[test]
    fn snake_case_begins_with_a_lower_case_letter() {
        for (text, snake) in [
            ("multi_step_2", true),
            ("2_steps", false),
            ("a-b", false),
            ("A", false),
            ("a.b", false),
        ] {
            assert_eq!(
                FlagName::new(text).unwrap().is_snake_case(),
                snake,
                "{text}"
            );
        }
    }

    #[test]
    fn instance_ids_are_taken_as_given() {
        for text in [" A12345", "日本語", "a#b%", "\n", &"x".repeat(512)] {
            assert_eq!(InstanceId::new(text).unwrap().as_str(), text);
        }
        for text in ["", "a\0b", &"x".repeat(513), &"é".repeat(257)] {
            assert!(InstanceId::new(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn every_flag_name_is_a_salt() {
        let name = FlagName::new("9a.b_c-D").unwrap();
        assert_eq!(
            Salt::new(Salt::from(&name).as_str()).unwrap().as_str(),
            "9a.b_c-D"
        );
        assert!(Salt::new("a#b").is_err());
        assert!(Salt::new("_a").is_ok());
    }
}

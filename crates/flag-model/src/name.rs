//! Names, ids and salts. Each refuses text that a row key or a message cannot hold.
//!
//! Names that are read may be any that the Python framework stored. `check_new` has the stricter rules for the names of new
//! flags and projects.

use std::borrow::{Borrow, Cow};
use std::fmt;

use crate::invalid::{Invalid, quoted};

const NAME: &str = "1 to 128 letters, digits, '.', '_' or '-', the first a letter or digit";
const STORED_NAME: &str = "1 to 128 characters without '#', '%' or control characters";
const SNAKE_CASE: &str = "snake_case: a lower-case letter, then lower-case letters, digits or '_'";

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

/// Whether `text` has 1 to 128 characters that a row key can hold.
fn is_stored_name(text: &str) -> bool {
    let cannot_be = |character: char| matches!(character, '#' | '%') || character.is_control();
    // No character takes more than four bytes, so that a long text is not counted through.
    !text.is_empty()
        && text.len() <= 4 * 128
        && text.chars().count() <= 128
        && !text.contains(cannot_be)
}

/// Whether `text` is one line of 1 to 256 bytes without control characters.
fn is_owner(text: &str) -> bool {
    (1..=OwnerId::MAX_BYTES).contains(&text.len()) && !text.chars().any(char::is_control)
}

macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident, $field:literal, $is_valid:path, $expected:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Box<str>);

        impl $name {
            /// What is valid, for messages.
            pub const EXPECTED: &str = $expected;

            /// Checks the text.
            pub fn new(text: impl AsRef<str>) -> Result<Self, Invalid> {
                let text = text.as_ref();
                if $is_valid(text) {
                    Ok(Self(text.into()))
                } else {
                    Err(Invalid::new($field, quoted(text), Self::EXPECTED))
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
    /// The name of a project: 1 to 128 characters without `#`, `%` and control characters.
    ProjectName, "project name", is_stored_name, STORED_NAME
);
text_type!(
    /// The name of a flag within its project and type: 1 to 128 characters without `#`, `%` and control characters.
    FlagName, "flag name", is_stored_name, STORED_NAME
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
    /// The text that is hashed before an instance id: `[A-Za-z0-9._-]{1,128}`, so that `{salt}#{instance id}` is unambiguous.
    Salt, "Salt", is_salt, "1 to 128 letters, digits, '.', '_' or '-'"
);

impl OwnerId {
    /// The longest owner, in bytes.
    pub const MAX_BYTES: usize = 256;
}

/// Which names a new flag may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewName {
    /// `[a-z][a-z0-9_]*`, the default.
    SnakeCase,
    /// `[A-Za-z0-9][A-Za-z0-9._-]*`.
    Any,
}

impl ProjectName {
    /// Refuses a name that no new project may have: `[A-Za-z0-9][A-Za-z0-9._-]{0,127}`.
    pub fn check_new(&self) -> Result<(), Invalid> {
        check("project name", &self.0, is_name, NAME)
    }
}

impl FlagName {
    /// Refuses a name that no new flag may have.
    pub fn check_new(&self, allowed: NewName) -> Result<(), Invalid> {
        match allowed {
            NewName::SnakeCase => check("flag name", &self.0, is_snake_case, SNAKE_CASE),
            NewName::Any => check("flag name", &self.0, is_name, NAME),
        }
    }
}

fn check(
    field: &str,
    text: &str,
    is_valid: impl Fn(&str) -> bool,
    expected: &str,
) -> Result<(), Invalid> {
    if is_valid(text) {
        return Ok(());
    }
    Err(Invalid::new(field, quoted(text), expected))
}

fn is_snake_case(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_lowercase())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

impl TryFrom<&FlagName> for Salt {
    type Error = Invalid;

    /// The default salt of a flag: its name, if that is a valid salt.
    fn try_from(name: &FlagName) -> Result<Self, Invalid> {
        Self::new(name.as_str())
    }
}

/// The id of the instance that a value is for: 1 to 512 bytes of UTF-8 without NUL, taken exactly as given.
///
/// Borrows its text where possible, so that a request needs no allocation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceId<'a>(Cow<'a, str>);

impl<'a> InstanceId<'a> {
    /// The longest instance id, in bytes.
    pub const MAX_BYTES: usize = 512;

    /// Checks the text; nothing is trimmed, folded or normalised.
    pub fn new(text: impl Into<Cow<'a, str>>) -> Result<Self, Invalid> {
        let text = text.into();
        if (1..=Self::MAX_BYTES).contains(&text.len()) && !text.contains('\0') {
            return Ok(Self(text));
        }
        let found = if text.len() > Self::MAX_BYTES {
            format!("{} bytes", text.len())
        } else {
            quoted(&text)
        };
        Err(Invalid::new(
            "instance id",
            found,
            format!("1 to {} bytes without NUL", Self::MAX_BYTES),
        ))
    }

    /// The text as given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same id, with a text of its own.
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
    fn check_name(text: &str, can_be: bool, can_be_new: bool) {
        let flag = FlagName::new(text).ok();
        let project = ProjectName::new(text).ok();
        assert_eq!(
            (flag.is_some(), project.is_some()),
            (can_be, can_be),
            "{text:?}"
        );
        let is_new = flag.is_some_and(|name| name.check_new(NewName::Any).is_ok());
        assert_eq!(is_new, can_be_new, "{text:?}");
        let is_new = project.is_some_and(|name| name.check_new().is_ok());
        assert_eq!(is_new, can_be_new, "{text:?}");
    }

    #[test]
    fn new_names_are_of_letters_digits_dots_dashes_and_underscores() {
        for text in ["a", "0", "csr-assistant", "a.b_c-D9", &"x".repeat(128)] {
            check_name(text, true, true);
        }
    }

    #[test]
    fn what_the_reference_could_store_is_a_name_though_not_a_new_one() {
        let texts = [
            "_a",
            "-a",
            ".a",
            " a",
            "a b",
            "é",
            "a/b",
            "a\\b",
            "O'Brien",
            "日本",
            "a\u{200b}",
        ];
        for text in texts.into_iter().chain([&*"é".repeat(128)]) {
            check_name(text, true, false);
        }
    }

    #[test]
    fn what_no_key_can_hold_is_no_name() {
        for text in ["", "a#b", "50%", "a\n", "a\0", "\u{85}"] {
            check_name(text, false, false);
        }
        check_name(&"x".repeat(129), false, false);
        check_name(&"é".repeat(129), false, false);
        check_name(&"x".repeat(1_000_000), false, false);
    }

    #[test]
    fn a_refusal_names_field_found_and_expected() {
        let message = FlagName::new("a#b").unwrap_err().to_string();
        assert_eq!(
            message,
            format!("flag name: found \"a#b\", expected {STORED_NAME}")
        );
        let message = ProjectName::new("_a").unwrap().check_new().unwrap_err();
        assert_eq!(
            message.to_string(),
            format!("project name: found \"_a\", expected {NAME}")
        );
    }

    #[test]
    fn a_new_flag_is_snake_case_unless_any_name_will_do() {
        for (text, snake) in [
            ("multi_step_2", true),
            ("2_steps", false),
            ("a-b", false),
            ("A", false),
            ("a.b", false),
            ("_a", false),
        ] {
            let name = FlagName::new(text).unwrap();
            assert_eq!(name.check_new(NewName::SnakeCase).is_ok(), snake, "{text}");
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
    fn a_flag_name_is_the_default_salt_if_it_can_be_one() {
        for (text, is_salt) in [
            ("9a.b_c-D", true),
            ("_a", true),
            ("my flag", false),
            ("é", false),
        ] {
            let salt = Salt::try_from(&FlagName::new(text).unwrap());
            assert_eq!(
                salt.ok(),
                is_salt.then(|| Salt::new(text).unwrap()),
                "{text}"
            );
        }
        assert!(Salt::new("a#b").is_err());
    }

    #[test]
    fn an_owner_is_one_line_of_at_most_256_bytes() {
        for text in ["Ann", "é", &"x".repeat(256)] {
            assert_eq!(OwnerId::new(text).unwrap().to_string(), text);
        }
        for text in ["", "a\n", &"x".repeat(257)] {
            assert!(OwnerId::new(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_treatment_name_begins_with_a_letter_or_digit() {
        for text in ["a", "9.b_c-D", &"x".repeat(128)] {
            assert_eq!(TreatmentName::new(text).unwrap().as_str(), text);
        }
        for text in ["", "_a", "-a", ".a", "a b", "é", &"x".repeat(129)] {
            assert!(TreatmentName::new(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_instance_id_is_found_by_its_text() {
        let id = InstanceId::new("A12345").unwrap();
        let owned: InstanceId<'static> = id.clone().into_owned();
        assert_eq!(
            (owned.to_string().as_str(), owned.as_str()),
            ("A12345", "A12345")
        );
        let ids = std::collections::HashSet::from([owned]);
        assert!(ids.contains("A12345") && !ids.contains(""));
    }

    #[test]
    fn a_refused_instance_id_is_shown_unless_it_is_too_long() {
        let message = |text: &str| InstanceId::new(text.to_owned()).unwrap_err().to_string();
        assert_eq!(
            message("a\0"),
            "instance id: found \"a\\0\", expected 1 to 512 bytes without NUL"
        );
        assert_eq!(
            message(&"x".repeat(513)),
            "instance id: found 513 bytes, expected 1 to 512 bytes without NUL"
        );
    }
}

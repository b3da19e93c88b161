//! The file of API keys: JSON, `{"keys": [{"id", "sha256", "scopes", "projects", "created", …}]}`.

use std::collections::HashSet;

use flag_model::{Date, Invalid, Timestamp};
use serde::{Deserialize, Serialize};

use crate::fingerprint::Fingerprint;
use crate::key::{Key, KeyId, Projects};
use crate::scope::{Scope, Scopes};

/// The largest file that is read: thousands of keys.
pub const MOST_BYTES: u64 = 4 << 20;

/// The keys of a file, in its order; no two with the same id.
#[derive(Clone, Debug, Default)]
pub struct KeyFile {
    /// The keys.
    pub keys: Vec<Key>,
}

/// Why a text is no file of API keys. Says where, and repeats nothing that could be a secret in the wrong place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKeyFile {
    /// It is no JSON, or JSON of another shape.
    #[error("line {line}, column {column}: not as `flagctl keys create` writes it")]
    Shape {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// A key cannot be.
    #[error("key {position}: {invalid}")]
    Key {
        /// Which key of the file, from 1.
        position: usize,
        /// What is wrong with it.
        invalid: Invalid,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredFile {
    keys: Vec<StoredKey>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredKey {
    id: String,
    sha256: String,
    scopes: Vec<String>,
    projects: Vec<String>,
    created: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_on: Option<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    comment: String,
}

impl KeyFile {
    /// Reads the text of a file; a byte order mark, which some editors write, doesn't count.
    pub fn parse(text: &[u8]) -> Result<Self, InvalidKeyFile> {
        let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
        let stored: StoredFile =
            serde_json::from_slice(text).map_err(|error| InvalidKeyFile::Shape {
                line: error.line(),
                column: error.column(),
            })?;
        let mut ids = HashSet::new();
        let keys = stored.keys.into_iter().enumerate().map(|(at, stored)| {
            let key = Key::try_from(stored).and_then(|key| {
                if ids.insert(key.id.clone()) {
                    return Ok(key);
                }
                let found = format!("{} again", key.id);
                Err(Invalid::new("id", found, "an id of its own"))
            });
            key.map_err(|invalid| InvalidKeyFile::Key {
                position: at + 1,
                invalid,
            })
        });
        Ok(Self {
            keys: keys.collect::<Result<_, _>>()?,
        })
    }

    /// The text of the file.
    pub fn render(&self) -> Result<String, serde_json::Error> {
        let keys = self.keys.iter().map(StoredKey::from).collect();
        let text = serde_json::to_string_pretty(&StoredFile { keys })?;
        Ok(text + "\n")
    }
}

impl TryFrom<StoredKey> for Key {
    type Error = Invalid;

    fn try_from(stored: StoredKey) -> Result<Self, Invalid> {
        let fingerprint = Fingerprint::parse(&stored.sha256).ok_or_else(|| {
            let found = format!("{} characters", stored.sha256.chars().count());
            Invalid::new("sha256", found, "64 hexadecimal digits")
        })?;
        let scopes = stored.scopes.iter().map(|scope| Scope::parse(scope));
        let scopes: Scopes = scopes.collect::<Result<_, _>>()?;
        if scopes.is_empty() {
            return Err(Invalid::new("scopes", "none", "at least one scope"));
        }
        let expires_on = stored.expires_on.as_deref().map(Date::parse).transpose();
        Ok(Self {
            id: KeyId::new(&stored.id)?,
            fingerprint,
            scopes,
            projects: Projects::parse(&stored.projects)?,
            created: Timestamp::parse(&stored.created).map_err(|wrong| of(wrong, "created"))?,
            expires_on: expires_on.map_err(|wrong| of(wrong, "expires_on"))?,
            comment: stored.comment,
        })
    }
}

fn of(wrong: Invalid, field: &str) -> Invalid {
    Invalid::new(field, wrong.found, wrong.expected)
}

impl From<&Key> for StoredKey {
    fn from(key: &Key) -> Self {
        Self {
            id: key.id.to_string(),
            sha256: key.fingerprint.to_string(),
            scopes: key.scopes.iter().map(|scope| scope.to_string()).collect(),
            projects: key
                .projects
                .names()
                .into_iter()
                .map(str::to_owned)
                .collect(),
            created: key.created.to_string(),
            expires_on: key.expires_on.map(|date| date.to_string()),
            comment: key.comment.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = r#"{
        "id": "3f9a", "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "scopes": ["log", "evaluate"], "projects": ["csr-assistant"], "created": "2026-11-22 08:00:00",
        "expires_on": "2027-01-31", "comment": "Ann's notebook"
    }"#;

    fn file(keys: &[&str]) -> String {
        format!(r#"{{"keys": [{}]}}"#, keys.join(", "))
    }

    #[track_caller]
    fn check_refused(text: &str, expected: &str) {
        let refused = KeyFile::parse(text.as_bytes()).unwrap_err().to_string();
        assert_eq!(refused, expected);
    }

    #[test]
    fn what_is_read_is_written() {
        let read = KeyFile::parse(file(&[KEY]).as_bytes()).unwrap();
        let [key] = &*read.keys else {
            panic!("{read:?}")
        };
        assert!(key.fingerprint.matches(&Fingerprint::of(b"abc")));
        let scopes: Vec<&str> = key.scopes.iter().map(Scope::as_str).collect();
        assert_eq!(scopes, ["evaluate", "log"]);
        let text = read.render().unwrap();
        let again = KeyFile::parse(text.as_bytes()).unwrap().render().unwrap();
        assert_eq!(again, text);
        assert!(text.contains(r#""comment": "Ann's notebook""#), "{text}");
    }

    #[test]
    fn a_byte_order_mark_does_not_count() {
        let text = format!("\u{feff}{}", file(&[KEY]));
        assert_eq!(KeyFile::parse(text.as_bytes()).unwrap().keys.len(), 1);
    }

    #[test]
    fn a_file_without_keys_is_one() {
        assert!(KeyFile::parse(b"{\"keys\": []}").unwrap().keys.is_empty());
    }

    #[test]
    fn a_key_that_cannot_be_is_named_by_its_position() {
        let twice = file(&[KEY, KEY]);
        check_refused(
            &twice,
            "key 2: id: found 3f9a again, expected an id of its own",
        );
        let wrong = file(&[&KEY.replace("\"log\", \"evaluate\"", "")]);
        check_refused(
            &wrong,
            "key 1: scopes: found none, expected at least one scope",
        );
        let wrong = file(&[&KEY.replace("2027-01-31", "soon")]);
        check_refused(
            &wrong,
            "key 1: expires_on: found \"soon\", expected YYYY-MM-DD",
        );
    }

    #[test]
    fn a_secret_in_the_wrong_place_is_not_repeated() {
        let secret = "flag_3f9a_0123456789";
        let wrongs = [
            KEY.replace(
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
                secret,
            ),
            KEY.replace("3f9a", secret),
            KEY.replace("\"log\"", &format!("\"{secret}\"")),
            KEY.replace("\"id\"", &format!("\"{secret}\"")),
            KEY.replace("[\"log\", \"evaluate\"]", &format!("\"{secret}\"")),
        ];
        for wrong in wrongs {
            let refused = KeyFile::parse(file(&[&wrong]).as_bytes()).unwrap_err();
            assert!(!refused.to_string().contains(secret), "{refused}");
        }
        check_refused(
            "{\"keys\": 1}",
            "line 1, column 10: not as `flagctl keys create` writes it",
        );
    }
}

//! The file of API keys: JSON, `{"keys": [{"id", "sha256", "scopes", "projects", "created", …}]}`.
//!
//! What a newer release has written is read as far as it is understood (`entry.rs`): a key that is gone is revoked,
//! whatever else the file holds. [`KeyFile::invalid_entries`] lists what is not understood, and changes of the file keep it.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::entry::{self, InvalidEntry, StoredKey};
use crate::key::{Key, KeyId};

/// The largest file that is read: thousands of keys.
pub const MAX_FILE_BYTES: u64 = 4 << 20;

/// What some editors put before a text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The keys of a file, in its order; no two with the same id.
#[derive(Clone, Debug, Default)]
pub struct KeyFile {
    /// The keys.
    pub keys: Vec<Key>,
    odd: Vec<InvalidEntry>,
    /// The entries that are not understood, or not wholly.
    kept: Vec<FileEntry>,
    /// The fields of the file besides its keys.
    more: Map<String, Value>,
}

/// An entry as it was read.
#[derive(Clone, Debug)]
struct FileEntry {
    id: Option<KeyId>,
    is_key: bool,
    entry: Value,
}

/// Why a text is no file of API keys. Says where, and repeats nothing that could be a secret in the wrong place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKeyFile {
    /// It is no JSON, or has no list as its keys.
    #[error("line {line}, column {column}: not as `flagctl keys create` writes it")]
    Shape {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
}

#[derive(Deserialize)]
struct StoredFile {
    keys: Vec<Value>,
    #[serde(flatten)]
    more: Map<String, Value>,
}

#[derive(Serialize)]
struct Rendered<'a> {
    keys: Vec<RenderedEntry<'a>>,
    #[serde(flatten)]
    more: &'a Map<String, Value>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum RenderedEntry<'a> {
    Key(StoredKey),
    AsRead(&'a Value),
}

impl KeyFile {
    /// Reads the text of a file; a byte order mark, which some editors write, doesn't count.
    pub fn parse(text: &[u8]) -> Result<Self, InvalidKeyFile> {
        let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        let stored: StoredFile =
            serde_json::from_slice(text).map_err(|error| InvalidKeyFile::Shape {
                line: error.line(),
                column: error.column(),
            })?;
        let mut file = Self {
            more: stored.more,
            ..Self::default()
        };
        file.odd
            .extend(InvalidEntry::fields_of_file(file.more.keys()));
        let mut ids = HashSet::new();
        for (at, entry) in stored.keys.into_iter().enumerate() {
            file.add(at + 1, entry, &mut ids);
        }
        Ok(file)
    }

    fn add(&mut self, position: usize, entry: Value, ids: &mut HashSet<KeyId>) {
        let read = entry::read(position, &entry, ids);
        let is_key = read.key.is_some();
        if !read.odd.is_empty() {
            let id = read.id;
            self.kept.push(FileEntry { id, is_key, entry });
        }
        self.keys.extend(read.key);
        self.odd.extend(read.odd);
    }

    /// What of the file is not understood; nothing of it is repeated.
    pub fn invalid_entries(&self) -> &[InvalidEntry] {
        &self.odd
    }

    /// Takes out every entry with this id: the key, if it was understood. `None` if there was none.
    pub fn remove(&mut self, id: &KeyId) -> Option<Option<Key>> {
        let before = self.kept.len();
        self.kept.retain(|kept| kept.id.as_ref() != Some(id));
        let at = self.keys.iter().position(|key| key.id == *id);
        let key = at.map(|at| self.keys.remove(at));
        (key.is_some() || self.kept.len() < before).then_some(key)
    }

    /// The text of the file.
    pub fn render(&self) -> Result<String, serde_json::Error> {
        let keys = self.keys.iter().map(|key| {
            let mut kept = self.kept.iter();
            match kept.find(|kept| kept.is_key && kept.id.as_ref() == Some(&key.id)) {
                Some(kept) => RenderedEntry::AsRead(&kept.entry),
                None => RenderedEntry::Key(StoredKey::from(key)),
            }
        });
        let others = self.kept.iter().filter(|kept| !kept.is_key);
        let others = others.map(|kept| RenderedEntry::AsRead(&kept.entry));
        let rendered = Rendered {
            keys: keys.chain(others).collect(),
            more: &self.more,
        };
        Ok(serde_json::to_string_pretty(&rendered)? + "\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Fingerprint, Scope};

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
    fn each_key_is_written_as_it_was_read_itself() {
        let newer = KEY.replace("3f9a", "b").replace("Ann", "Bob");
        let newer = newer.replace("\"id\"", "\"more\": 1, \"id\"");
        let read = KeyFile::parse(file(&[KEY, &newer]).as_bytes()).unwrap();
        let again = KeyFile::parse(read.render().unwrap().as_bytes()).unwrap();
        let comments: Vec<&str> = again.keys.iter().map(|key| &*key.comment).collect();
        assert_eq!(comments, ["Ann's notebook", "Bob's notebook"]);
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

    /// The ids of the keys that count, and what is odd.
    #[track_caller]
    fn check_odd(entries: &[&str], keys: &[&str], odd: &[&str]) -> KeyFile {
        let read = KeyFile::parse(file(entries).as_bytes()).unwrap();
        let ids: Vec<&str> = read.keys.iter().map(|key| key.id.as_str()).collect();
        assert_eq!(ids, keys);
        let found: Vec<String> = read
            .invalid_entries()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(found, odd);
        read
    }

    #[test]
    fn what_is_understood_of_a_newer_file_counts_and_the_rest_is_kept() {
        let newer = KEY.replace(
            "\"log\", \"evaluate\"]",
            "\"log\", \"stream\"], \"networks\": [\"10.0.0.0/8\"]",
        );
        let other = KEY.replace("3f9a", "b").replace("2027-01-31", "whenever");
        let mut read = check_odd(
            &[&newer, &other],
            &["3f9a"],
            &[
                "key 1 (3f9a): scopes: found stream, expected evaluate, log, read, admin",
                "key 1 (3f9a): fields: found networks, expected id, sha256, scopes, projects, created, expires_on, comment",
                "key 2 (b): expires_on: found something else, expected YYYY-MM-DD: it does not count",
            ],
        );
        let scopes: Vec<Scope> = read.keys[0].scopes.iter().collect();
        assert_eq!(scopes, [Scope::Log]);
        let text = read.render().unwrap();
        for kept in ["stream", "networks", "10.0.0.0/8", "whenever"] {
            assert!(text.contains(kept), "{kept}: {text}");
        }
        assert!(read.remove(&KeyId::new("b").unwrap()).unwrap().is_none());
        let text = read.render().unwrap();
        assert!(
            text.contains("networks") && !text.contains("whenever"),
            "{text}"
        );
        assert!(read.remove(&KeyId::new("3f9a").unwrap()).unwrap().is_some());
        assert!(read.remove(&KeyId::new("3f9a").unwrap()).is_none());
        let text = read.render().unwrap();
        assert!(
            KeyFile::parse(text.as_bytes())
                .unwrap()
                .invalid_entries()
                .is_empty(),
            "{text}"
        );
    }

    #[test]
    fn fields_of_the_file_are_kept() {
        let text = "\u{feff}{\"version\": 2, \"keys\": []}";
        let read = KeyFile::parse(text.as_bytes()).unwrap();
        assert_eq!(
            read.invalid_entries()[0].to_string(),
            "fields: found version, expected keys"
        );
        assert!(read.render().unwrap().contains("\"version\": 2"));
    }

    #[test]
    fn a_key_that_is_not_understood_does_not_count() {
        let without = |text: &str| KEY.replace(text, "\"x\": 1");
        let created = "\"created\": \"2026-11-22 08:00:00\"";
        check_odd(
            &[KEY, KEY, &KEY.replace("\"log\", \"evaluate\"", "")],
            &["3f9a"],
            &[
                "key 2 (3f9a): id: found 3f9a again, expected an id of its own: it does not count",
                "key 3 (3f9a): id: found 3f9a again, expected an id of its own: it does not count",
            ],
        );
        check_odd(
            &[&KEY.replace("\"csr-assistant\"", "\"a#b\", \"*\"")],
            &[],
            &[
                "key 1 (3f9a): projects: found a#b, *, expected names of projects, or *: it does not count",
            ],
        );
        check_odd(
            &[&without(created)],
            &["3f9a"],
            &[
                "key 1 (3f9a): created: found something else, expected YYYY-MM-DD HH:MM:SS",
                "key 1 (3f9a): fields: found x, expected id, sha256, scopes, projects, created, expires_on, comment",
            ],
        );
    }

    #[test]
    fn an_entry_that_is_no_object_does_not_count_and_is_kept() {
        let text = "\"flag_3f9a_0123456789\"";
        let expected = ["text", "a number", "nothing"];
        let odd = [1, 3, 4].into_iter().zip(expected).map(|(at, found)| {
            format!("key {at}: entry: found {found}, expected an object: it does not count")
        });
        let odd: Vec<String> = odd.collect();
        let odd: Vec<&str> = odd.iter().map(String::as_str).collect();
        let read = check_odd(&[text, KEY, "7", "null"], &["3f9a"], &odd);
        assert!(read.render().unwrap().contains(text));
    }

    #[test]
    fn dates_and_names_of_projects_are_shown_where_they_can_be_no_secret() {
        let check = |from: &str, to: &str, says: &str| {
            let read = KeyFile::parse(file(&[&KEY.replace(from, to)]).as_bytes()).unwrap();
            let odd: Vec<String> = read
                .invalid_entries()
                .iter()
                .map(ToString::to_string)
                .collect();
            assert!(odd.iter().any(|odd| odd.contains(says)), "{says}: {odd:?}");
        };
        check(
            "2027-01-31",
            "31.01.2027",
            "expires_on: found \"31.01.2027\", ",
        );
        check(
            "2027-01-31",
            "flag_3f9a_01",
            "expires_on: found something else, ",
        );
        check(
            "2026-11-22 08:00:00",
            "2026/11/22",
            "created: found \"2026/11/22\", ",
        );
        check("csr-assistant", "CSR #one", "projects: found CSR #one, ");
        check(
            "csr-assistant",
            "a#flag_3f9a_01",
            "projects: found 1 that are not known, ",
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
            KEY.replace("\"log\"", &format!("\"stream\", \"{secret}\"")),
            KEY.replace("\"id\"", &format!("\"{secret}\"")),
            KEY.replace("[\"log\", \"evaluate\"]", &format!("\"{secret}\"")),
        ];
        for wrong in wrongs {
            let read = KeyFile::parse(file(&[&wrong]).as_bytes()).unwrap();
            assert!(!read.invalid_entries().is_empty());
            for odd in read.invalid_entries() {
                assert!(!odd.to_string().contains(secret), "{odd}");
            }
        }
        check_refused(
            "{\"keys\": 1}",
            "line 1, column 10: not as `flagctl keys create` writes it",
        );
    }
}

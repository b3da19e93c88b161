//! API keys without their secrets, except for a key that was just made.

use flag_keys::{InvalidEntry, Key, KeyId, Scope, Secret};
use serde::Serialize;

use super::table::{listed, or_none};
use super::text::{Columns, Text, Tone};
use super::view::View;

/// The valid keys of a file, and the parts that are not understood.
pub(crate) struct Keys<'a> {
    pub(crate) keys: &'a [Key],
    pub(crate) odd: &'a [InvalidEntry],
}

/// A key that was just made: the only result with a secret.
pub(crate) struct NewKey<'a> {
    pub(crate) secret: &'a Secret,
    pub(crate) key: &'a Key,
}

/// A key that was revoked.
pub(crate) struct RevokedKey<'a>(pub(crate) &'a Key);

#[derive(Serialize)]
struct List<'a> {
    keys: Vec<KeyData<'a>>,
    not_understood: Vec<OddData<'a>>,
}

#[derive(Serialize)]
struct OddData<'a> {
    /// Which entry of the file, from 1; null for the file itself.
    entry: Option<usize>,
    id: Option<&'a str>,
    counts: bool,
    problem: String,
}

#[derive(Serialize)]
struct NewKeyData<'a> {
    key: &'a str,
    #[serde(flatten)]
    data: KeyData<'a>,
}

#[derive(Serialize)]
struct KeyData<'a> {
    id: &'a str,
    scopes: Vec<&'static str>,
    projects: Vec<&'a str>,
    created: String,
    expires_on: Option<String>,
    comment: &'a str,
}

impl View for Keys<'_> {
    fn data(&self) -> impl Serialize {
        List {
            keys: self.keys.iter().map(KeyData::from).collect(),
            not_understood: self.odd.iter().map(OddData::from).collect(),
        }
    }

    fn text(&self) -> Text {
        match (self.keys.is_empty(), self.odd.is_empty()) {
            (true, true) => Text::default(),
            (false, true) => self.understood(),
            (true, false) => self.not_understood(),
            (false, false) => self.understood().and(self.not_understood()),
        }
    }

    fn names(&self) -> Vec<String> {
        self.keys.iter().map(|key| key.id.to_string()).collect()
    }
}

impl Keys<'_> {
    fn understood(&self) -> Text {
        let heading = [
            "ID",
            "SCOPES",
            "PROJECTS",
            "CREATED",
            "EXPIRES ON",
            "COMMENT",
        ];
        let mut columns = Columns::headed(heading);
        for key in self.keys {
            let line = [
                key.id.to_string(),
                scopes(key).join(", "),
                listed(&key.projects.names()),
                key.created.to_string(),
                or_none(key.expires_on.map(|date| date.to_string())),
                key.comment.clone(),
            ];
            columns.line(Tone::Plain, line);
        }
        columns.text()
    }

    fn not_understood(&self) -> Text {
        let mut columns = Columns::headed(["ENTRY", "ID", "COUNTS", "NOT UNDERSTOOD"]);
        for odd in self.odd.iter().map(OddData::from) {
            let (tone, counts) = if odd.counts {
                (Tone::Changed, "yes")
            } else {
                (Tone::Problem, "no")
            };
            let line = [
                odd.entry
                    .map_or("file".to_owned(), |entry| entry.to_string()),
                or_none(odd.id.map(str::to_owned)),
                counts.to_owned(),
                odd.problem,
            ];
            columns.line(tone, line);
        }
        columns.text()
    }
}

impl<'a> From<&'a InvalidEntry> for OddData<'a> {
    fn from(odd: &'a InvalidEntry) -> Self {
        Self {
            entry: (odd.position > 0).then_some(odd.position),
            id: odd.id.as_ref().map(KeyId::as_str),
            counts: odd.counts,
            problem: odd.problem.to_string(),
        }
    }
}

impl View for NewKey<'_> {
    fn data(&self) -> impl Serialize {
        NewKeyData {
            key: self.secret.reveal(),
            data: self.key.into(),
        }
    }

    fn text(&self) -> Text {
        let mut columns = Columns::from([("key", self.secret.reveal().to_owned())]);
        for (name, value) in facts(self.key) {
            columns.line(Tone::Plain, [name.to_owned(), value]);
        }
        columns.text()
    }

    fn names(&self) -> Vec<String> {
        vec![self.secret.reveal().to_owned()]
    }
}

impl View for RevokedKey<'_> {
    fn data(&self) -> impl Serialize {
        KeyData::from(self.0)
    }

    fn text(&self) -> Text {
        Columns::from(facts(self.0)).text()
    }

    fn names(&self) -> Vec<String> {
        vec![self.0.id.to_string()]
    }
}

impl<'a> From<&'a Key> for KeyData<'a> {
    fn from(key: &'a Key) -> Self {
        Self {
            id: key.id.as_str(),
            scopes: scopes(key),
            projects: key.projects.names(),
            created: key.created.to_string(),
            expires_on: key.expires_on.map(|date| date.to_string()),
            comment: &key.comment,
        }
    }
}

fn scopes(key: &Key) -> Vec<&'static str> {
    key.scopes.iter().map(Scope::as_str).collect()
}

fn facts(key: &Key) -> [(&'static str, String); 6] {
    [
        ("id", key.id.to_string()),
        ("scopes", scopes(key).join(", ")),
        ("projects", listed(&key.projects.names())),
        ("created", key.created.to_string()),
        (
            "expires on",
            or_none(key.expires_on.map(|date| date.to_string())),
        ),
        ("comment", key.comment.clone()),
    ]
}

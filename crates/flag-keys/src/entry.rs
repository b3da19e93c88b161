//! One entry of the file of API keys.
//!
//! A key is valid if its id, digest, scopes, projects and last day are understood; everything else unusual is reported.

use std::collections::HashSet;
use std::fmt;

use flag_model::{Date, Invalid, Timestamp, quoted};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::fingerprint::Fingerprint;
use crate::key::{Key, KeyId, Projects};
use crate::scope::{Scope, Scopes};

const KNOWN: [&str; 7] = [
    "id",
    "sha256",
    "scopes",
    "projects",
    "created",
    "expires_on",
    "comment",
];

/// Something in a file that is not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidEntry {
    /// Which entry of the file, from 1; 0 for the file itself.
    pub position: usize,
    /// The id of the entry, if it has one.
    pub id: Option<KeyId>,
    /// What is odd about it.
    pub problem: Invalid,
    /// Whether the entry counts all the same.
    pub counts: bool,
}

/// A key as it is written.
#[derive(Serialize)]
pub(crate) struct StoredKey {
    id: String,
    sha256: String,
    scopes: Vec<String>,
    projects: Vec<String>,
    created: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_on: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    comment: String,
}

/// What was read of an entry.
pub(crate) struct ReadEntry {
    pub(crate) id: Option<KeyId>,
    pub(crate) key: Option<Key>,
    pub(crate) odd: Vec<InvalidEntry>,
}

/// Reads an entry. Ids of entries before are in `ids`, and this one's afterwards.
pub(crate) fn read(position: usize, entry: &Value, ids: &mut HashSet<KeyId>) -> ReadEntry {
    let mut odd = Vec::new();
    let id = entry.get("id").and_then(Value::as_str);
    let id = id.and_then(|id| KeyId::new(id).ok());
    let key = match entry {
        Value::Object(fields) => read_key(fields, ids, &mut odd),
        other => Err(Invalid::new("entry", kind(other), "an object")),
    };
    let key = key.map_err(|problem| odd.push(problem)).ok();
    let counts = key.is_some();
    let odd = odd.into_iter().map(|problem| InvalidEntry {
        position,
        id: id.clone(),
        problem,
        counts,
    });
    let odd = odd.collect();
    ReadEntry { id, key, odd }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// What was found, if it must not be repeated: it could be a secret in the wrong place.
const ELSE: &str = "something else";

fn read_key(
    fields: &Map<String, Value>,
    ids: &mut HashSet<KeyId>,
    odd: &mut Vec<Invalid>,
) -> Result<Key, Invalid> {
    let text = |name: &str| fields.get(name).and_then(Value::as_str);
    let id = KeyId::new(text("id").unwrap_or_default())?;
    if !ids.insert(id.clone()) {
        let found = format!("{id} again");
        return Err(Invalid::new("id", found, "an id of its own"));
    }
    let fingerprint = text("sha256").and_then(Fingerprint::parse);
    let fingerprint =
        fingerprint.ok_or_else(|| Invalid::new("sha256", ELSE, "64 hexadecimal digits"))?;
    let scopes = read_scopes(fields, odd)?;
    let projects = read_projects(fields, odd)?;
    let expires_on = match fields.get("expires_on") {
        None | Some(Value::Null) => None,
        Some(date) => {
            let parsed = date.as_str().and_then(|date| Date::parse(date).ok());
            let found = || shown_time(date.as_str());
            Some(parsed.ok_or_else(|| Invalid::new("expires_on", found(), "YYYY-MM-DD"))?)
        }
    };
    let created = text("created").and_then(|created| Timestamp::parse(created).ok());
    if created.is_none() {
        let found = shown_time(text("created"));
        odd.push(Invalid::new("created", found, "YYYY-MM-DD HH:MM:SS"));
    }
    let unknown = fields.keys().map(String::as_str);
    let unknown = unknown.filter(|name| !KNOWN.contains(name)).collect();
    odd.extend(unknown_fields(unknown, &KNOWN.join(", ")));
    Ok(Key {
        id,
        fingerprint,
        scopes,
        projects,
        created: created.unwrap_or(Timestamp::UNIX_EPOCH),
        expires_on,
        comment: text("comment").unwrap_or_default().to_owned(),
    })
}

/// The scopes that are known; a key that is for others alone counts, and is for nothing.
fn read_scopes(fields: &Map<String, Value>, odd: &mut Vec<Invalid>) -> Result<Scopes, Invalid> {
    let expected = Scope::ALL.map(Scope::as_str).join(", ");
    let found = texts(fields, "scopes");
    if found.is_empty() {
        return Err(Invalid::new("scopes", "none", expected));
    }
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for scope in found {
        match Scope::parse(scope) {
            Ok(scope) => known.push(scope),
            Err(_) => unknown.push(scope),
        }
    }
    if !unknown.is_empty() {
        odd.push(Invalid::new("scopes", words(unknown, is_plain), expected));
    }
    Ok(known.into_iter().collect())
}

/// The projects whose names are names.
fn read_projects(fields: &Map<String, Value>, odd: &mut Vec<Invalid>) -> Result<Projects, Invalid> {
    const EXPECTED: &str = "names of projects, or *";
    let found = texts(fields, "projects");
    let all = Projects::parse(&found);
    if let Ok(projects) = all {
        return Ok(projects);
    }
    let (mut names, mut unknown) = (Vec::new(), Vec::new());
    for name in found {
        match Projects::parse(&[name]) {
            Ok(Projects::Only(known)) => names.extend(known),
            Ok(Projects::All) | Err(_) => unknown.push(name),
        }
    }
    let unknown = if unknown.is_empty() {
        "none".to_owned()
    } else {
        words(unknown, is_name)
    };
    let problem = Invalid::new("projects", unknown, EXPECTED);
    if names.is_empty() {
        return Err(problem);
    }
    odd.push(problem);
    Ok(Projects::Only(names))
}

/// The texts of a list; another value becomes a text that no scope or project has.
fn texts<'a>(fields: &'a Map<String, Value>, name: &str) -> Vec<&'a str> {
    let list = fields.get(name).and_then(Value::as_array);
    let list = list.into_iter().flatten();
    list.map(|item| item.as_str().unwrap_or_default()).collect()
}

fn unknown_fields(names: Vec<&str>, expected: &str) -> Option<Invalid> {
    (!names.is_empty()).then(|| Invalid::new("fields", words(names, is_plain), expected))
}

/// Words that are not known, by name where that can be no secret in the wrong place, else by their number.
fn words(unknown: Vec<&str>, is_harmless: fn(&str) -> bool) -> String {
    let (named, hidden): (Vec<&str>, Vec<&str>) =
        unknown.into_iter().partition(|word| is_harmless(word));
    let named = named.join(", ");
    match (named.is_empty(), hidden.len()) {
        (false, 0) => named,
        (true, hidden) => format!("{hidden} that are not known"),
        (false, hidden) => format!("{named} and {hidden} more that are not known"),
    }
}

/// Whether it is a word as fields and scopes are; keys and digests have digits, or are longer.
fn is_plain(word: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    (1..=24).contains(&word.len()) && word.bytes().all(allowed)
}

/// Whether it may have been meant as the name of a project, and has no digits either.
fn is_name(word: &str) -> bool {
    let allowed = |byte: u8| (byte.is_ascii_graphic() || byte == b' ') && !byte.is_ascii_digit();
    (1..=24).contains(&word.len()) && word.bytes().all(allowed)
}

/// What was found in the place of a time, if it is made of nothing but digits and what stands between them.
fn shown_time(found: Option<&str>) -> String {
    let allowed = |byte: u8| byte.is_ascii_digit() || b"-/.: TZ".contains(&byte);
    let harmless = found.filter(|text| text.len() <= 24 && text.bytes().all(allowed));
    harmless.map_or_else(|| ELSE.to_owned(), quoted)
}

impl InvalidEntry {
    /// The fields of a file besides its keys.
    pub(crate) fn fields_of_file<'a>(names: impl Iterator<Item = &'a String>) -> Option<Self> {
        let names = names.map(String::as_str).collect();
        Some(Self {
            position: 0,
            id: None,
            problem: unknown_fields(names, "keys")?,
            counts: true,
        })
    }
}

impl fmt::Display for InvalidEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.position > 0 {
            write!(f, "key {}", self.position)?;
            if let Some(id) = &self.id {
                write!(f, " ({id})")?;
            }
            f.write_str(": ")?;
        }
        write!(f, "{}", self.problem)?;
        if self.counts {
            return Ok(());
        }
        f.write_str(": it does not count")
    }
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

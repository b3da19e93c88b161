//! Plain values as cells hold them: JSON, or the Python literal that the reference's tooling left.
//!
//! Takes any text without a panic: time is linear, depth and size are bounded. Knows neither flags nor treatments.
//! Start with [`parse`]. Laws, each kept by the property test of that name:
//! - `any_text_is_read_without_a_panic`
//! - `json_is_read_as_serde_json_reads_it`
//! - `what_python_prints_is_read_back`
//! - `which_reader_goes_first_does_not_show`
//!
//! JSON has a reader of its own because `serde_json` neither keeps the digits of long numbers nor the order of
//! keys, and stops at another depth.
mod cursor;
mod error;
mod float;
mod json;
#[cfg(test)]
mod laws;
mod number;
mod python;
mod python_number;
mod python_text;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;

use self::cursor::Cursor;
pub use self::error::LiteralError;
use self::error::Mistake;
pub use self::number::Number;

/// The longest text that is read, in bytes.
pub const MAX_BYTES: usize = 8 * 1024 * 1024;

/// The most brackets that may be open at once.
pub const MAX_DEPTH: usize = 64;

/// The most values that a text may hold, keys apart, so that a small text cannot fill the memory.
pub const MAX_VALUES: usize = 500_000;

/// A plain value, as JSON or a Python literal spells it.
// With a tag of one byte, `bool` would lie right behind it, and moving any value would take unaligned copies:
// see "overrides" in `benches/literal.rs`.
#[derive(Clone, Debug, PartialEq)]
#[repr(usize)]
pub enum Literal {
    /// `null` or `None`.
    Null,
    /// `true` or `True`, `false` or `False`.
    Boolean(bool),
    /// An integer or a float.
    Number(Number),
    /// A string.
    Text(String),
    /// A list, or a Python tuple.
    List(Vec<Literal>),
    /// A JSON object or a Python dict, in the order of its text. No key is there twice: the last value counts.
    Dict(Vec<(String, Literal)>),
}

/// Reads a text as JSON, or else as a Python literal.
///
/// If it is neither, the error is that of the reader that came further.
pub fn parse(text: &str) -> Result<Literal, LiteralError> {
    let read = if is_rather_python(text) {
        python::read(text).or_else(|of_python| {
            if of_python.is_final() {
                return Err(of_python);
            }
            json::read(text).map_err(|of_json| furthest(of_json, of_python))
        })
    } else {
        json::read(text).or_else(|of_json| {
            if of_json.is_final() {
                return Err(of_json);
            }
            python::read(text).map_err(|of_python| furthest(of_json, of_python))
        })
    };
    read.map_err(|mistake| mistake.locate(text))
}

/// Reads a text as a Python literal.
///
/// Equals `ast.literal_eval` of Python 3.11 where that gives a value which [`Literal`] can hold. Refused besides:
/// sets, keys that aren't text, `\N{…}`, surrogates, hexadecimal, octal and binary integers of more than 256 digits,
/// and whatever exceeds [`MAX_BYTES`], [`MAX_DEPTH`] or [`MAX_VALUES`]; all of them also in a value that a later key replaces.
pub fn parse_python(text: &str) -> Result<Literal, LiteralError> {
    python::read(text).map_err(|mistake| mistake.locate(text))
}

impl Literal {
    /// What this is, for error messages: `a number`, `text`, `a list`, …
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Dict(_) => "a dict",
        }
    }

    /// The value of a dict's key; `None` for a key that is not there, and for what is no dict.
    pub fn get(&self, key: &str) -> Option<&Self> {
        let Self::Dict(entries) = self else {
            return None;
        };
        entries
            .iter()
            .find_map(|(name, value)| (name == key).then_some(value))
    }
}

/// Writes the value as in JSON, for error messages; as long as the value is.
impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "{text:?}"),
            Self::List(items) => {
                f.write_str("[")?;
                for (position, item) in items.iter().enumerate() {
                    f.write_str(if position == 0 { "" } else { ", " })?;
                    write!(f, "{item}")?;
                }
                f.write_str("]")
            }
            Self::Dict(entries) => {
                f.write_str("{")?;
                for (position, (key, value)) in entries.iter().enumerate() {
                    f.write_str(if position == 0 { "" } else { ", " })?;
                    write!(f, "{key:?}: {value}")?;
                }
                f.write_str("}")
            }
        }
    }
}

/// Whether to try Python first, so that a long text is not read as JSON just up to its first `True`.
///
/// Not with a backslash: only without one does a text that both readers take mean the same to both.
fn is_rather_python(text: &str) -> bool {
    !text.contains('\\')
        && ["True", "False", "None"]
            .iter()
            .any(|word| text.contains(word))
}

fn furthest(of_json: Mistake, of_python: Mistake) -> Mistake {
    if of_json.at() > of_python.at() {
        of_json
    } else {
        of_python
    }
}

/// Begins a list or a dict; where nothing follows, no memory is kept for it, as brackets may be nested to the limit.
fn starting_with<T>(first: T, cursor: &Cursor<'_>) -> Vec<T> {
    let is_followed = cursor.peek() == Some(b',');
    let mut items = Vec::with_capacity(if is_followed { 4 } else { 1 });
    items.push(first);
    items
}

/// Builds a dict in which the last value of a key counts, at the place where the key was first.
fn dict(entries: Vec<(String, Literal)>) -> Literal {
    if is_small_and_distinct(&entries) {
        return Literal::Dict(entries);
    }
    let places = places(&entries);
    let mut kept: Vec<(String, Literal)> = Vec::new();
    for (entry, place) in entries.into_iter().zip(places) {
        match kept.get_mut(place) {
            Some(earlier) => *earlier = entry,
            None => kept.push(entry),
        }
    }
    Literal::Dict(kept)
}

/// Whether there are so few entries that comparing all of them is quick, and no key is there twice.
fn is_small_and_distinct(entries: &[(String, Literal)]) -> bool {
    const SMALL: usize = 8;
    let mut before = entries;
    while let Some(((key, _), others)) = before.split_last() {
        if before.len() > SMALL || others.iter().any(|(other, _)| other == key) {
            return false;
        }
        before = others;
    }
    true
}

/// For each entry, how many keys come before the first of its own.
fn places(entries: &[(String, Literal)]) -> Vec<usize> {
    let mut seen = HashMap::new();
    let keys = entries.iter().map(|(key, _)| key.as_str());
    keys.map(|key| {
        let next = seen.len();
        *seen.entry(key).or_insert(next)
    })
    .collect()
}

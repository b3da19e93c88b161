//! Plain values as cells hold them: JSON, or the Python literal that the reference's tooling left.
//!
//! Takes any text without a panic: time is linear, depth and size are bounded. Knows neither flags nor treatments.
//! Start with [`parse`]. Laws, each kept by the property test of that name:
//! - `any_text_is_read_without_a_panic`
//! - `json_is_read_as_serde_json_reads_it`
//! - `what_python_prints_is_read_back`
//! - `floats_are_read_as_rust_reads_them`
//! - `where_one_reader_takes_over_does_not_show`
//!
//! JSON has a reader of its own because `serde_json` neither keeps the digits of long numbers nor the order of
//! keys, and stops at another depth.
mod arena;
mod cursor;
mod dict;
mod error;
mod float;
mod json;
#[cfg(test)]
mod laws;
mod number;
mod python;
mod python_number;
mod python_text;
mod reader;
mod stack;
#[cfg(test)]
mod tests;

use std::fmt;

pub use self::arena::Arena;
pub use self::error::LiteralError;
pub use self::number::Number;

/// The longest text that is read, in bytes.
pub const MAX_BYTES: usize = 8 * 1024 * 1024;

/// The most brackets that may be open at once.
pub const MAX_DEPTH: usize = 64;

/// The most values that a text may hold, keys apart, so that a small text cannot fill the memory.
pub const MAX_VALUES: usize = 500_000;

/// A plain value, as JSON or a Python literal spells it. Refers to its text and to an [`Arena`].
// With a tag of one byte, `bool` would lie right behind it, and moving any value would take unaligned copies:
// see "overrides" in `benches/literal.rs`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(usize)]
pub enum Literal<'a> {
    /// `null` or `None`.
    Null,
    /// `true` or `True`, `false` or `False`.
    Boolean(bool),
    /// An integer or a float.
    Number(Number<'a>),
    /// A string.
    Text(&'a str),
    /// A list, or a Python tuple.
    List(&'a [Literal<'a>]),
    /// A JSON object or a Python dict, in the order of its text. No key is there twice: the last value counts.
    Dict(&'a [(&'a str, Literal<'a>)]),
}

/// Reads a text as JSON, or else as a Python literal.
///
/// If it is neither, the error is that of the reader that came further.
pub fn parse<'a>(text: &'a str, arena: &'a Arena<'a>) -> Result<Literal<'a>, LiteralError> {
    reader::read_either(text, arena).map_err(|mistake| mistake.locate(text))
}

/// Reads a text as a Python literal.
///
/// Equals `ast.literal_eval` of Python 3.11 where that gives a value which [`Literal`] can hold. Refused besides:
/// sets, keys that aren't text, `\N{…}`, surrogates, hexadecimal, octal and binary integers of more than 256 digits,
/// and whatever exceeds [`MAX_BYTES`], [`MAX_DEPTH`] or [`MAX_VALUES`]; all of them also in a value that a later key replaces.
pub fn parse_python<'a>(text: &'a str, arena: &'a Arena<'a>) -> Result<Literal<'a>, LiteralError> {
    reader::read_python(text, arena).map_err(|mistake| mistake.locate(text))
}

impl<'a> Literal<'a> {
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
    pub fn get(&self, key: &str) -> Option<&'a Self> {
        let Self::Dict(entries) = self else {
            return None;
        };
        entries
            .iter()
            .find_map(|(name, value)| (*name == key).then_some(value))
    }
}

/// Writes the value as in JSON, for error messages; as long as the value is.
impl fmt::Display for Literal<'_> {
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

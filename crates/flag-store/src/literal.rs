//! Plain values in cells: JSON, or the Python literals that the Python framework wrote.
//!
//! Takes any text without a panic: time is linear, depth and size are bounded. Knows neither flags nor treatments.
//! Start with [`parse`]. Laws, each kept by the property test of that name:
//! - `any_text_is_read_without_a_panic`
//! - `json_is_read_as_serde_json_reads_it`
//! - `what_python_prints_is_read_back`
//! - `floats_are_read_as_rust_reads_them`
//! - `where_one_reader_takes_over_does_not_show`
//! - `every_value_knows_where_it_stands`
//!
//! JSON has a reader of its own because `serde_json` neither keeps the digits of long numbers nor the order of
//! keys, and stops at another depth.
mod cursor;
mod dict;
mod error;
mod grammar;
mod json;
#[cfg(test)]
mod laws;
mod number;
mod python;
mod python_blanks;
mod python_number;
mod python_text;
#[cfg(test)]
mod tests;
mod value;

pub use self::cursor::{MAX_BYTES, MAX_DEPTH, MAX_VALUES};
pub use self::error::{LiteralError, line_and_column};
pub use self::number::Number;
pub use self::value::{Literal, Node, RepeatedKey};

/// Reads a text as JSON, or else as a Python literal.
///
/// If it is neither, the error is that of the reader that read more of it.
pub fn parse(text: &str) -> Result<Node<'_>, LiteralError> {
    parse_and_check(text).map(|(node, _)| node)
}

/// Reads a text as [`parse`] does; also returns the first key that a dict in it has more than once.
pub fn parse_and_check(text: &str) -> Result<(Node<'_>, Option<RepeatedKey>), LiteralError> {
    let read = json::read(text)
        .or_else(|of_json| python::read(text).map_err(|of_python| of_python.or_further(of_json)));
    read.map_err(|mistake| mistake.locate(text))
}

/// Reads a text as a Python literal.
///
/// Equals `ast.literal_eval` of Python 3.11 where that gives a value which [`Literal`] can hold. Refused besides:
/// sets, keys that aren't text, `\N{…}`, surrogates, hexadecimal, octal and binary integers of more than 256 digits,
/// and whatever exceeds [`MAX_BYTES`], [`MAX_DEPTH`] or [`MAX_VALUES`]; all of them also in a value that a later key replaces.
pub fn parse_python(text: &str) -> Result<Node<'_>, LiteralError> {
    let read = python::read(text).map_err(|mistake| mistake.locate(text));
    read.map(|(node, _)| node)
}

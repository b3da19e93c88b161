//! Reads the texts of Python: prefixes, quotes, escapes, and neighbours that are one text.

use std::borrow::Cow;

use super::cursor::TextCursor;
use super::error::SyntaxError;
use super::python_blanks::blanks;

/// The meaning of the letters before the quote.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Prefix {
    Plain,
    Raw,
    Bytes,
    Formatted,
}

/// The quotes of one text.
#[derive(Clone, Copy)]
struct Quotes {
    quote: u8,
    is_triple: bool,
}

/// Whether a text is next, of whatever prefix.
pub(super) fn starts_text(cursor: &TextCursor<'_>) -> bool {
    prefix(cursor).is_some()
}

/// Reads one text, or several in a row, which are one.
pub(super) fn text<'a>(cursor: &mut TextCursor<'a>) -> Result<Cow<'a, str>, SyntaxError> {
    let mut text = Cow::Borrowed("");
    while let Some((prefix, length)) = prefix(cursor) {
        match prefix {
            Prefix::Plain | Prefix::Raw => cursor.advance(length),
            Prefix::Bytes => return Err(SyntaxError::new(cursor.at(), "text", "bytes")),
            Prefix::Formatted => return Err(SyntaxError::new(cursor.at(), "text", "an f-string")),
        }
        quoted(cursor, prefix, &mut text)?;
        blanks(cursor);
    }
    Ok(text)
}

/// The prefix of the text that is next, and its length; `None` if no text is next.
fn prefix(cursor: &TextCursor<'_>) -> Option<(Prefix, usize)> {
    match cursor.peek() {
        Some(b'\'' | b'"') => Some((Prefix::Plain, 0)),
        _ => lettered_prefix(cursor),
    }
}

fn lettered_prefix(cursor: &TextCursor<'_>) -> Option<(Prefix, usize)> {
    let letter = |ahead| cursor.peek_at(ahead).map(|byte| byte.to_ascii_lowercase());
    match (letter(0), letter(1), letter(2)) {
        (Some(b'u'), Some(b'\'' | b'"'), _) => Some((Prefix::Plain, 1)),
        (Some(b'r'), Some(b'\'' | b'"'), _) => Some((Prefix::Raw, 1)),
        (Some(b'b'), Some(b'\'' | b'"'), _) => Some((Prefix::Bytes, 1)),
        (Some(b'f'), Some(b'\'' | b'"'), _) => Some((Prefix::Formatted, 1)),
        (Some(b'b'), Some(b'r'), Some(b'\'' | b'"'))
        | (Some(b'r'), Some(b'b'), Some(b'\'' | b'"')) => Some((Prefix::Bytes, 2)),
        (Some(b'f'), Some(b'r'), Some(b'\'' | b'"'))
        | (Some(b'r'), Some(b'f'), Some(b'\'' | b'"')) => Some((Prefix::Formatted, 2)),
        _ => None,
    }
}

/// Appends the text between the quotes that come next.
fn quoted<'a>(
    cursor: &mut TextCursor<'a>,
    prefix: Prefix,
    text: &mut Cow<'a, str>,
) -> Result<(), SyntaxError> {
    let quotes = opening(cursor);
    let Quotes { quote, is_triple } = quotes;
    loop {
        *text += cursor.take_plain(quote);
        match cursor.peek() {
            Some(b'\\') if prefix == Prefix::Raw => raw_backslash(cursor, text.to_mut()),
            Some(b'\\') => escape(cursor, text.to_mut())?,
            Some(b'\r' | b'\n') if is_triple => {
                cursor.take_line_end();
                text.to_mut().push('\n');
            }
            Some(byte) if byte == quote => {
                if closing(cursor, quotes) {
                    return Ok(());
                }
                text.to_mut().push(char::from(quote));
            }
            Some(b'\0') => return cursor.fail("source without NUL characters"),
            Some(byte) if byte.is_ascii_control() && !matches!(byte, b'\r' | b'\n') => {
                cursor.advance(1);
                text.to_mut().push(char::from(byte));
            }
            _ => {
                return cursor.fail(match (quote, is_triple) {
                    (b'"', false) => "a closing `\"`",
                    (b'"', true) => "a closing `\"\"\"`",
                    (_, false) => "a closing `'`",
                    (_, true) => "a closing `'''`",
                });
            }
        }
    }
}

fn opening(cursor: &mut TextCursor<'_>) -> Quotes {
    let first = cursor.peek();
    let is_triple = cursor.peek_at(1) == first && cursor.peek_at(2) == first;
    cursor.advance(if is_triple { 3 } else { 1 });
    Quotes {
        quote: first.unwrap_or_default(),
        is_triple,
    }
}

/// Passes a quote, or three if the text needs as many to end, and returns whether it has ended.
fn closing(cursor: &mut TextCursor<'_>, quotes: Quotes) -> bool {
    let quote = Some(quotes.quote);
    if !quotes.is_triple {
        cursor.advance(1);
        return true;
    }
    let is_end = cursor.peek_at(1) == quote && cursor.peek_at(2) == quote;
    cursor.advance(if is_end { 3 } else { 1 });
    is_end
}

/// Appends a backslash and what it keeps from ending the text: a quote, a backslash, the end of a line.
fn raw_backslash(cursor: &mut TextCursor<'_>, text: &mut String) {
    cursor.advance(1);
    text.push('\\');
    if cursor.take_line_end() {
        text.push('\n');
    } else if let Some(byte @ (b'\'' | b'"' | b'\\')) = cursor.peek() {
        cursor.advance(1);
        text.push(char::from(byte));
    }
}

/// What to write instead of `\N{…}`: all names of Unicode would be megabytes in every binary.
const BY_CODE: &str = r"a character by its code, such as \u2014 for \N{EM DASH}";

/// Appends what an escape stands for; of an unknown one the backslash stays.
fn escape(cursor: &mut TextCursor<'_>, text: &mut String) -> Result<(), SyntaxError> {
    let start = cursor.at();
    cursor.advance(1);
    let character = match cursor.peek() {
        Some(b'\r' | b'\n') => {
            cursor.take_line_end();
            return Ok(());
        }
        Some(b'0'..=b'7') => char::from_u32(cursor.take_digits(8, 3).0).unwrap_or_default(),
        Some(b'x') => hexadecimal(cursor, start, 2)?,
        Some(b'u') => hexadecimal(cursor, start, 4)?,
        Some(b'U') => hexadecimal(cursor, start, 8)?,
        Some(b'N') => return Err(SyntaxError::token(start, BY_CODE)),
        Some(byte) => {
            let known = simple(byte);
            cursor.advance(usize::from(known.is_some()));
            known.unwrap_or('\\')
        }
        None => '\\',
    };
    text.push(character);
    Ok(())
}

fn simple(byte: u8) -> Option<char> {
    match byte {
        b'\\' | b'\'' | b'"' => Some(char::from(byte)),
        b'a' => Some('\x07'),
        b'b' => Some('\x08'),
        b'f' => Some('\x0c'),
        b'n' => Some('\n'),
        b'r' => Some('\r'),
        b't' => Some('\t'),
        b'v' => Some('\x0b'),
        _ => None,
    }
}

/// Passes a letter and exactly this many hexadecimal digits of the escape that starts at `start`.
fn hexadecimal(
    cursor: &mut TextCursor<'_>,
    start: usize,
    length: usize,
) -> Result<char, SyntaxError> {
    cursor.advance(1);
    let (code, digits) = cursor.take_digits(16, length);
    let expected = match char::from_u32(code) {
        _ if digits < length => "more hexadecimal digits in the escape",
        Some(character) => return Ok(character),
        None if (0xD800..0xE000).contains(&code) => "a character other than a surrogate",
        None => "a character up to U+10FFFF",
    };
    Err(SyntaxError::token(start, expected))
}

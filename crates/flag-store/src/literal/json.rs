//! Reads JSON, RFC 8259.

use std::borrow::Cow;

use super::cursor::TextCursor;
use super::error::SyntaxError;
use super::grammar::{Grammar, Read, value};
use super::number::{Number, TOO_LONG};
use super::value::Literal;

/// The grammar of JSON.
struct Json;

impl Grammar for Json {
    const TAKES_LAST_COMMA: bool = false;
    const HAS_TUPLES: bool = false;

    fn blanks(cursor: &mut TextCursor<'_>) {
        cursor.take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
    }

    fn leaf<'a>(cursor: &mut TextCursor<'a>) -> Result<Literal<'a>, SyntaxError> {
        match cursor.peek() {
            Some(b'"') => text(cursor).map(Literal::Text),
            Some(b'-' | b'0'..=b'9') => number(cursor).map(Literal::Number),
            _ => constant(cursor),
        }
    }

    fn key<'a>(cursor: &mut TextCursor<'a>, _: Option<usize>) -> Result<Cow<'a, str>, SyntaxError> {
        if cursor.peek() != Some(b'"') {
            return cursor.fail("a key in double quotes");
        }
        let key = text(cursor)?;
        Self::blanks(cursor);
        if !cursor.take(b':') {
            return cursor.fail("`:`");
        }
        Self::blanks(cursor);
        Ok(key)
    }
}

/// Reads a text that is one JSON value.
pub(super) fn read(text: &str) -> Result<Read<'_>, SyntaxError> {
    let mut cursor = TextCursor::new(text)?;
    Json::blanks(&mut cursor);
    let value = value::<Json>(&mut cursor)?;
    Json::blanks(&mut cursor);
    cursor.end()?;
    Ok((value, cursor.repeated))
}

fn constant<'a>(cursor: &mut TextCursor<'a>) -> Result<Literal<'a>, SyntaxError> {
    let start = cursor.at();
    match cursor.take_while(|byte| byte.is_ascii_alphanumeric()) {
        "null" => Ok(Literal::Null),
        "true" => Ok(Literal::Boolean(true)),
        "false" => Ok(Literal::Boolean(false)),
        _ => Err(SyntaxError::token(start, "a value")),
    }
}

fn number(cursor: &mut TextCursor<'_>) -> Result<Number, SyntaxError> {
    let start = cursor.at();
    let is_negative = cursor.take(b'-');
    let digits_start = cursor.at();
    let whole = digits(cursor, start)?;
    let mut is_integer = true;
    if whole.len() > 1 && whole.starts_with('0') {
        return Err(SyntaxError::token(start, "a number without leading zeros"));
    }
    if cursor.take(b'.') {
        is_integer = false;
        digits(cursor, start)?;
    }
    if cursor.take(b'e') || cursor.take(b'E') {
        is_integer = false;
        let _ = cursor.take(b'+') || cursor.take(b'-');
        digits(cursor, start)?;
    }
    let number = if is_integer {
        Number::decimal(whole).ok_or_else(|| SyntaxError::token(start, TOO_LONG))?
    } else {
        Number::float(cursor.since(digits_start))
    };
    Ok(if is_negative {
        number.negated()
    } else {
        number
    })
}

/// Passes at least one digit of the number that starts at `start`.
fn digits<'a>(cursor: &mut TextCursor<'a>, start: usize) -> Result<&'a str, SyntaxError> {
    match cursor.take_while(|byte| byte.is_ascii_digit()) {
        "" => Err(SyntaxError::token(start, "a number")),
        digits => Ok(digits),
    }
}

fn text<'a>(cursor: &mut TextCursor<'a>) -> Result<Cow<'a, str>, SyntaxError> {
    cursor.advance(1);
    let mut text = Cow::Borrowed("");
    loop {
        text += cursor.take_plain(b'"');
        match cursor.peek() {
            Some(b'"') => {
                cursor.advance(1);
                return Ok(text);
            }
            Some(b'\\') => text.to_mut().push(escape(cursor)?),
            _ => return cursor.fail("a closing `\"`"),
        }
    }
}

fn escape(cursor: &mut TextCursor<'_>) -> Result<char, SyntaxError> {
    let start = cursor.at();
    cursor.advance(1);
    let escaped = match cursor.peek() {
        Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
        Some(b'b') => '\x08',
        Some(b'f') => '\x0c',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return utf16(cursor, start),
        _ => return Err(SyntaxError::token(start, "an escape of JSON")),
    };
    cursor.advance(1);
    Ok(escaped)
}

/// Passes one `u` and its four digits, or the two escapes of a surrogate pair.
fn utf16(cursor: &mut TextCursor<'_>, start: usize) -> Result<char, SyntaxError> {
    let first = unit(cursor, start)?;
    let is_high = matches!(first, 0xD800..0xDC00);
    let second = if is_high && cursor.peek_at(1) == Some(b'u') && cursor.take(b'\\') {
        Some(unit(cursor, start)?)
    } else {
        None
    };
    match char::decode_utf16([first].into_iter().chain(second)).next() {
        Some(Ok(character)) => Ok(character),
        _ => Err(SyntaxError::token(
            start,
            "a surrogate as half of a pair only",
        )),
    }
}

fn unit(cursor: &mut TextCursor<'_>, start: usize) -> Result<u16, SyntaxError> {
    cursor.advance(1);
    match cursor.take_digits(16, 4) {
        (unit, 4) => Ok(u16::try_from(unit).unwrap_or_default()),
        _ => Err(SyntaxError::token(start, "four hexadecimal digits")),
    }
}

//! Reads JSON, RFC 8259.

use super::Literal;
use super::cursor::Cursor;
use super::error::Mistake;
use super::number::{Number, TOO_LONG};
use super::reader::{Grammar, Reader};

/// The grammar of JSON.
pub(super) struct Json;

impl Grammar for Json {
    const TAKES_LAST_COMMA: bool = false;
    const HAS_TUPLES: bool = false;
    const GOES_FIRST: bool = true;

    #[inline]
    fn blanks(cursor: &mut Cursor<'_>) {
        while matches!(cursor.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            cursor.advance(1);
        }
    }

    #[inline]
    fn leaf(reader: &mut Reader<'_>) -> Result<(), Mistake> {
        match reader.cursor.peek() {
            Some(b'"') => {
                let text = text(reader)?;
                reader.stack.keep(Literal::Text(text));
            }
            Some(b'-' | b'0'..=b'9') => match reader.cursor.take_short_integer() {
                Some(integer) => reader.stack.keep(Literal::Number(integer.into())),
                None => number(reader)?,
            },
            _ => constant(reader)?,
        }
        Ok(())
    }

    #[inline]
    fn key<'a>(reader: &mut Reader<'a>) -> Result<&'a str, Mistake> {
        if reader.cursor.peek() != Some(b'"') {
            return reader.cursor.fail("a key in double quotes");
        }
        let key = text(reader)?;
        Self::blanks(&mut reader.cursor);
        if !reader.cursor.take(b':') {
            return reader.cursor.fail("`:`");
        }
        Self::blanks(&mut reader.cursor);
        Ok(key)
    }
}

/// Reads a text that is one JSON value.
pub(super) fn read<'a>(reader: &mut Reader<'a>) -> Result<Literal<'a>, Mistake> {
    Json::blanks(&mut reader.cursor);
    let value = reader.value::<Json>()?;
    Json::blanks(&mut reader.cursor);
    reader.cursor.end()?;
    Ok(value)
}

fn constant(reader: &mut Reader<'_>) -> Result<(), Mistake> {
    let cursor = &mut reader.cursor;
    let start = cursor.at();
    let constant = match cursor.take_while(|byte| byte.is_ascii_alphanumeric()) {
        "null" => Literal::Null,
        "true" => Literal::Boolean(true),
        "false" => Literal::Boolean(false),
        _ => return cursor.fail_at(start, "a value"),
    };
    cursor.passed_json_token(start);
    reader.stack.keep(constant);
    Ok(())
}

/// Reads a number of whatever spelling.
#[inline(never)]
fn number(reader: &mut Reader<'_>) -> Result<(), Mistake> {
    let Reader { cursor, arena, .. } = reader;
    let start = cursor.at();
    let is_negative = cursor.take(b'-');
    let digits_start = cursor.at();
    let whole = digits(cursor, start)?;
    let mut is_integer = true;
    if whole.len() > 1 && whole.starts_with('0') {
        return cursor.fail_at(start, "a number without leading zeros");
    }
    if cursor.take(b'.') {
        is_integer = false;
        digits(cursor, start)?;
    }
    if matches!(cursor.peek(), Some(b'e' | b'E')) {
        is_integer = false;
        cursor.advance(1);
        let has_sign = matches!(cursor.peek(), Some(b'+' | b'-'));
        cursor.advance(usize::from(has_sign));
        digits(cursor, start)?;
    }
    let number = if is_integer {
        Number::decimal(whole, arena)
    } else {
        Some(Number::float(cursor.since(digits_start)))
    };
    let number = match number {
        Some(number) if is_negative => number.negated(arena),
        Some(number) => number,
        None => return cursor.fail_at(start, TOO_LONG),
    };
    reader.stack.keep(Literal::Number(number));
    Ok(())
}

/// Passes at least one digit of the number that starts at `start`.
fn digits<'a>(cursor: &mut Cursor<'a>, start: usize) -> Result<&'a str, Mistake> {
    match cursor.take_while(|byte| byte.is_ascii_digit()) {
        "" => cursor.fail_at(start, "a number"),
        digits => Ok(digits),
    }
}

#[inline]
fn text<'a>(reader: &mut Reader<'a>) -> Result<&'a str, Mistake> {
    reader.cursor.advance(1);
    let text = reader.cursor.take_plain(b'"');
    if reader.cursor.take(b'"') {
        return Ok(text);
    }
    rest_of_text(reader, text)
}

/// Reads what follows the first plain characters of a text.
#[inline(never)]
fn rest_of_text<'a>(reader: &mut Reader<'a>, first: &str) -> Result<&'a str, Mistake> {
    let Reader {
        cursor,
        arena,
        scratch: text,
        ..
    } = reader;
    text.clear();
    text.push_str(first);
    loop {
        match cursor.peek() {
            Some(b'"') => {
                cursor.advance(1);
                return Ok(arena.text(text));
            }
            Some(b'\\') => text.push(escape(cursor)?),
            _ => return cursor.fail("a closing `\"`"),
        }
        let plain = cursor.take_plain(b'"');
        if !plain.is_empty() {
            text.push_str(plain);
        }
    }
}

fn escape(cursor: &mut Cursor<'_>) -> Result<char, Mistake> {
    let start = cursor.at();
    cursor.advance(1);
    let escaped = match cursor.peek() {
        Some(byte @ (b'"' | b'\\')) => char::from(byte),
        Some(b'/') => {
            // Python keeps the backslash.
            cursor.passed_ambiguity();
            '/'
        }
        Some(b'b') => '\x08',
        Some(b'f') => '\x0c',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return utf16(cursor, start),
        _ => return cursor.fail_at(start, "an escape of JSON"),
    };
    cursor.advance(1);
    Ok(escaped)
}

/// Passes one `u` and its four digits, or the two escapes of a surrogate pair.
fn utf16(cursor: &mut Cursor<'_>, start: usize) -> Result<char, Mistake> {
    let first = unit(cursor, start)?;
    let is_high = matches!(first, 0xD800..0xDC00);
    let second = if is_high && cursor.peek_at(1) == Some(b'u') && cursor.take(b'\\') {
        Some(unit(cursor, start)?)
    } else {
        None
    };
    match char::decode_utf16([first].into_iter().chain(second)).next() {
        Some(Ok(character)) => {
            if is_high {
                cursor.passed_json_token(start);
            }
            Ok(character)
        }
        _ => cursor.fail_at(start, "a surrogate as half of a pair only"),
    }
}

fn unit(cursor: &mut Cursor<'_>, start: usize) -> Result<u16, Mistake> {
    cursor.advance(1);
    let digits_start = cursor.at();
    while cursor.at() < digits_start + 4
        && cursor.peek().is_some_and(|byte| byte.is_ascii_hexdigit())
    {
        cursor.advance(1);
    }
    match cursor.since(digits_start) {
        digits if digits.len() == 4 => Ok(u16::from_str_radix(digits, 16).unwrap_or_default()),
        _ => cursor.fail_at(start, "four hexadecimal digits"),
    }
}

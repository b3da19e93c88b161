//! Reads JSON, RFC 8259.

use super::cursor::Cursor;
use super::error::Mistake;
use super::number::{Number, TOO_LONG};
use super::{Literal, dict};

/// Reads a text that is one JSON value.
pub(super) fn read(text: &str) -> Result<Literal, Mistake> {
    let mut cursor = Cursor::new(text)?;
    blanks(&mut cursor);
    let value = value(&mut cursor)?;
    blanks(&mut cursor);
    cursor.end()?;
    Ok(value)
}

fn blanks(cursor: &mut Cursor<'_>) {
    cursor.take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
}

fn value(cursor: &mut Cursor<'_>) -> Result<Literal, Mistake> {
    cursor.begin_value()?;
    match cursor.peek() {
        Some(b'[') => list(cursor),
        Some(b'{') => object(cursor),
        Some(b'"') => text(cursor).map(Literal::Text),
        Some(b'-' | b'0'..=b'9') => number(cursor).map(Literal::Number),
        _ => constant(cursor),
    }
}

fn constant(cursor: &mut Cursor<'_>) -> Result<Literal, Mistake> {
    let start = cursor.at();
    match cursor.take_while(|byte| byte.is_ascii_alphanumeric()) {
        "null" => Ok(Literal::Null),
        "true" => Ok(Literal::Boolean(true)),
        "false" => Ok(Literal::Boolean(false)),
        _ => cursor.fail_at(start, "a value"),
    }
}

fn list(cursor: &mut Cursor<'_>) -> Result<Literal, Mistake> {
    let mut items = Vec::new();
    cursor.open()?;
    blanks(cursor);
    if cursor.peek() != Some(b']') {
        loop {
            items.push(value(cursor)?);
            blanks(cursor);
            if !cursor.take(b',') {
                break;
            }
            blanks(cursor);
        }
    }
    cursor.close(b']', "`,` or `]`")?;
    Ok(Literal::List(items))
}

fn object(cursor: &mut Cursor<'_>) -> Result<Literal, Mistake> {
    let mut entries = Vec::new();
    cursor.open()?;
    blanks(cursor);
    if cursor.peek() != Some(b'}') {
        loop {
            entries.push(entry(cursor)?);
            blanks(cursor);
            if !cursor.take(b',') {
                break;
            }
            blanks(cursor);
        }
    }
    cursor.close(b'}', "`,` or `}`")?;
    Ok(dict(entries))
}

fn entry(cursor: &mut Cursor<'_>) -> Result<(String, Literal), Mistake> {
    if cursor.peek() != Some(b'"') {
        return cursor.fail("a key in double quotes");
    }
    let key = text(cursor)?;
    blanks(cursor);
    if !cursor.take(b':') {
        return cursor.fail("`:`");
    }
    blanks(cursor);
    Ok((key, value(cursor)?))
}

fn number(cursor: &mut Cursor<'_>) -> Result<Number, Mistake> {
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
        Number::decimal(whole)
    } else {
        Some(Number::float(cursor.since(digits_start)))
    };
    match number {
        Some(number) if is_negative => Ok(number.negated()),
        Some(number) => Ok(number),
        None => cursor.fail_at(start, TOO_LONG),
    }
}

/// Passes at least one digit of the number that starts at `start`.
fn digits<'a>(cursor: &mut Cursor<'a>, start: usize) -> Result<&'a str, Mistake> {
    match cursor.take_while(|byte| byte.is_ascii_digit()) {
        "" => cursor.fail_at(start, "a number"),
        digits => Ok(digits),
    }
}

fn text(cursor: &mut Cursor<'_>) -> Result<String, Mistake> {
    let mut text = String::new();
    cursor.advance(1);
    loop {
        text.push_str(cursor.take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..0x20)));
        match cursor.peek() {
            Some(b'"') => {
                cursor.advance(1);
                return Ok(text);
            }
            Some(b'\\') => text.push(escape(cursor)?),
            _ => return cursor.fail("a closing `\"`"),
        }
    }
}

fn escape(cursor: &mut Cursor<'_>) -> Result<char, Mistake> {
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
        _ => return cursor.fail_at(start, "an escape of JSON"),
    };
    cursor.advance(1);
    Ok(escaped)
}

/// Passes one `u` and its four digits, or the two escapes of a surrogate pair.
fn utf16(cursor: &mut Cursor<'_>, start: usize) -> Result<char, Mistake> {
    let first = unit(cursor, start)?;
    let mut units = vec![first];
    if matches!(first, 0xD800..0xDC00) && cursor.peek_at(1) == Some(b'u') && cursor.take(b'\\') {
        units.push(unit(cursor, start)?);
    }
    match char::decode_utf16(units).next() {
        Some(Ok(character)) => Ok(character),
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

//! Reads JSON, RFC 8259.

use super::cursor::Cursor;
use super::error::Mistake;
use super::number::{Number, TOO_LONG};
use super::{Literal, dict, starting_with};

/// Reads a text that is one JSON value.
pub(super) fn read(text: &str) -> Result<Literal, Mistake> {
    let mut cursor = Cursor::new(text)?;
    blanks(&mut cursor);
    let mut literal = Literal::Null;
    value(&mut cursor, &mut literal)?;
    blanks(&mut cursor);
    cursor.end()?;
    Ok(literal)
}

fn blanks(cursor: &mut Cursor<'_>) {
    while matches!(cursor.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
        cursor.advance(1);
    }
}

/// Reads a value into its place, since moving it there costs more than reading it; see `benches/literal.rs`.
fn value(cursor: &mut Cursor<'_>, place: &mut Literal) -> Result<(), Mistake> {
    cursor.begin_value()?;
    match cursor.peek() {
        Some(b'[') => *place = list(cursor)?,
        Some(b'{') => *place = object(cursor)?,
        Some(b'"') => *place = Literal::Text(text(cursor)?),
        Some(b'-' | b'0'..=b'9') => *place = Literal::Number(number(cursor)?),
        _ => *place = constant(cursor)?,
    }
    Ok(())
}

fn constant(cursor: &mut Cursor<'_>) -> Result<Literal, Mistake> {
    let start = cursor.at();
    let constant = match cursor.take_while(|byte| byte.is_ascii_alphanumeric()) {
        "null" => Literal::Null,
        "true" => Literal::Boolean(true),
        "false" => Literal::Boolean(false),
        _ => return cursor.fail_at(start, "a value"),
    };
    cursor.passed_own_token(start);
    Ok(constant)
}

fn list(cursor: &mut Cursor<'_>) -> Result<Literal, Mistake> {
    let mut items = Vec::new();
    cursor.open()?;
    blanks(cursor);
    if cursor.peek() != Some(b']') {
        let mut first = Literal::Null;
        value(cursor, &mut first)?;
        blanks(cursor);
        items = starting_with(first, cursor);
        while cursor.take(b',') {
            blanks(cursor);
            value(cursor, items.push_mut(Literal::Null))?;
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
        let mut first = (key(cursor)?, Literal::Null);
        value(cursor, &mut first.1)?;
        blanks(cursor);
        entries = starting_with(first, cursor);
        while cursor.take(b',') {
            blanks(cursor);
            let next = entries.push_mut((key(cursor)?, Literal::Null));
            value(cursor, &mut next.1)?;
            blanks(cursor);
        }
    }
    cursor.close(b'}', "`,` or `}`")?;
    Ok(dict(entries))
}

/// Passes a key and its colon.
#[inline]
fn key(cursor: &mut Cursor<'_>) -> Result<String, Mistake> {
    if cursor.peek() != Some(b'"') {
        return cursor.fail("a key in double quotes");
    }
    let key = text(cursor)?;
    blanks(cursor);
    if !cursor.take(b':') {
        return cursor.fail("`:`");
    }
    blanks(cursor);
    Ok(key)
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

#[inline]
fn text(cursor: &mut Cursor<'_>) -> Result<String, Mistake> {
    cursor.advance(1);
    let text = cursor.take_plain(b'"').to_owned();
    if cursor.take(b'"') {
        return Ok(text);
    }
    rest_of_text(cursor, text)
}

/// Reads what follows the first plain characters of a text.
#[inline(never)]
fn rest_of_text(cursor: &mut Cursor<'_>, mut text: String) -> Result<String, Mistake> {
    loop {
        match cursor.peek() {
            Some(b'"') => {
                cursor.advance(1);
                return Ok(text);
            }
            Some(b'\\') => text.push(escape(cursor)?),
            _ => return cursor.fail("a closing `\"`"),
        }
        text.push_str(cursor.take_plain(b'"'));
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
    let is_high = matches!(first, 0xD800..0xDC00);
    let second = if is_high && cursor.peek_at(1) == Some(b'u') && cursor.take(b'\\') {
        Some(unit(cursor, start)?)
    } else {
        None
    };
    match char::decode_utf16([first].into_iter().chain(second)).next() {
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

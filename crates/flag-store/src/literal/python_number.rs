//! Reads the numbers of Python, which may hold underscores.

use super::cursor::Cursor;
use super::error::Mistake;
use super::number::{Number, TOO_LONG, TOO_LONG_WITH_RADIX};

/// Whether a byte continues a name or a number.
pub(super) fn is_in_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}

/// Reads an integer or a float without a sign.
pub(super) fn number(cursor: &mut Cursor<'_>) -> Result<Number, Mistake> {
    let start = cursor.at();
    let number = match (cursor.peek(), cursor.peek_at(1)) {
        (Some(b'0'), Some(b'x' | b'X')) => integer_with_radix(cursor, 16),
        (Some(b'0'), Some(b'o' | b'O')) => integer_with_radix(cursor, 8),
        (Some(b'0'), Some(b'b' | b'B')) => integer_with_radix(cursor, 2),
        _ => decimal(cursor),
    }?;
    match cursor.peek() {
        Some(b'j' | b'J') => cursor.fail_at(start, "a real number"),
        Some(byte) if is_in_word(byte) => cursor.fail_at(start, "a number"),
        _ => Ok(number),
    }
}

fn integer_with_radix(cursor: &mut Cursor<'_>, radix: u32) -> Result<Number, Mistake> {
    let start = cursor.at();
    cursor.advance(2);
    let digits_start = cursor.at();
    cursor.take(b'_');
    digits(cursor, start, radix)?;
    match Number::with_radix(cursor.since(digits_start), radix) {
        Some(number) => Ok(number),
        None => cursor.fail_at(start, TOO_LONG_WITH_RADIX),
    }
}

fn decimal(cursor: &mut Cursor<'_>) -> Result<Number, Mistake> {
    let start = cursor.at();
    if cursor.peek() != Some(b'.') {
        digits(cursor, start, 10)?;
    }
    let whole = cursor.since(start);
    let has_point = cursor.take(b'.');
    if has_point && (whole.is_empty() || cursor.peek().is_some_and(|byte| byte.is_ascii_digit())) {
        digits(cursor, start, 10)?;
    }
    let has_exponent = cursor.take(b'e') || cursor.take(b'E');
    if has_exponent {
        let has_sign = matches!(cursor.peek(), Some(b'+' | b'-'));
        cursor.advance(usize::from(has_sign));
        digits(cursor, start, 10)?;
    }
    if has_point || has_exponent {
        return Ok(Number::float(cursor.since(start)));
    }
    match Number::decimal(whole) {
        Some(number) if whole.starts_with('0') && !number.is_zero() => {
            cursor.fail_at(start, "a number without leading zeros")
        }
        Some(number) => Ok(number),
        None => cursor.fail_at(start, TOO_LONG),
    }
}

/// Passes digits, with single underscores between them, of the number that starts at `start`.
fn digits(cursor: &mut Cursor<'_>, start: usize, radix: u32) -> Result<(), Mistake> {
    loop {
        let group = cursor.take_while(|byte| char::from(byte).is_digit(radix));
        if group.is_empty() {
            return cursor.fail_at(start, "a number");
        }
        if !cursor.take(b'_') {
            return Ok(());
        }
    }
}

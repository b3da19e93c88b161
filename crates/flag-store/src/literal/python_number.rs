//! Reads the numbers of Python, which may hold underscores.

use super::cursor::{Cursor, is_in_word};
use super::error::Mistake;
use super::number::{Number, TOO_LONG, TOO_LONG_WITH_RADIX};
use super::reader::Reader;

/// Reads an integer or a float without a sign.
pub(super) fn number<'a>(reader: &mut Reader<'a>) -> Result<Number<'a>, Mistake> {
    let start = reader.cursor.at();
    let number = match reader.cursor.rest() {
        [b'0', b'x' | b'X', ..] => integer_with_radix(reader, 16),
        [b'0', b'o' | b'O', ..] => integer_with_radix(reader, 8),
        [b'0', b'b' | b'B', ..] => integer_with_radix(reader, 2),
        _ => decimal(reader),
    }?;
    match reader.cursor.peek() {
        Some(b'j' | b'J') => reader.cursor.fail_at(start, "a real number"),
        Some(byte) if is_in_word(byte) => reader.cursor.fail_at(start, "a number"),
        _ => Ok(number),
    }
}

fn integer_with_radix<'a>(reader: &mut Reader<'a>, radix: u32) -> Result<Number<'a>, Mistake> {
    let Reader { cursor, arena, .. } = reader;
    let start = cursor.at();
    cursor.advance(2);
    let digits_start = cursor.at();
    cursor.take(b'_');
    digits(cursor, start, |&byte| char::from(byte).is_digit(radix))?;
    match Number::with_radix(cursor.since(digits_start), radix, arena) {
        Some(number) => Ok(number),
        None => cursor.fail_at(start, TOO_LONG_WITH_RADIX),
    }
}

fn decimal<'a>(reader: &mut Reader<'a>) -> Result<Number<'a>, Mistake> {
    let Reader { cursor, arena, .. } = reader;
    let start = cursor.at();
    if cursor.peek() != Some(b'.') {
        digits(cursor, start, u8::is_ascii_digit)?;
    }
    let whole = cursor.since(start);
    let has_point = cursor.take(b'.');
    if has_point && (whole.is_empty() || cursor.peek().is_some_and(|byte| byte.is_ascii_digit())) {
        digits(cursor, start, u8::is_ascii_digit)?;
    }
    let has_exponent = cursor.take(b'e') || cursor.take(b'E');
    if has_exponent {
        let has_sign = matches!(cursor.peek(), Some(b'+' | b'-'));
        cursor.advance(usize::from(has_sign));
        digits(cursor, start, u8::is_ascii_digit)?;
    }
    if has_point || has_exponent {
        return Ok(Number::float(cursor.since(start)));
    }
    match Number::decimal(whole, arena) {
        Some(number) if whole.starts_with('0') && !number.is_zero() => {
            cursor.fail_at(start, "a number without leading zeros")
        }
        Some(number) => Ok(number),
        None => cursor.fail_at(start, TOO_LONG),
    }
}

/// Passes digits, with single underscores between them, of the number that starts at `start`.
#[inline]
fn digits(
    cursor: &mut Cursor<'_>,
    start: usize,
    is_digit: impl Fn(&u8) -> bool,
) -> Result<(), Mistake> {
    let mut length = 0;
    let mut ends_with_digit = false;
    for byte in cursor.rest() {
        if is_digit(byte) {
            ends_with_digit = true;
        } else if *byte == b'_' && ends_with_digit {
            ends_with_digit = false;
        } else {
            break;
        }
        length += 1;
    }
    cursor.advance(length);
    if ends_with_digit {
        Ok(())
    } else {
        cursor.fail_at(start, "a number")
    }
}

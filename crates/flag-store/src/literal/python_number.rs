//! Reads the numbers of Python, which may hold underscores.

use super::cursor::{TextCursor, is_in_word};
use super::error::SyntaxError;
use super::number::{Number, TOO_LONG, TOO_LONG_WITH_RADIX};
use super::python_blanks::blanks;

/// Reads a number with at most one sign, that is not part of a sum, which would be a complex number.
pub(super) fn number(cursor: &mut TextCursor<'_>) -> Result<Number, SyntaxError> {
    let number = if cursor.take(b'-') {
        signed(cursor)?.negated()
    } else if cursor.take(b'+') {
        signed(cursor)?
    } else {
        unsigned(cursor)?
    };
    blanks(cursor);
    match cursor.peek() {
        Some(b'+' | b'-') => cursor.fail("a single real number"),
        _ => Ok(number),
    }
}

/// Reads what a sign stands before: a number, perhaps in parentheses.
fn signed(cursor: &mut TextCursor<'_>) -> Result<Number, SyntaxError> {
    blanks(cursor);
    match cursor.peek() {
        Some(b'(') => {
            cursor.open()?;
            let number = signed(cursor)?;
            blanks(cursor);
            cursor.close(b')', "`)`")?;
            Ok(number)
        }
        Some(b'.' | b'0'..=b'9') => unsigned(cursor),
        _ => cursor.fail("a number after the sign"),
    }
}

/// Reads an integer or a float without a sign.
fn unsigned(cursor: &mut TextCursor<'_>) -> Result<Number, SyntaxError> {
    let start = cursor.at();
    let number = match cursor.rest() {
        [b'0', b'x' | b'X', ..] => with_radix(cursor, 16),
        [b'0', b'o' | b'O', ..] => with_radix(cursor, 8),
        [b'0', b'b' | b'B', ..] => with_radix(cursor, 2),
        _ => decimal(cursor),
    }?;
    match cursor.peek() {
        Some(b'j' | b'J') => Err(SyntaxError::token(start, "a real number")),
        Some(byte) if is_in_word(byte) => Err(SyntaxError::token(start, "a number")),
        _ => Ok(number),
    }
}

fn with_radix(cursor: &mut TextCursor<'_>, radix: u32) -> Result<Number, SyntaxError> {
    let start = cursor.at();
    cursor.advance(2);
    let digits_start = cursor.at();
    cursor.take(b'_');
    digits(cursor, start, radix)?;
    let number = Number::with_radix(cursor.since(digits_start), radix);
    number.ok_or_else(|| SyntaxError::token(start, TOO_LONG_WITH_RADIX))
}

fn decimal(cursor: &mut TextCursor<'_>) -> Result<Number, SyntaxError> {
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
        let _ = cursor.take(b'+') || cursor.take(b'-');
        digits(cursor, start, 10)?;
    }
    if has_point || has_exponent {
        return Ok(Number::float(cursor.since(start)));
    }
    match Number::decimal(whole) {
        Some(number) if whole.starts_with('0') && !number.is_zero() => {
            Err(SyntaxError::token(start, "a number without leading zeros"))
        }
        Some(number) => Ok(number),
        None => Err(SyntaxError::token(start, TOO_LONG)),
    }
}

/// Passes digits, with single underscores between them, of the number that starts at `start`.
fn digits(cursor: &mut TextCursor<'_>, start: usize, radix: u32) -> Result<(), SyntaxError> {
    loop {
        if cursor
            .take_while(|byte| char::from(byte).is_digit(radix))
            .is_empty()
        {
            return Err(SyntaxError::token(start, "a number"));
        }
        if !cursor.take(b'_') {
            return Ok(());
        }
    }
}

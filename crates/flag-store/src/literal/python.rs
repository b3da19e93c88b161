//! Reads Python literals as `ast.literal_eval` does, where they are plain values.

use super::Literal;
use super::cursor::{Cursor, is_in_word};
use super::error::Mistake;
use super::number::Number;
use super::python_number::number;
use super::python_text::{starts_text, text};
use super::reader::{Grammar, Reader};

/// The grammar of Python.
pub(super) struct Python;

impl Grammar for Python {
    const TAKES_LAST_COMMA: bool = true;
    const HAS_TUPLES: bool = true;
    const GOES_FIRST: bool = false;

    #[inline]
    fn blanks(cursor: &mut Cursor<'_>) {
        blanks(cursor);
    }

    #[inline]
    fn leaf(reader: &mut Reader<'_>) -> Result<(), Mistake> {
        match reader.cursor.peek() {
            Some(b'\'' | b'"') => {
                let text = text(reader)?;
                reader.stack.keep(Literal::Text(text));
            }
            Some(b'+' | b'-' | b'.' | b'0'..=b'9') => {
                match reader.cursor.take_short_integer() {
                    Some(integer) => reader.stack.keep(Literal::Number(integer.into())),
                    None => signed_number(reader)?,
                }
                return single_number(&mut reader.cursor);
            }
            _ if starts_text(&reader.cursor) => {
                let text = text(reader)?;
                reader.stack.keep(Literal::Text(text));
            }
            _ => constant(reader)?,
        }
        Ok(())
    }

    #[inline]
    fn key<'a>(reader: &mut Reader<'a>) -> Result<&'a str, Mistake> {
        // Without a colon, the first one may begin a set.
        let set = (reader.stack.values() == 0).then(|| reader.stack.bracket_at());
        let start = reader.cursor.at();
        let key = if starts_text(&reader.cursor) {
            Literal::Text(text(reader)?)
        } else {
            reader.value_as_key::<Self>()?
        };
        blanks(&mut reader.cursor);
        match (set, reader.cursor.peek()) {
            (_, Some(b':')) => reader.cursor.advance(1),
            (Some(at), Some(b',' | b'}')) => {
                let found = "a set, which has no order";
                return Err(Mistake::new(at, "a dict or a list", found));
            }
            _ => return reader.cursor.fail("`:`"),
        }
        let Literal::Text(key) = key else {
            return reader.cursor.fail_at(start, "text as the key");
        };
        blanks(&mut reader.cursor);
        Ok(key)
    }
}

/// Passes what may stand before the value.
pub(super) fn start(cursor: &mut Cursor<'_>) -> Result<(), Mistake> {
    cursor.take_while(|byte| matches!(byte, b' ' | b'\t'));
    empty_lines(cursor)
}

/// Reads the rest of a text that is one Python literal: a value, or a tuple that goes without brackets.
pub(super) fn read_on<'a>(reader: &mut Reader<'a>) -> Result<Literal<'a>, Mistake> {
    let mut value = reader.value::<Python>()?;
    blanks(&mut reader.cursor);
    if reader.cursor.peek() == Some(b',') {
        value = reader.bare_tuple::<Python>()?;
    }
    let cursor = &mut reader.cursor;
    blanks(cursor);
    if cursor.take_line_end() {
        empty_lines(cursor)?;
    }
    cursor.end()?;
    Ok(value)
}

/// Passes lines that hold blanks and comments only, and makes sure that the next one isn't indented.
fn empty_lines(cursor: &mut Cursor<'_>) -> Result<(), Mistake> {
    loop {
        let is_indented = indentation(cursor);
        let has_comment = cursor.peek() == Some(b'#');
        if has_comment {
            comment(cursor);
        }
        match (cursor.take_line_end(), cursor.peek()) {
            (true, _) => {}
            (false, None) if has_comment => return Ok(()),
            (false, _) if is_indented => return cursor.fail("a line without indentation"),
            (false, _) => return Ok(()),
        }
    }
}

/// Passes the blanks at the start of a line, and tells whether they indent it.
///
/// A form feed starts the count again; what stands before a backslash counts for the lines that it joins.
fn indentation(cursor: &mut Cursor<'_>) -> bool {
    let mut is_indented = false;
    let mut was_indented = false;
    loop {
        match cursor.peek() {
            Some(b' ' | b'\t') => is_indented = true,
            Some(b'\x0c') => is_indented = false,
            Some(b'\\') if joined_line(cursor) => {
                was_indented |= is_indented;
                continue;
            }
            _ => return is_indented || was_indented,
        }
        cursor.advance(1);
    }
}

/// Passes what may stand between two tokens: ends of lines only between brackets.
#[inline]
pub(super) fn blanks(cursor: &mut Cursor<'_>) {
    cursor.take(b' ');
    if cursor
        .peek()
        .is_some_and(|byte| byte <= b' ' || matches!(byte, b'#' | b'\\'))
    {
        more_blanks(cursor);
    }
}

#[inline(never)]
fn more_blanks(cursor: &mut Cursor<'_>) {
    loop {
        match cursor.peek() {
            Some(b' ' | b'\t' | b'\x0c') => cursor.advance(1),
            Some(b'\n' | b'\r') if cursor.is_nested() => cursor.advance(1),
            Some(b'#') => comment(cursor),
            Some(b'\\') if joined_line(cursor) => {}
            _ => return,
        }
    }
}

/// Passes a comment; a NUL, which Python has nowhere in its source, ends it, so that it is refused.
fn comment(cursor: &mut Cursor<'_>) {
    cursor.take_while(|byte| !matches!(byte, b'\n' | b'\r' | b'\0'));
}

/// Passes a backslash and the end of its line, unless that ends the text.
fn joined_line(cursor: &mut Cursor<'_>) -> bool {
    let line_end = cursor.line_end_at(1);
    let is_joined = line_end > 0 && cursor.peek_at(1 + line_end).is_some();
    if is_joined {
        cursor.advance(1 + line_end);
    }
    is_joined
}

fn constant(reader: &mut Reader<'_>) -> Result<(), Mistake> {
    let cursor = &mut reader.cursor;
    let start = cursor.at();
    let constant = match cursor.take_while(is_in_word) {
        "None" => Literal::Null,
        "True" => Literal::Boolean(true),
        "False" => Literal::Boolean(false),
        _ => return cursor.fail_at(start, "a value"),
    };
    reader.stack.keep(constant);
    Ok(())
}

/// Makes sure that a number is not part of a sum, which would be a complex number.
#[inline]
fn single_number(cursor: &mut Cursor<'_>) -> Result<(), Mistake> {
    if let Some(b',' | b']' | b'}' | b')') = cursor.peek() {
        return Ok(());
    }
    blanks(cursor);
    match cursor.peek() {
        Some(b'+' | b'-') => cursor.fail("a single real number"),
        _ => Ok(()),
    }
}

/// Reads a number with at most one sign, of whatever spelling.
#[inline(never)]
fn signed_number(reader: &mut Reader<'_>) -> Result<(), Mistake> {
    let number = match reader.cursor.peek() {
        Some(b'-') => {
            reader.cursor.advance(1);
            unsigned_number(reader)?.negated(reader.arena)
        }
        Some(b'+') => {
            reader.cursor.advance(1);
            unsigned_number(reader)?
        }
        _ => number(reader)?,
    };
    reader.stack.keep(Literal::Number(number));
    Ok(())
}

/// Reads what a sign stands before: a number, perhaps in parentheses.
fn unsigned_number<'a>(reader: &mut Reader<'a>) -> Result<Number<'a>, Mistake> {
    blanks(&mut reader.cursor);
    match reader.cursor.peek() {
        Some(b'(') => {
            reader.cursor.open()?;
            let number = unsigned_number(reader)?;
            blanks(&mut reader.cursor);
            reader.cursor.close(b')', "`)`")?;
            Ok(number)
        }
        Some(b'.' | b'0'..=b'9') => number(reader),
        _ => reader.cursor.fail("a number after the sign"),
    }
}

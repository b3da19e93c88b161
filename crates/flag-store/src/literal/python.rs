//! Reads Python literals as `ast.literal_eval` does, where they are plain values.

use super::cursor::Cursor;
use super::error::Mistake;
use super::number::Number;
use super::python_number::{is_in_word, number};
use super::python_text::{starts_text, text};
use super::{Literal, dict};

/// Reads a text that is one Python literal.
pub(super) fn read(source: &str) -> Result<Literal, Mistake> {
    let mut cursor = Cursor::new(source)?;
    if let Some(at) = source.find('\0') {
        return cursor.fail_at(at, "source without NUL characters");
    }
    cursor.take_while(|byte| matches!(byte, b' ' | b'\t'));
    empty_lines(&mut cursor)?;
    let value = value_or_bare_tuple(&mut cursor)?;
    blanks(&mut cursor);
    if cursor.take_line_end() {
        empty_lines(&mut cursor)?;
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
pub(super) fn blanks(cursor: &mut Cursor<'_>) {
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

fn comment(cursor: &mut Cursor<'_>) {
    cursor.take_while(|byte| !matches!(byte, b'\n' | b'\r'));
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

/// Reads what may stand outside brackets: a value, or a tuple that goes without them.
fn value_or_bare_tuple(cursor: &mut Cursor<'_>) -> Result<Literal, Mistake> {
    let first = value(cursor)?;
    blanks(cursor);
    if cursor.peek() != Some(b',') {
        return Ok(first);
    }
    let mut items = vec![first];
    while cursor.take(b',') {
        blanks(cursor);
        if matches!(cursor.peek(), None | Some(b'\n' | b'\r')) {
            break;
        }
        items.push(value(cursor)?);
        blanks(cursor);
    }
    Ok(Literal::List(items))
}

fn value(cursor: &mut Cursor<'_>) -> Result<Literal, Mistake> {
    cursor.begin_value()?;
    match cursor.peek() {
        Some(b'[') => list(cursor),
        Some(b'(') => parentheses(cursor),
        Some(b'{') => braces(cursor),
        Some(b'+' | b'-' | b'.' | b'0'..=b'9') => single_number(cursor).map(Literal::Number),
        _ if starts_text(cursor) => text(cursor).map(Literal::Text),
        _ => constant(cursor),
    }
}

fn constant(cursor: &mut Cursor<'_>) -> Result<Literal, Mistake> {
    let start = cursor.at();
    match cursor.take_while(is_in_word) {
        "None" => Ok(Literal::Null),
        "True" => Ok(Literal::Boolean(true)),
        "False" => Ok(Literal::Boolean(false)),
        _ => cursor.fail_at(start, "a value"),
    }
}

fn list(cursor: &mut Cursor<'_>) -> Result<Literal, Mistake> {
    let mut items = Vec::new();
    cursor.open()?;
    blanks(cursor);
    while cursor.peek() != Some(b']') {
        items.push(value(cursor)?);
        blanks(cursor);
        if !cursor.take(b',') {
            break;
        }
        blanks(cursor);
    }
    cursor.close(b']', "`,` or `]`")?;
    Ok(Literal::List(items))
}

/// Reads a tuple, or a value in parentheses.
fn parentheses(cursor: &mut Cursor<'_>) -> Result<Literal, Mistake> {
    let mut items = Vec::new();
    cursor.open()?;
    blanks(cursor);
    while cursor.peek() != Some(b')') {
        let item = value(cursor)?;
        blanks(cursor);
        if items.is_empty() && cursor.peek() == Some(b')') {
            cursor.close(b')', "`)`")?;
            return Ok(item);
        }
        items.push(item);
        if !cursor.take(b',') {
            break;
        }
        blanks(cursor);
    }
    cursor.close(b')', "`,` or `)`")?;
    Ok(Literal::List(items))
}

/// Reads a dict; a set is refused.
fn braces(cursor: &mut Cursor<'_>) -> Result<Literal, Mistake> {
    let start = cursor.at();
    let mut entries = Vec::new();
    cursor.open()?;
    blanks(cursor);
    while cursor.peek() != Some(b'}') {
        let key_start = cursor.at();
        let key = value(cursor)?;
        blanks(cursor);
        if entries.is_empty() && matches!(cursor.peek(), Some(b',' | b'}')) {
            let found = "a set, which has no order";
            return Err(Mistake::new(start, "a dict or a list", found));
        }
        if !cursor.take(b':') {
            return cursor.fail("`:`");
        }
        let Literal::Text(key) = key else {
            return cursor.fail_at(key_start, "text as the key");
        };
        blanks(cursor);
        entries.push((key, value(cursor)?));
        blanks(cursor);
        if !cursor.take(b',') {
            break;
        }
        blanks(cursor);
    }
    cursor.close(b'}', "`,` or `}`")?;
    Ok(dict(entries))
}

/// Reads a number with at most one sign that is not part of a sum, which would be a complex number.
fn single_number(cursor: &mut Cursor<'_>) -> Result<Number, Mistake> {
    let is_negative = cursor.peek() == Some(b'-');
    let number = if is_negative || cursor.peek() == Some(b'+') {
        cursor.advance(1);
        unsigned_number(cursor)?
    } else {
        number(cursor)?
    };
    blanks(cursor);
    match cursor.peek() {
        Some(b'+' | b'-') => cursor.fail("a single real number"),
        _ if is_negative => Ok(number.negated()),
        _ => Ok(number),
    }
}

/// Reads what a sign stands before: a number, perhaps in parentheses.
fn unsigned_number(cursor: &mut Cursor<'_>) -> Result<Number, Mistake> {
    blanks(cursor);
    match cursor.peek() {
        Some(b'(') => {
            cursor.open()?;
            let number = unsigned_number(cursor)?;
            blanks(cursor);
            cursor.close(b')', "`)`")?;
            Ok(number)
        }
        Some(b'.' | b'0'..=b'9') => number(cursor),
        _ => cursor.fail("a number after the sign"),
    }
}

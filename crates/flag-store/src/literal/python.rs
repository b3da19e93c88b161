//! Reads Python literals as `ast.literal_eval` does, where they are plain values.

use super::cursor::Cursor;
use super::error::Mistake;
use super::number::Number;
use super::python_number::{is_in_word, number};
use super::python_text::{starts_text, text};
use super::{Literal, dict, starting_with};

/// Reads a text that is one Python literal.
pub(super) fn read(source: &str) -> Result<Literal, Mistake> {
    let mut cursor = Cursor::new(source)?;
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

/// Reads what may stand outside brackets: a value, or a tuple that goes without them.
fn value_or_bare_tuple(cursor: &mut Cursor<'_>) -> Result<Literal, Mistake> {
    let mut first = Literal::Null;
    value(cursor, &mut first)?;
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
        value(cursor, items.push_mut(Literal::Null))?;
        blanks(cursor);
    }
    Ok(Literal::List(items))
}

/// Reads a value into its place, since moving it there costs more than reading it; see `benches/literal.rs`.
fn value(cursor: &mut Cursor<'_>, place: &mut Literal) -> Result<(), Mistake> {
    cursor.begin_value()?;
    match cursor.peek() {
        Some(b'\'' | b'"') => *place = Literal::Text(text(cursor)?),
        Some(b'[') => *place = list(cursor)?,
        Some(b'(') => *place = parentheses(cursor)?,
        Some(b'{') => *place = braces(cursor)?,
        Some(b'+' | b'-' | b'.' | b'0'..=b'9') => *place = Literal::Number(single_number(cursor)?),
        _ if starts_text(cursor) => *place = Literal::Text(text(cursor)?),
        _ => *place = constant(cursor)?,
    }
    Ok(())
}

fn constant(cursor: &mut Cursor<'_>) -> Result<Literal, Mistake> {
    let start = cursor.at();
    let constant = match cursor.take_while(is_in_word) {
        "None" => Literal::Null,
        "True" => Literal::Boolean(true),
        "False" => Literal::Boolean(false),
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
        other_items(cursor, b']', &mut items)?;
    }
    cursor.close(b']', "`,` or `]`")?;
    Ok(Literal::List(items))
}

/// Reads a tuple, or a value in parentheses.
fn parentheses(cursor: &mut Cursor<'_>) -> Result<Literal, Mistake> {
    let mut items = Vec::new();
    cursor.open()?;
    blanks(cursor);
    if cursor.peek() != Some(b')') {
        let mut first = Literal::Null;
        value(cursor, &mut first)?;
        blanks(cursor);
        if cursor.peek() == Some(b')') {
            cursor.close(b')', "`)`")?;
            return Ok(first);
        }
        items = starting_with(first, cursor);
        other_items(cursor, b')', &mut items)?;
    }
    cursor.close(b')', "`,` or `)`")?;
    Ok(Literal::List(items))
}

/// Reads the items from the first comma on, up to the closing bracket.
fn other_items(
    cursor: &mut Cursor<'_>,
    closing: u8,
    items: &mut Vec<Literal>,
) -> Result<(), Mistake> {
    while cursor.take(b',') {
        blanks(cursor);
        if cursor.peek() == Some(closing) {
            break;
        }
        value(cursor, items.push_mut(Literal::Null))?;
        blanks(cursor);
    }
    Ok(())
}

/// Reads a dict; a set is refused.
fn braces(cursor: &mut Cursor<'_>) -> Result<Literal, Mistake> {
    let set = Some(cursor.at());
    let mut entries = Vec::new();
    cursor.open()?;
    blanks(cursor);
    if cursor.peek() != Some(b'}') {
        let mut first = (key(cursor, set)?, Literal::Null);
        value(cursor, &mut first.1)?;
        blanks(cursor);
        entries = starting_with(first, cursor);
        while cursor.take(b',') {
            blanks(cursor);
            if cursor.peek() == Some(b'}') {
                break;
            }
            let next = entries.push_mut((key(cursor, None)?, Literal::Null));
            value(cursor, &mut next.1)?;
            blanks(cursor);
        }
    }
    cursor.close(b'}', "`,` or `}`")?;
    Ok(dict(entries))
}

/// Reads a key and its colon. Without a colon, the first one may begin a set, whose bracket is at `set`.
#[inline]
fn key(cursor: &mut Cursor<'_>, set: Option<usize>) -> Result<String, Mistake> {
    let start = cursor.at();
    let key = if starts_text(cursor) {
        Literal::Text(text(cursor)?)
    } else {
        let mut key = Literal::Null;
        value(cursor, &mut key)?;
        key
    };
    blanks(cursor);
    match (set, cursor.peek()) {
        (_, Some(b':')) => cursor.advance(1),
        (Some(at), Some(b',' | b'}')) => {
            let found = "a set, which has no order";
            return Err(Mistake::new(at, "a dict or a list", found));
        }
        _ => return cursor.fail("`:`"),
    }
    let Literal::Text(key) = key else {
        return cursor.fail_at(start, "text as the key");
    };
    blanks(cursor);
    Ok(key)
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

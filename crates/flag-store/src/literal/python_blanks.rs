//! What Python takes between two tokens: blanks, comments, ends of lines.

use super::cursor::TextCursor;
use super::error::SyntaxError;

/// Passes what may stand before the value.
pub(super) fn start(cursor: &mut TextCursor<'_>) -> Result<(), SyntaxError> {
    cursor.take_while(|byte| matches!(byte, b' ' | b'\t'));
    empty_lines(cursor)
}

/// Passes what may stand behind the value, which is a line of its own.
pub(super) fn end(cursor: &mut TextCursor<'_>) -> Result<(), SyntaxError> {
    blanks(cursor);
    if cursor.take_line_end() {
        empty_lines(cursor)?;
    }
    cursor.end()
}

/// Passes lines that hold blanks and comments only, and makes sure that the next one isn't indented.
fn empty_lines(cursor: &mut TextCursor<'_>) -> Result<(), SyntaxError> {
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

/// Passes the blanks at the start of a line, and returns whether they indent it.
///
/// A form feed starts the count again; blanks before a backslash belong to the joined line.
fn indentation(cursor: &mut TextCursor<'_>) -> bool {
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
pub(super) fn blanks(cursor: &mut TextCursor<'_>) {
    cursor.take(b' ');
    if cursor
        .peek()
        .is_some_and(|byte| byte <= b' ' || matches!(byte, b'#' | b'\\'))
    {
        more_blanks(cursor);
    }
}

#[inline(never)]
fn more_blanks(cursor: &mut TextCursor<'_>) {
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
fn comment(cursor: &mut TextCursor<'_>) {
    cursor.take_while(|byte| !matches!(byte, b'\n' | b'\r' | b'\0'));
}

/// Passes a backslash and the end of its line, unless that ends the text.
fn joined_line(cursor: &mut TextCursor<'_>) -> bool {
    let line_end = cursor.line_end_at(1);
    let is_joined = line_end > 0 && cursor.peek_at(1 + line_end).is_some();
    if is_joined {
        cursor.advance(1 + line_end);
    }
    is_joined
}

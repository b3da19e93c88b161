//! Reads Python literals as `ast.literal_eval` does, where they are plain values.

use std::borrow::Cow;

use super::cursor::{TextCursor, is_in_word};
use super::error::SyntaxError;
use super::grammar::{Grammar, Read, value};
use super::python_blanks::{blanks, end, start};
use super::python_number::number;
use super::python_text::{starts_text, text};
use super::value::{Literal, Node};

/// The grammar of Python.
struct Python;

impl Grammar for Python {
    const TAKES_LAST_COMMA: bool = true;
    const HAS_TUPLES: bool = true;

    fn blanks(cursor: &mut TextCursor<'_>) {
        blanks(cursor);
    }

    fn leaf<'a>(cursor: &mut TextCursor<'a>) -> Result<Literal<'a>, SyntaxError> {
        match cursor.peek() {
            Some(b'+' | b'-' | b'.' | b'0'..=b'9') => number(cursor).map(Literal::Number),
            _ if starts_text(cursor) => text(cursor).map(Literal::Text),
            _ => constant(cursor),
        }
    }

    fn key<'a>(
        cursor: &mut TextCursor<'a>,
        bracket: Option<usize>,
    ) -> Result<Cow<'a, str>, SyntaxError> {
        let start = cursor.at();
        let key = if starts_text(cursor) {
            Literal::Text(text(cursor)?)
        } else {
            value::<Self>(cursor)?.literal
        };
        blanks(cursor);
        match (bracket, cursor.peek()) {
            (_, Some(b':')) => cursor.advance(1),
            (Some(at), Some(b',' | b'}')) => {
                let found = "a set, which has no order";
                return Err(SyntaxError::new(at, "a dict or a list", found));
            }
            _ => return cursor.fail("`:`"),
        }
        let Literal::Text(key) = key else {
            return Err(SyntaxError::token(start, "text as the key"));
        };
        blanks(cursor);
        Ok(key)
    }
}

/// Reads a text that is one Python literal: a value, or a tuple that goes without brackets.
pub(super) fn read(text: &str) -> Result<Read<'_>, SyntaxError> {
    let mut cursor = TextCursor::new(text)?;
    start(&mut cursor)?;
    let mut read = value::<Python>(&mut cursor)?;
    blanks(&mut cursor);
    if cursor.peek() == Some(b',') {
        read = bare_tuple(&mut cursor, read)?;
    }
    end(&mut cursor)?;
    Ok((read, cursor.repeated))
}

/// Reads the other items of a tuple without brackets, from the first comma on.
fn bare_tuple<'a>(cursor: &mut TextCursor<'a>, first: Node<'a>) -> Result<Node<'a>, SyntaxError> {
    let at = first.at;
    let mut items = vec![first];
    while cursor.take(b',') {
        blanks(cursor);
        if matches!(cursor.peek(), None | Some(b'\n' | b'\r')) {
            break;
        }
        items.push(value::<Python>(cursor)?);
        blanks(cursor);
    }
    let literal = Literal::List(items);
    Ok(Node { at, literal })
}

fn constant<'a>(cursor: &mut TextCursor<'a>) -> Result<Literal<'a>, SyntaxError> {
    let start = cursor.at();
    match cursor.take_while(is_in_word) {
        "None" => Ok(Literal::Null),
        "True" => Ok(Literal::Boolean(true)),
        "False" => Ok(Literal::Boolean(false)),
        _ => Err(SyntaxError::token(start, "a value")),
    }
}

//! The part that both readers share: values in brackets.

use std::borrow::Cow;

use super::cursor::TextCursor;
use super::dict::keep_last;
use super::error::SyntaxError;
use super::value::{Literal, Node, RepeatedKey};

/// The value of a text, and its first repeated key.
pub(super) type Read<'a> = (Node<'a>, Option<RepeatedKey>);

/// The differences between the two languages.
pub(super) trait Grammar {
    /// Whether a comma may stand before a closing bracket.
    const TAKES_LAST_COMMA: bool;

    /// Whether there are round brackets.
    const HAS_TUPLES: bool;

    /// Passes what may stand between two tokens.
    fn blanks(cursor: &mut TextCursor<'_>);

    /// Reads a value without brackets.
    fn leaf<'a>(cursor: &mut TextCursor<'a>) -> Result<Literal<'a>, SyntaxError>;

    /// Reads a key, its colon, and the blanks behind; before the first one, `bracket` is where the dict begins.
    fn key<'a>(
        cursor: &mut TextCursor<'a>,
        bracket: Option<usize>,
    ) -> Result<Cow<'a, str>, SyntaxError>;
}

/// Reads a value. Calls itself for each bracket, of which only a few may be open at once.
pub(super) fn value<'a, G: Grammar>(cursor: &mut TextCursor<'a>) -> Result<Node<'a>, SyntaxError> {
    cursor.begin_value()?;
    let at = cursor.at();
    let literal = match cursor.peek() {
        Some(b'[') => list::<G>(cursor)?,
        Some(b'{') => dict::<G>(cursor)?,
        Some(b'(') if G::HAS_TUPLES => tuple::<G>(cursor)?,
        _ => G::leaf(cursor)?,
    };
    Ok(Node { at, literal })
}

fn list<'a, G: Grammar>(cursor: &mut TextCursor<'a>) -> Result<Literal<'a>, SyntaxError> {
    let mut items = Vec::new();
    bracket::<G>(cursor, (b']', "`,` or `]`"), |cursor| {
        push(&mut items, value::<G>(cursor)?);
        Ok(())
    })?;
    Ok(Literal::List(items))
}

/// Reads a tuple, or what stands in parentheses.
fn tuple<'a, G: Grammar>(cursor: &mut TextCursor<'a>) -> Result<Literal<'a>, SyntaxError> {
    let mut items = Vec::new();
    let last = bracket::<G>(cursor, (b')', "`,` or `)`"), |cursor| {
        push(&mut items, value::<G>(cursor)?);
        Ok(())
    })?;
    if last == Last::Value
        && items.len() == 1
        && let Some(only) = items.pop()
    {
        return Ok(only.literal);
    }
    Ok(Literal::List(items))
}

fn dict<'a, G: Grammar>(cursor: &mut TextCursor<'a>) -> Result<Literal<'a>, SyntaxError> {
    let at = cursor.at();
    let mut entries = Vec::new();
    bracket::<G>(cursor, (b'}', "`,` or `}`"), |cursor| {
        let key = G::key(cursor, entries.is_empty().then_some(at))?;
        push(&mut entries, (key, value::<G>(cursor)?));
        Ok(())
    })?;
    let (entries, repeated) = keep_last(entries);
    cursor.repeated = cursor.repeated.take().or(repeated);
    Ok(Literal::Dict(entries))
}

/// Appends a value. The first one gets no spare capacity, as there may be many brackets around a single value.
fn push<T>(values: &mut Vec<T>, value: T) {
    if values.is_empty() {
        values.reserve_exact(1);
    }
    values.push(value);
}

/// The end of the contents of brackets.
#[derive(PartialEq, Eq)]
enum Last {
    Comma,
    /// Or nothing.
    Value,
}

/// Passes a pair of brackets, and reads the items in them, separated by commas, with `item`.
fn bracket<'a, G: Grammar>(
    cursor: &mut TextCursor<'a>,
    (closing, expected): (u8, &'static str),
    mut item: impl FnMut(&mut TextCursor<'a>) -> Result<(), SyntaxError>,
) -> Result<Last, SyntaxError> {
    cursor.open()?;
    G::blanks(cursor);
    let mut last = Last::Value;
    let mut may_close = true;
    while !(may_close && cursor.peek() == Some(closing)) {
        item(cursor)?;
        G::blanks(cursor);
        if !cursor.take(b',') {
            last = Last::Value;
            break;
        }
        G::blanks(cursor);
        last = Last::Comma;
        may_close = G::TAKES_LAST_COMMA;
    }
    cursor.close(closing, expected)?;
    Ok(last)
}

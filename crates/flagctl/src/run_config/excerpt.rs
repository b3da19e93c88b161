//! Excerpts of a text that point at a value.

use flag_store::literal::{Literal, Node};
use unicode_width::UnicodeWidthStr as _;

use crate::output;

/// How much of a line is shown on either side of the position.
const SHOWN: usize = 40;

/// A position in a text, with the line around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Excerpt {
    /// The line, counted from 1.
    pub(super) line: usize,
    /// The column, counted from 1, in characters.
    pub(super) column: usize,
    /// The line, cut around the position.
    pub(super) shown: String,
    /// A line below with a caret at the position.
    pub(super) caret: String,
}

impl Excerpt {
    /// The excerpt at a line and a column.
    pub(super) fn at(text: &str, line: usize, column: usize) -> Self {
        let whole: Vec<char> = lines(text)
            .nth(line.saturating_sub(1))
            .unwrap_or_default()
            .chars()
            .collect();
        let at = column.saturating_sub(1).min(whole.len());
        let from = at.saturating_sub(SHOWN);
        let to = (at + SHOWN).min(whole.len());
        let (before, after) = (
            if from > 0 { "…" } else { "" },
            if to < whole.len() { "…" } else { "" },
        );
        let shown = |from: usize, to: usize| {
            let cut = whole.iter().skip(from).take(to - from);
            let cut: String = cut.map(|c| if c.is_control() { ' ' } else { *c }).collect();
            output::escaped(&cut)
        };
        let left = format!("{before}{}", shown(from, at));
        Self {
            line,
            column,
            caret: format!("{}^", " ".repeat(left.width())),
            shown: format!("{left}{}{after}", shown(at, to)),
        }
    }
}

/// The lines of a text, which `\n`, `\r\n` and `\r` end.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().flat_map(|line| line.split('\r'))
}

/// One step from a value to a value in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ExcerptStep<'a> {
    /// To what a dict holds under this key.
    Key(&'a str),
    /// To the item of a list at this position.
    Index(usize),
}

/// The value at the end of a path, or the last value on it that is there.
pub(super) fn node_at<'n, 'a>(root: &'n Node<'a>, path: &[ExcerptStep<'_>]) -> &'n Node<'a> {
    let Some((step, rest)) = path.split_first() else {
        return root;
    };
    let next = match (step, &root.literal) {
        (ExcerptStep::Key(key), Literal::Dict(entries)) => {
            let entry = entries.iter().find(|(name, _)| name == key);
            entry.map(|(_, value)| value)
        }
        (ExcerptStep::Index(index), Literal::List(items)) => items.get(*index),
        _ => None,
    };
    next.map_or(root, |next| node_at(next, rest))
}

//! Where in a text a value stands, to point at it.

use flag_store::literal::{self, Arena, Literal};
use unicode_width::UnicodeWidthStr as _;

use crate::output;

/// How much of a line is shown on either side of the place.
const SHOWN: usize = 40;

/// A place in a text, with the line around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The line, counted from 1.
    pub(super) line: usize,
    /// The column, counted from 1, in characters.
    pub(super) column: usize,
    /// The line, cut around the place.
    pub(super) shown: String,
    /// What points at the place when it is written below.
    pub(super) caret: String,
}

impl Place {
    /// A place by line and column.
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
            output::shown(&cut)
        };
        let left = format!("{before}{}", shown(from, at));
        Self {
            line,
            column,
            caret: format!("{}^", " ".repeat(left.width())),
            shown: format!("{left}{}{after}", shown(at, to)),
        }
    }

    fn of_offset(text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or_default();
        let ends = before.matches(['\n', '\r']).count() - before.matches("\r\n").count();
        let start = before.rfind(['\n', '\r']).map_or(0, |at| at + 1);
        let column = before.get(start..).unwrap_or_default().chars().count() + 1;
        Self::at(text, ends + 1, column)
    }
}

/// The lines of a text, which `\n`, `\r\n` and `\r` end.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().flat_map(|line| line.split('\r'))
}

/// One step from a value to a value in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step<'a> {
    /// To what a dict holds under this key.
    Key(&'a str),
    /// To the item of a list at this position.
    Index(usize),
}

/// The place of the value at the end of a path, in a text that is a plain value.
pub(super) fn place_of(text: &str, path: &[Step<'_>]) -> Option<Place> {
    let mut walker = Walker { text, at: 0 };
    for step in path {
        walker.walk(*step)?;
    }
    walker.skip_blanks();
    Some(Place::of_offset(text, walker.at))
}

/// Moves along a text that has been read already, so that it needn't be strict.
struct Walker<'a> {
    text: &'a str,
    at: usize,
}

impl Walker<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    /// From the beginning of a value to the beginning of one in it.
    fn walk(&mut self, step: Step<'_>) -> Option<()> {
        self.skip_groups();
        match step {
            Step::Key(key) => self.take(b'{').then(|| self.walk_to_key(key)).flatten(),
            Step::Index(index) => {
                (self.take(b'[') || self.take(b'(')).then_some(())?;
                (0..index).try_for_each(|_| self.skip_value())
            }
        }
    }

    /// To the last value of a key, which is the one that counts.
    fn walk_to_key(&mut self, wanted: &str) -> Option<()> {
        let mut last = None;
        loop {
            self.skip_blanks();
            let start = self.at;
            self.skip_until(b":");
            if !self.take(b':') {
                break;
            }
            let key = self.text.get(start..self.at - 1)?;
            let arena = Arena::new();
            let key = literal::parse(key.trim(), &arena).ok()?;
            if key == Literal::Text(wanted) {
                last = Some(self.at);
            }
            if self.skip_value().is_none() {
                break;
            }
        }
        self.at = last?;
        Some(())
    }

    /// Passes the parentheses around a value; those of a tuple are the value.
    fn skip_groups(&mut self) {
        self.skip_blanks();
        while self.is_group() {
            self.at += 1;
            self.skip_blanks();
        }
    }

    /// Whether a parenthesis is next that holds one value and no comma.
    fn is_group(&self) -> bool {
        let mut inside = Self { ..*self };
        if !inside.take(b'(') {
            return false;
        }
        inside.skip_blanks();
        let is_empty = inside.peek() == Some(b')');
        inside.skip_until(b",");
        !is_empty && inside.peek() == Some(b')')
    }

    /// Passes a value and the comma behind it, or nothing where there is none.
    fn skip_value(&mut self) -> Option<()> {
        self.skip_until(b",");
        self.take(b',').then_some(())
    }

    /// Passes what stands before one of these bytes or a closing bracket.
    fn skip_until(&mut self, stops: &[u8]) {
        let mut depth = 0_usize;
        while let Some(byte) = self.peek() {
            match byte {
                _ if depth == 0
                    && (stops.contains(&byte) || matches!(byte, b']' | b')' | b'}')) =>
                {
                    return;
                }
                b'[' | b'(' | b'{' => depth += 1,
                b']' | b')' | b'}' => depth -= 1,
                b'\'' | b'"' => self.skip_text(byte),
                b'#' => self.skip_comment(),
                _ => {}
            }
            self.at += 1;
        }
    }

    /// Passes a text up to its last quote.
    fn skip_text(&mut self, quote: u8) {
        let triple = [quote; 3];
        let rest = |at: usize| self.text.as_bytes().get(at..).unwrap_or_default();
        let end: &[u8] = if rest(self.at).starts_with(&triple) {
            &triple
        } else {
            &triple[..1]
        };
        let mut at = self.at + end.len();
        while at < self.text.len() && !rest(at).starts_with(end) {
            at += if rest(at).starts_with(b"\\") { 2 } else { 1 };
        }
        self.at = at + end.len() - 1;
    }

    fn skip_comment(&mut self) {
        while self.peek().is_some_and(|byte| byte != b'\n') {
            self.at += 1;
        }
    }

    fn skip_blanks(&mut self) {
        while let Some(byte) = self.peek() {
            match byte {
                b'#' => self.skip_comment(),
                b'\\' => self.at += 1,
                _ if byte.is_ascii_whitespace() || byte == 0x0b => self.at += 1,
                _ => return,
            }
        }
    }
}

//! The values of the brackets that are open, until each bracket is closed.

use super::arena::Arena;
use super::dict::keep_last;
use super::{Literal, MAX_VALUES};

/// What a value stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// No bracket, and a single value.
    Alone,
    /// No bracket, but commas: a tuple of Python's.
    Bare,
    List,
    Tuple,
    Dict,
}

/// A bracket, or none.
#[derive(Clone, Copy)]
struct Bracket {
    kind: Kind,
    /// How many items, or entries of a dict, were there before.
    start: usize,
    /// Where it stands.
    at: usize,
}

/// The values of all brackets, those of the innermost one last.
pub(super) struct Stack<'a> {
    arena: &'a Arena<'a>,
    items: Vec<Literal<'a>>,
    entries: Vec<(&'a str, Literal<'a>)>,
    innermost: Bracket,
    others: Vec<Bracket>,
}

/// How much there is in a [`Stack`].
#[derive(Clone, Copy, Default)]
pub(super) struct Size {
    items: usize,
    entries: usize,
}

impl<'a> Stack<'a> {
    pub(super) fn new(arena: &'a Arena<'a>) -> Self {
        let innermost = Bracket {
            kind: Kind::Alone,
            start: 0,
            at: 0,
        };
        Self {
            arena,
            items: Vec::new(),
            entries: Vec::new(),
            innermost,
            others: Vec::new(),
        }
    }

    /// What the next value stands in.
    #[inline]
    pub(super) fn kind(&self) -> Kind {
        self.innermost.kind
    }

    /// Where the innermost bracket stands.
    pub(super) fn bracket_at(&self) -> usize {
        self.innermost.at
    }

    /// How many values the innermost bracket has.
    #[inline]
    pub(super) fn values(&self) -> usize {
        let all = match self.innermost.kind {
            Kind::Dict => self.entries.len(),
            _ => self.items.len(),
        };
        all - self.innermost.start
    }

    /// Whether no bracket is open and no value is there.
    pub(super) fn is_empty(&self) -> bool {
        self.others.is_empty() && self.items.is_empty()
    }

    #[inline]
    pub(super) fn size(&self) -> Size {
        Size {
            items: self.items.len(),
            entries: self.entries.len(),
        }
    }

    /// Returns to an earlier size; no bracket was opened or closed since.
    pub(super) fn shrink(&mut self, size: Size) {
        self.items.truncate(size.items);
        self.entries.truncate(size.entries);
    }

    /// Keeps a value as the next item, or as that of the last key.
    #[inline]
    pub(super) fn keep(&mut self, value: Literal<'a>) {
        if self.innermost.kind != Kind::Dict {
            self.items.push(value);
        } else if let Some((_, place)) = self.entries.last_mut() {
            *place = value;
        }
    }

    /// Keeps a key, whose value is next.
    #[inline]
    pub(super) fn keep_key(&mut self, key: &'a str) {
        self.entries.push((key, Literal::Null));
    }

    /// Begins a bracket that stands before so many bytes.
    #[inline]
    pub(super) fn open(&mut self, kind: Kind, at: usize, rest: usize) {
        let start = if kind == Kind::Dict {
            reserve(&mut self.entries, rest, r#""":0,"#);
            self.entries.len()
        } else {
            reserve(&mut self.items, rest, "0,");
            self.items.len()
        };
        self.others.push(self.innermost);
        self.innermost = Bracket { kind, start, at };
    }

    /// Makes a list or a dict of the innermost bracket's values, and keeps that.
    pub(super) fn close(&mut self) {
        let Bracket { kind, start, .. } = self.innermost;
        let value = if kind == Kind::Dict {
            keep_last(&mut self.entries, start);
            self.arena.dict(&mut self.entries, start)
        } else {
            self.arena.list(&mut self.items, start)
        };
        self.leave();
        self.keep(value);
    }

    /// Keeps the only value of the innermost bracket instead of a list.
    pub(super) fn unwrap(&mut self) {
        self.leave();
        // Among items, it stands where it belongs.
        if self.innermost.kind == Kind::Dict
            && let Some(value) = self.items.pop()
        {
            self.keep(value);
        }
    }

    /// Begins what is no bracket, for a single value.
    pub(super) fn begin_alone(&mut self, at: usize) {
        self.open(Kind::Alone, at, 0);
    }

    /// Ends what is no bracket, and gives its value.
    pub(super) fn end_alone(&mut self) -> Literal<'a> {
        self.leave();
        self.items.pop().unwrap_or(Literal::Null)
    }

    /// The value outside all brackets, which stays there.
    pub(super) fn outermost(&self) -> Literal<'a> {
        self.items.last().copied().unwrap_or(Literal::Null)
    }

    /// Makes the value outside all brackets the first item of a tuple.
    pub(super) fn begin_tuple(&mut self) {
        self.innermost.kind = Kind::Bare;
    }

    /// The tuple outside all brackets.
    pub(super) fn end_tuple(&mut self) -> Literal<'a> {
        self.arena.list(&mut self.items, 0)
    }

    #[inline]
    fn leave(&mut self) {
        if let Some(bracket) = self.others.pop() {
            self.innermost = bracket;
        }
    }
}

/// Makes place for as many values as the rest of a text can hold, so that none is moved for want of it; the memory is
/// taken only as it is used.
#[inline]
fn reserve<T>(values: &mut Vec<T>, rest: usize, shortest: &str) {
    if values.is_empty() {
        values.reserve((rest / shortest.len() + 1).min(MAX_VALUES));
    }
}

//! The memory of the values that were read.

use std::cell::OnceCell;
use std::{fmt, mem, slice};

use bumpalo::Bump;

use super::Literal;

/// From so many items on, a list takes over the memory that it was read into.
const LARGE: usize = 4_096;

/// Holds what a [`Literal`] refers to beyond its text; all of it is freed at once.
///
/// A value for every few bytes of text could not have an allocation of its own in time: see `benches/literal.rs`.
#[derive(Default)]
pub struct Arena<'a> {
    bump: Bump,
    lists: Kept<Literal<'a>>,
    dicts: Kept<(&'a str, Literal<'a>)>,
}

/// What took over its memory: a chain, as nothing in it may be moved.
struct Kept<T>(OnceCell<Box<Link<T>>>);

struct Link<T> {
    items: Vec<T>,
    next: Kept<T>,
}

impl<'a> Arena<'a> {
    /// An arena that holds nothing yet, and has allocated nothing.
    pub fn new() -> Self {
        Self::default()
    }

    pub(super) fn text(&self, text: &str) -> &str {
        self.bump.alloc_str(text)
    }

    /// A text behind a pointer that is as small as an integer.
    pub(super) fn thin(&'a self, text: &'a str) -> &'a &'a str {
        self.bump.alloc(text)
    }

    /// Takes the items from `start` on.
    #[inline]
    pub(super) fn list(&'a self, items: &mut Vec<Literal<'a>>, start: usize) -> Literal<'a> {
        Literal::List(self.take(items, start, &self.lists))
    }

    /// Takes the entries from `start` on.
    #[inline]
    pub(super) fn dict(
        &'a self,
        entries: &mut Vec<(&'a str, Literal<'a>)>,
        start: usize,
    ) -> Literal<'a> {
        Literal::Dict(self.take(entries, start, &self.dicts))
    }

    #[inline]
    fn take<T: Copy>(&'a self, items: &mut Vec<T>, start: usize, kept: &'a Kept<T>) -> &'a [T] {
        match items.get(start..).unwrap_or_default() {
            [] => &[],
            [_] => self.take_one(items),
            _ => self.take_many(items, start, kept),
        }
    }

    /// Spares the call that copies.
    #[inline]
    fn take_one<T: Copy>(&'a self, items: &mut Vec<T>) -> &'a [T] {
        items
            .pop()
            .map_or(&[], |item| slice::from_ref(self.bump.alloc(item)))
    }

    #[inline(never)]
    fn take_many<T: Copy>(
        &'a self,
        items: &mut Vec<T>,
        start: usize,
        kept: &'a Kept<T>,
    ) -> &'a [T] {
        let many = items.get(start..).unwrap_or_default();
        if many.len() >= LARGE && many.len() > start {
            return kept.take(items, start);
        }
        let taken = self.bump.alloc_slice_copy(many);
        items.truncate(start);
        taken
    }
}

impl<T: Copy> Kept<T> {
    /// Takes the items from `start` on with their memory; the few before get another one.
    fn take(&self, items: &mut Vec<T>, start: usize) -> &[T] {
        let before = items.get(..start).unwrap_or_default().to_vec();
        let mut items = mem::replace(items, before);
        items.shrink_to_fit();
        let mut end = self;
        while let Some(link) = end.0.get() {
            end = &link.next;
        }
        let next = Self::default();
        let link = end.0.get_or_init(|| Box::new(Link { items, next }));
        link.items.get(start..).unwrap_or_default()
    }
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(OnceCell::new())
    }
}

impl fmt::Debug for Arena<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Arena({} bytes)", self.bump.allocated_bytes())
    }
}

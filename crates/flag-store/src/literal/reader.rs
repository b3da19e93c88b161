//! What both readers do alike: a stack of open brackets, and a place from which the other reader can go on.
//!
//! JSON goes first. Where it fails, Python goes on from the last place up to which both read the same, so that no
//! text is read twice to its end.

use super::arena::Arena;
use super::cursor::Cursor;
use super::error::Mistake;
use super::python::Python;
use super::stack::{Kind, Size, Stack};
use super::{Literal, json, python};

/// How a language differs from the other one.
pub(super) trait Grammar {
    /// Whether a comma may stand before a closing bracket.
    const TAKES_LAST_COMMA: bool;

    /// Whether there are round brackets.
    const HAS_TUPLES: bool;

    /// Whether another grammar takes over where this one fails.
    const GOES_FIRST: bool;

    /// Passes what may stand between two tokens.
    fn blanks(cursor: &mut Cursor<'_>);

    /// Reads a value without brackets and keeps it.
    fn leaf(reader: &mut Reader<'_>) -> Result<(), Mistake>;

    /// Reads a key, its colon, and the blanks behind.
    fn key<'a>(reader: &mut Reader<'a>) -> Result<&'a str, Mistake>;
}

/// A text that is being read.
pub(super) struct Reader<'a> {
    pub(super) cursor: Cursor<'a>,
    pub(super) arena: &'a Arena<'a>,
    pub(super) stack: Stack<'a>,
    /// Where texts with escapes are put together.
    pub(super) scratch: String,
    checkpoint: Checkpoint,
}

/// What is to be read next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    /// An item, or a closing bracket where one may stand.
    Item,
    /// A key and its value, or a closing bracket where one may stand.
    Entry,
    /// A comma or a closing bracket.
    Comma,
    /// The value is there.
    Nothing,
}

/// A place up to which both languages read the same, and what had been read up to there.
#[derive(Clone, Copy)]
struct Checkpoint {
    next: Next,
    at: usize,
    values: usize,
    size: Size,
}

/// Reads a text as JSON, or else as a Python literal.
pub(super) fn read_either<'a>(text: &'a str, arena: &'a Arena<'a>) -> Result<Literal<'a>, Mistake> {
    let mut reader = Reader::new(text, arena)?;
    let of_json = match json::read(&mut reader) {
        Err(mistake) if !mistake.is_final() => mistake,
        read => return read,
    };
    let is_ambiguous = reader.cursor.is_ambiguous();
    let of_python = match reader.take_over(text) {
        Ok(()) => python::read_on(&mut reader),
        Err(mistake) => Err(mistake),
    };
    if is_ambiguous && of_python.is_ok() {
        return read_python(text, arena);
    }
    of_python.map_err(|of_python| furthest(of_json, of_python))
}

/// Reads a text as a Python literal.
pub(super) fn read_python<'a>(text: &'a str, arena: &'a Arena<'a>) -> Result<Literal<'a>, Mistake> {
    let mut reader = Reader::new(text, arena)?;
    python::start(&mut reader.cursor)?;
    python::read_on(&mut reader)
}

/// The mistake that is the better one to show.
pub(super) fn furthest(of_json: Mistake, of_python: Mistake) -> Mistake {
    if of_json.at() > of_python.at() {
        of_json
    } else {
        of_python
    }
}

impl<'a> Reader<'a> {
    /// The start of a text, unless that is too long.
    pub(super) fn new(text: &'a str, arena: &'a Arena<'a>) -> Result<Self, Mistake> {
        Ok(Self {
            cursor: Cursor::new(text)?,
            arena,
            stack: Stack::new(arena),
            scratch: String::new(),
            checkpoint: Checkpoint {
                next: Next::Item,
                at: 0,
                values: 0,
                size: Size::default(),
            },
        })
    }

    /// Reads on from the last checkpoint, until the value is there that stands in no bracket.
    pub(super) fn value<G: Grammar>(&mut self) -> Result<Literal<'a>, Mistake> {
        self.run::<G>(self.checkpoint.next)?;
        Ok(self.stack.outermost())
    }

    /// Reads the other items of a tuple without brackets, from the first comma on.
    pub(super) fn bare_tuple<G: Grammar>(&mut self) -> Result<Literal<'a>, Mistake> {
        self.stack.begin_tuple();
        self.run::<G>(Next::Comma)?;
        Ok(self.stack.end_tuple())
    }

    /// Reads a value where only a key may stand.
    pub(super) fn value_as_key<G: Grammar>(&mut self) -> Result<Literal<'a>, Mistake> {
        self.stack.begin_alone(self.cursor.at());
        self.run::<G>(Next::Item)?;
        Ok(self.stack.end_alone())
    }

    /// Puts Python in the place from which it can go on after JSON.
    fn take_over(&mut self, text: &'a str) -> Result<(), Mistake> {
        let mut start = Cursor::new(text)?;
        python::start(&mut start)?;
        self.stack.shrink(self.checkpoint.size);
        if self.stack.is_empty() {
            self.cursor = start;
        } else {
            self.cursor.go_back(self.checkpoint.at);
            self.cursor.set_values(self.checkpoint.values);
            Python::blanks(&mut self.cursor);
        }
        Ok(())
    }

    fn run<G: Grammar>(&mut self, mut next: Next) -> Result<(), Mistake> {
        while next != Next::Nothing {
            if G::GOES_FIRST {
                self.checkpoint = Checkpoint {
                    next,
                    at: self.cursor.at(),
                    values: self.cursor.values(),
                    size: self.stack.size(),
                };
            }
            if next == Next::Comma {
                next = self.comma::<G>()?;
                continue;
            }
            if self.may_close::<G>() {
                next = self.close()?;
                continue;
            }
            if next == Next::Entry {
                let key = G::key(self)?;
                self.stack.keep_key(key);
            }
            next = self.any_value::<G>()?;
        }
        Ok(())
    }

    /// Whether a closing bracket is next, where one may stand.
    #[inline]
    fn may_close<G: Grammar>(&self) -> bool {
        let closing = match self.stack.kind() {
            Kind::Alone | Kind::Bare => return false,
            Kind::List => b']',
            Kind::Tuple => b')',
            Kind::Dict => b'}',
        };
        self.cursor.peek() == Some(closing) && (G::TAKES_LAST_COMMA || self.stack.values() == 0)
    }

    #[inline]
    fn any_value<G: Grammar>(&mut self) -> Result<Next, Mistake> {
        self.cursor.begin_value()?;
        let kind = match self.cursor.peek() {
            Some(b'[') => Kind::List,
            Some(b'{') => Kind::Dict,
            Some(b'(') if G::HAS_TUPLES => Kind::Tuple,
            _ => {
                G::leaf(self)?;
                return self.comma::<G>();
            }
        };
        let at = self.cursor.at();
        self.cursor.open()?;
        self.stack.open(kind, at, self.cursor.rest().len());
        G::blanks(&mut self.cursor);
        Ok(if kind == Kind::Dict {
            Next::Entry
        } else {
            Next::Item
        })
    }

    #[inline]
    fn comma<G: Grammar>(&mut self) -> Result<Next, Mistake> {
        let kind = self.stack.kind();
        if kind == Kind::Alone {
            return Ok(Next::Nothing);
        }
        G::blanks(&mut self.cursor);
        if !self.cursor.take(b',') {
            return match kind {
                Kind::Bare => Ok(Next::Nothing),
                Kind::Tuple if self.stack.values() == 1 => self.close_parentheses(),
                _ => self.close(),
            };
        }
        G::blanks(&mut self.cursor);
        Ok(match (kind, self.cursor.peek()) {
            (Kind::Bare, None | Some(b'\n' | b'\r')) => Next::Nothing,
            (Kind::Dict, _) => Next::Entry,
            _ => Next::Item,
        })
    }

    /// Passes the closing bracket of a list, a tuple or a dict.
    fn close(&mut self) -> Result<Next, Mistake> {
        let (closing, expected) = match self.stack.kind() {
            Kind::Dict => (b'}', "`,` or `}`"),
            Kind::Tuple => (b')', "`,` or `)`"),
            _ => (b']', "`,` or `]`"),
        };
        self.cursor.close(closing, expected)?;
        self.stack.close();
        Ok(Next::Comma)
    }

    /// Passes the closing bracket after a value without a comma, which makes no tuple.
    fn close_parentheses(&mut self) -> Result<Next, Mistake> {
        self.cursor.close(b')', "`,` or `)`")?;
        self.stack.unwrap();
        Ok(Next::Comma)
    }
}

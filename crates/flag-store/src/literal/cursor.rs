//! A position in a text that is being read, and how many brackets are open there.

use super::error::SyntaxError;
use super::value::RepeatedKey;

/// The longest text that is read, in bytes.
pub const MAX_BYTES: usize = 8 * 1024 * 1024;

/// The most brackets that may be open at once.
pub const MAX_DEPTH: usize = 64;

/// The most values that a text may hold, keys apart, so that a small text cannot fill the memory.
pub const MAX_VALUES: usize = 500_000;

/// The position that both readers move along a text.
///
/// Readers stop in front of ASCII bytes or at the end only, so every position is a border between characters.
#[derive(Debug)]
pub(super) struct TextCursor<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    values: usize,
    /// The first key that a dict had again.
    pub(super) repeated: Option<RepeatedKey>,
}

impl<'a> TextCursor<'a> {
    /// The start of a text, unless that is too long.
    pub(super) fn new(text: &'a str) -> Result<Self, SyntaxError> {
        const { assert!(MAX_BYTES == 8 * 1024 * 1024, "the message below says so") };
        if text.len() > MAX_BYTES {
            let found = format!("{} bytes", text.len());
            return Err(SyntaxError::new(0, "a text of at most 8 MiB", found));
        }
        Ok(Self {
            text,
            at: 0,
            depth: 0,
            values: 0,
            repeated: None,
        })
    }

    /// The offset in bytes.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// The next byte.
    pub(super) fn peek(&self) -> Option<u8> {
        self.peek_at(0)
    }

    /// The byte after the next `ahead` ones.
    pub(super) fn peek_at(&self, ahead: usize) -> Option<u8> {
        self.text.as_bytes().get(self.at + ahead).copied()
    }

    /// What is left.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    /// What was read since an earlier position.
    pub(super) fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// Passes this many bytes.
    pub(super) fn advance(&mut self, bytes: usize) {
        self.at = (self.at + bytes).min(self.text.len());
    }

    /// Passes the next byte if it is this one.
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.advance(usize::from(is_next));
        is_next
    }

    /// Passes the bytes up to the first one that doesn't fit.
    pub(super) fn take_while(&mut self, fits: impl Fn(u8) -> bool) -> &'a str {
        let start = self.at;
        let rest = self.rest();
        let taken = rest.iter().position(|&byte| !fits(byte));
        self.at += taken.unwrap_or(rest.len());
        self.since(start)
    }

    /// Passes the bytes up to this quote, a backslash or an ASCII control character.
    pub(super) fn take_plain(&mut self, quote: u8) -> &'a str {
        self.take_while(|byte| byte != quote && byte != b'\\' && byte >= b' ')
    }

    /// Passes up to this many digits, at most eight; returns their value and their number.
    pub(super) fn take_digits(&mut self, radix: u32, max: usize) -> (u32, usize) {
        let start = self.at;
        let mut value = 0;
        while self.at < start + max
            && let Some(digit) = self
                .peek()
                .and_then(|byte| char::from(byte).to_digit(radix))
        {
            value = value * radix + digit;
            self.advance(1);
        }
        (value, self.at - start)
    }

    /// Passes the end of a line, `\n`, `\r\n` or `\r`, if one is next.
    pub(super) fn take_line_end(&mut self) -> bool {
        let length = self.line_end_at(0);
        self.advance(length);
        length > 0
    }

    /// How long the end of a line is after the next `ahead` bytes; zero if there is none.
    pub(super) fn line_end_at(&self, ahead: usize) -> usize {
        match (self.peek_at(ahead), self.peek_at(ahead + 1)) {
            (Some(b'\r'), Some(b'\n')) => 2,
            (Some(b'\r' | b'\n'), _) => 1,
            _ => 0,
        }
    }

    /// Counts a value that begins here.
    pub(super) fn begin_value(&mut self) -> Result<(), SyntaxError> {
        const { assert!(MAX_VALUES == 500_000, "the message below says so") };
        if self.values == MAX_VALUES {
            return self.fail("at most 500,000 values");
        }
        self.values += 1;
        Ok(())
    }

    /// Passes an opening bracket.
    pub(super) fn open(&mut self) -> Result<(), SyntaxError> {
        const { assert!(MAX_DEPTH == 64, "the message below says so") };
        if self.depth == MAX_DEPTH {
            return self.fail("at most 64 nested brackets");
        }
        self.depth += 1;
        self.advance(1);
        Ok(())
    }

    /// Passes the closing bracket `byte`, or fails for want of what was `expected`.
    pub(super) fn close(&mut self, byte: u8, expected: &'static str) -> Result<(), SyntaxError> {
        if !self.take(byte) {
            return self.fail(expected);
        }
        self.depth = self.depth.saturating_sub(1);
        Ok(())
    }

    /// Whether a bracket is open.
    pub(super) fn is_nested(&self) -> bool {
        self.depth > 0
    }

    /// Makes sure that nothing is left.
    pub(super) fn end(&self) -> Result<(), SyntaxError> {
        match self.peek() {
            None => Ok(()),
            Some(_) => self.fail("the end of the text"),
        }
    }

    /// The next token is not what was expected.
    pub(super) fn fail<T>(&self, expected: &'static str) -> Result<T, SyntaxError> {
        Err(SyntaxError::token(self.at, expected))
    }
}

/// Whether a byte continues a name or a number of Python.
pub(super) fn is_in_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}

//! A place in a text that is being read, and how many brackets are open there.

use super::error::Mistake;
use super::{MAX_BYTES, MAX_DEPTH, MAX_VALUES};

/// What both readers move along a text.
///
/// Readers stop in front of ASCII bytes or at the end only, so every place is a border between characters.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    values: usize,
    /// Where the first token was that JSON takes and Python refuses.
    json_token: Option<usize>,
    is_ambiguous: bool,
}

impl<'a> Cursor<'a> {
    /// The start of a text, unless that is too long.
    pub(super) fn new(text: &'a str) -> Result<Self, Mistake> {
        const { assert!(MAX_BYTES == 8 * 1024 * 1024, "the message below says so") };
        if text.len() > MAX_BYTES {
            let found = format!("{} bytes", text.len());
            return Err(Mistake::new(0, "a text of at most 8 MiB", found).finally());
        }
        Ok(Self {
            text,
            at: 0,
            depth: 0,
            values: 0,
            json_token: None,
            is_ambiguous: false,
        })
    }

    /// The offset in bytes.
    #[inline]
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// How many values have begun.
    #[inline]
    pub(super) fn values(&self) -> usize {
        self.values
    }

    /// The next byte.
    #[inline]
    pub(super) fn peek(&self) -> Option<u8> {
        self.peek_at(0)
    }

    /// The byte after the next `ahead` ones.
    #[inline]
    pub(super) fn peek_at(&self, ahead: usize) -> Option<u8> {
        self.text.as_bytes().get(self.at + ahead).copied()
    }

    /// What is left.
    #[inline]
    pub(super) fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    /// What was read since an earlier place.
    #[inline]
    pub(super) fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// Passes so many bytes.
    #[inline]
    pub(super) fn advance(&mut self, bytes: usize) {
        self.at = (self.at + bytes).min(self.text.len());
    }

    /// Passes the next byte if it is this one.
    #[inline]
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.advance(usize::from(is_next));
        is_next
    }

    /// Passes the bytes up to the first one that doesn't fit.
    #[inline]
    pub(super) fn take_while(&mut self, fits: impl Fn(u8) -> bool) -> &'a str {
        let start = self.at;
        let rest = self.rest();
        let taken = rest.iter().position(|&byte| !fits(byte));
        self.at = start + taken.unwrap_or(rest.len());
        self.since(start)
    }

    /// Passes the bytes up to this quote, a backslash or an ASCII control character.
    #[inline]
    pub(super) fn take_plain(&mut self, quote: u8) -> &'a str {
        let start = self.at;
        let mut rest = self.rest();
        if rest.first() == Some(&quote) {
            // Not `""`, which points nowhere, so that AVX-512 compares it slowly: see "one key" in
            // `benches/literal.rs`.
            return self.since(start);
        }
        while let Some((word, others)) = rest.split_first_chunk() {
            let plain = plain_bytes(u64::from_le_bytes(*word), quote);
            self.at += plain;
            if plain < size_of::<u64>() {
                return self.since(start);
            }
            rest = others;
        }
        self.take_while(|byte| byte != quote && byte != b'\\' && byte >= b' ');
        self.since(start)
    }

    /// Returns to an earlier place.
    #[inline]
    pub(super) fn go_back(&mut self, at: usize) {
        self.at = at.min(self.at);
    }

    /// Takes the values that have begun for so many.
    pub(super) fn set_values(&mut self, values: usize) {
        self.values = values;
    }

    /// Passes an integer as most are: of few digits, without underscores, and neither point nor letter after it.
    #[inline]
    pub(super) fn take_short_integer(&mut self) -> Option<i64> {
        // So many nines fit.
        const MOST_DIGITS: usize = 18;
        let rest = self.rest();
        let (sign, digits) = match rest {
            [b'-', digits @ ..] => (1, digits),
            digits => (0, digits),
        };
        let mut integer = 0;
        let mut length = 0;
        let mut next = None;
        for &byte in digits {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                next = Some(byte);
                break;
            }
            if length == MOST_DIGITS {
                return None;
            }
            integer = integer * 10 + i64::from(digit);
            length += 1;
        }
        let has_zero = length > 1 && digits.first() == Some(&b'0');
        let goes_on = next.is_some_and(|byte| byte == b'.' || is_in_word(byte));
        if length == 0 || has_zero || goes_on {
            return None;
        }
        self.at += sign + length;
        Some(if sign == 0 { integer } else { -integer })
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

    /// Notes that Python refuses the token of JSON at an earlier place, if it comes so far.
    #[inline]
    pub(super) fn passed_json_token(&mut self, at: usize) {
        self.json_token.get_or_insert(at);
    }

    /// Notes that the other reader takes a token as well, but for a different value.
    pub(super) fn passed_ambiguity(&mut self) {
        self.is_ambiguous = true;
    }

    /// Whether the other reader takes something for a different value.
    pub(super) fn is_ambiguous(&self) -> bool {
        self.is_ambiguous
    }

    /// Counts a value that begins here.
    #[inline]
    pub(super) fn begin_value(&mut self) -> Result<(), Mistake> {
        const { assert!(MAX_VALUES == 500_000, "the message below says so") };
        if self.values == MAX_VALUES {
            return self
                .fail("at most 500,000 values")
                .map_err(Mistake::finally);
        }
        self.values += 1;
        Ok(())
    }

    /// Passes an opening bracket.
    #[inline]
    pub(super) fn open(&mut self) -> Result<(), Mistake> {
        const { assert!(MAX_DEPTH == 64, "the message below says so") };
        if self.depth == MAX_DEPTH {
            return self
                .fail("at most 64 nested brackets")
                .map_err(Mistake::finally);
        }
        self.depth += 1;
        self.advance(1);
        Ok(())
    }

    /// Passes the closing bracket `byte`, or fails for want of what was `expected`.
    #[inline]
    pub(super) fn close(&mut self, byte: u8, expected: &'static str) -> Result<(), Mistake> {
        if !self.take(byte) {
            return self.fail(expected);
        }
        self.depth = self.depth.saturating_sub(1);
        Ok(())
    }

    /// Whether a bracket is open.
    #[inline]
    pub(super) fn is_nested(&self) -> bool {
        self.depth > 0
    }

    /// Makes sure that nothing is left.
    pub(super) fn end(&self) -> Result<(), Mistake> {
        match self.peek() {
            None => Ok(()),
            Some(_) => self.fail("the end of the text"),
        }
    }

    /// The next token is not what was expected.
    pub(super) fn fail<T>(&self, expected: &'static str) -> Result<T, Mistake> {
        self.fail_at(self.at, expected)
    }

    /// The token at an earlier place is not what was expected.
    pub(super) fn fail_at<T>(&self, at: usize, expected: &'static str) -> Result<T, Mistake> {
        let mistake = Mistake::token(at, expected);
        match self.json_token {
            Some(refused) if refused < at => Err(mistake.finally()),
            _ => Err(mistake),
        }
    }
}

/// Whether a byte continues a name or a number of Python.
pub(super) fn is_in_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}

/// How many of the first bytes of a little-endian word are neither the quote, nor a backslash, nor below a space.
///
/// Tells by the highest bit of each byte. A borrow can mark a byte wrongly, but only after one that is marked rightly.
pub(super) fn plain_bytes(word: u64, quote: u8) -> usize {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const HIGHEST: u64 = 0x8080_8080_8080_8080;
    let below = |word: u64, limit: u8| word.wrapping_sub(EACH * u64::from(limit)) & !word & HIGHEST;
    let equal = |byte: u8| below(word ^ (EACH * u64::from(byte)), 1);
    let marks = equal(quote) | equal(b'\\') | below(word, b' ');
    marks.trailing_zeros() as usize / 8
}

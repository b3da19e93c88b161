//! Single tokens: numbers and texts in the spellings that Python has, and some that it refuses.

use fastrand::Rng;

use super::{Spelling, Texts};

const ESCAPES: &[&str] = &[
    "\\\\",
    "\\'",
    "\\\"",
    "\\a",
    "\\b",
    "\\f",
    "\\n",
    "\\r",
    "\\t",
    "\\v",
    "\\0",
    "\\12",
    "\\777",
    "\\8",
    "\\x41",
    "\\xe9",
    "\\u00e9",
    "\\u20AC",
    "\\U0001F600",
    "\\q",
    "\\/",
    "\\\n",
    "\\\r\n",
    "\\é",
];

const WRONG_ESCAPES: &[&str] = &[
    "\\x4",
    "\\xZZ",
    "\\u12",
    "\\U00110000",
    "\\ud800",
    "\\ud83d\\ude00",
    "\\N{DIGIT ONE}",
    "\\N{no such}",
];

const CHARACTERS: &[&str] = &[
    "a", "b", "Z", "0", "9", " ", "_", "-", "#", "[", "]", "{", "}", "(", ")", ",", ":", "%", "/",
    "\t", "é", "€", "😀", "\x7f", "\x01", "\u{2028}", "\u{200b}", "`", "\x0c", "\x1a",
];

impl Texts {
    /// A number, or what looks like one.
    pub(super) fn number(&mut self) {
        if self.strays_one_in(6) {
            self.push_any(&["+", "-", "- ", "-\t"]);
        }
        match self.rng.u8(..14) {
            0..=3 => self.push_display(|rng| rng.u8(..=100).to_string()),
            4 | 5 => self.push_display(|rng| format!("{:?}", f64::from(rng.u32(..100_000)) / 1e3)),
            6 => self.push_display(|rng| {
                format!("{:?}", f64::from_bits(rng.u64(..) >> 1)).replace("NaN", "0")
            }),
            7 => self.push_display(|rng| format!("{:e}", 2_f64.powi(rng.i32(-1074..1024)))),
            8 => self.push_any(&[
                "0", "00", "0_0", "007", "1_000", "1__0", "1_", "0x", "1e400", "-0.0",
            ]),
            9 => {
                let max = if self.one_in(9) { 300 } else { 30 };
                let (prefix, radix) = *self
                    .rng
                    .choice(&[("0x", 16), ("0X_", 16), ("0o", 8), ("0b", 2)])
                    .unwrap();
                self.push(prefix);
                self.digits(radix, max);
            }
            10 => {
                let max = if self.one_in(99) { 6_000 } else { 40 };
                self.push_any(&["1", "9", "5_0"]);
                self.digits(10, max);
            }
            _ => self.fraction(),
        }
    }

    /// A float with any of its parts missing.
    fn fraction(&mut self) {
        if !self.one_in(4) {
            self.digits(10, 4);
        }
        self.push(".");
        if !self.one_in(4) {
            self.digits(10, 20);
        }
        if self.one_in(3) {
            self.push_any(&["e", "E", "e-", "e+"]);
            self.digits(10, 3);
        }
    }

    fn push_display(&mut self, number: impl FnOnce(&mut Rng) -> String) {
        let number = number(&mut self.rng);
        self.push(&number);
    }

    fn digits(&mut self, radix: u32, max: usize) {
        for at in 0..self.rng.usize(1..=max) {
            if at > 0 && self.one_in(20) {
                self.push("_");
            }
            let digit = self.rng.digit(radix);
            self.text.push(digit);
        }
    }

    /// A text of plain characters in quotes.
    pub(super) fn quoted(&mut self, plain: &str) {
        let quote = if self.one_in(5) { "\"" } else { "'" };
        self.text.extend([quote, plain, quote]);
    }

    /// A text, or several in a row.
    pub(super) fn text(&mut self) {
        self.one_text();
        while self.strays_one_in(8) {
            self.blanks();
            self.one_text();
        }
    }

    fn one_text(&mut self) {
        let mut quote = self.pick(&["'", "'", "\""]);
        if self.spelling == Spelling::Free {
            quote = self.pick(&["'", "'", "\"", "'''", "\"\"\""]);
            match self.rng.u8(..100) {
                0..=2 => self.push_any(&["b", "f", "rb", "Br", "fr", "ur"]),
                3..=20 => self.push_any(&["u", "U", "r", "R"]),
                _ => {}
            }
        }
        self.push(quote);
        for _ in 0..self.rng.usize(..12) {
            match self.rng.u8(..100) {
                0 if self.spelling == Spelling::Free => self.push_any(WRONG_ESCAPES),
                1..=12 => self.push_any(ESCAPES),
                13 => self.push_any(&["'", "\""]),
                14..=16 if quote.len() == 3 => self.push_any(&["\n", "\r\n", "\r", "''", "\"\""]),
                _ => self.push_any(CHARACTERS),
            }
        }
        self.push(quote);
    }
}

//! Texts of run configurations as people and programs spell them, and as they get damaged.

mod tokens;

use fastrand::Rng;

/// What may stand between two tokens in brackets.
const BLANKS: &[&str] = &[
    "  ", "\t", "\n", "\r\n", "\r", "\x0c", "#c\n", "\\\n", "# é[\r", " \\\r\n",
];

/// What may stand around a value in lines of its own, or not.
const LINES: &[&str] = &[
    "\n", "\r\n", "\r", "  \n", "#c\n", "\t#c\n", "\x0c", "\\\n", " ", " \\\n", "#",
];

/// What a damaged text gets in the wrong place.
const PIECES: &[&str] = &[
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    "'",
    "\"",
    "'''",
    "\\",
    "\n",
    "\r",
    "#",
    " ",
    "\t",
    "\x0c",
    "-",
    "+",
    ".",
    "_",
    "e",
    "j",
    "0",
    "1",
    "x",
    "b",
    "r",
    "u",
    "f",
    "True",
    "None",
    "true",
    "null",
    "é",
    "\0",
    "\x0b",
    "*",
    "...",
    "--",
    "=",
    "\u{a0}",
    "\u{feff}",
    "if",
    "1j",
    "+2j",
    "\\N{DASH}",
    "\\ud83d",
];

/// How far a text strays from what `repr` prints.
#[derive(Clone, Copy, PartialEq)]
enum Spelling {
    Usual,
    Free,
}

/// Makes texts from random numbers.
pub(crate) struct Texts {
    rng: Rng,
    spelling: Spelling,
    text: String,
}

impl Texts {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            rng: Rng::with_seed(seed),
            spelling: Spelling::Usual,
            text: String::new(),
        }
    }

    /// The next text.
    pub(crate) fn next_text(&mut self) -> String {
        self.spelling = if self.one_in(3) {
            Spelling::Usual
        } else {
            Spelling::Free
        };
        match self.rng.u8(..20) {
            0 => self.deep(),
            1 => self.value(0),
            2..=7 => self.dict(3),
            _ => self.row(),
        }
        if self.spelling == Spelling::Free {
            self.add_lines();
        }
        let text = std::mem::take(&mut self.text);
        if self.rng.u8(..5) < 2 {
            self.damaged(&text)
        } else {
            text
        }
    }

    fn one_in(&mut self, times: u32) -> bool {
        self.rng.u32(..times) == 0
    }

    fn strays_one_in(&mut self, times: u32) -> bool {
        self.spelling == Spelling::Free && self.one_in(times)
    }

    fn pick(&mut self, from: &[&'static str]) -> &'static str {
        self.rng.choice(from).copied().unwrap()
    }

    fn push(&mut self, piece: &str) {
        self.text.push_str(piece);
    }

    fn push_any(&mut self, from: &[&'static str]) {
        let piece = self.pick(from);
        self.push(piece);
    }

    /// A revision's cells, in the Python framework's order, sometimes with one missing or too many.
    fn row(&mut self) {
        const FIELDS: [&str; 7] = [
            "Name",
            "Type",
            "FormatVersion",
            "ControlValue",
            "Comment",
            "OwnerID",
            "Treatments",
        ];
        let mut fields = FIELDS.to_vec();
        if self.one_in(10) {
            let at = self.rng.usize(..fields.len());
            fields.remove(at);
        }
        if self.one_in(10) {
            let again = self.pick(&FIELDS);
            fields.push(again);
        }
        self.braces(fields.len(), |texts, at| {
            texts.quoted(fields[at]);
            texts.colon();
            match fields[at] {
                "Name" => texts.word("multi_step_api_router"),
                "Type" => texts.word("FEATURE"),
                "FormatVersion" => texts.word_or_number("1"),
                "ControlValue" => texts.push_any(&["True", "False"]),
                "Comment" => texts.text(),
                "OwnerID" => texts.word("John Smith"),
                _ => texts.treatments(),
            }
        });
    }

    fn treatments(&mut self) {
        let count = self.rng.usize(..4);
        self.items("[", "]", count, |texts, _| {
            texts.braces(3, |texts, at| {
                texts.quoted(["OverrideList", "PercentRollout", "Value"][at]);
                texts.colon();
                match at {
                    0 => texts.overrides(),
                    1 => texts.word_or_number("40"),
                    _ => texts.push_any(&["True", "False", "'on'"]),
                }
            });
        });
    }

    fn overrides(&mut self) {
        let count = self.rng.usize(..5);
        self.items("[", "]", count, |texts, _| {
            let id = format!("A{:05}", texts.rng.u32(..100_000));
            texts.word(&id);
        });
    }

    /// This text, or some text.
    fn word(&mut self, usual: &str) {
        if self.one_in(8) {
            self.text();
        } else {
            self.quoted(usual);
        }
    }

    fn word_or_number(&mut self, usual: &str) {
        if self.one_in(2) {
            self.number();
        } else {
            self.push(usual);
        }
    }

    /// Brackets in brackets, to the limit and beyond.
    fn deep(&mut self) {
        let depth = self.rng.usize(55..75);
        self.push("{'a': ");
        self.push(&"[".repeat(depth));
        self.value(0);
        self.push(&"]".repeat(depth));
        self.push("}");
    }

    fn dict(&mut self, depth: u8) {
        let count = self.rng.usize(..5);
        self.braces(count, |texts, _| {
            match texts.rng.u8(..40) {
                0 => texts.value(1),
                1..=12 => texts.push_any(&["'a'", "\"b\"", "'a' 'b'"]),
                _ => texts.text(),
            }
            texts.colon();
            texts.value(depth - 1);
        });
    }

    fn value(&mut self, depth: u8) {
        let kinds = if depth == 0 { 6 } else { 12 };
        let count = self.rng.usize(..4);
        match self.rng.u8(..kinds) {
            0 => self.push_any(&["None", "True", "False"]),
            1 | 2 => self.number(),
            3..=5 => self.text(),
            6 | 7 => self.items("[", "]", count, |texts, _| texts.value(depth - 1)),
            8 => self.items("(", ")", count, |texts, _| texts.value(depth - 1)),
            9 if self.one_in(4) => self.items("{", "}", count, |texts, _| texts.value(depth - 1)),
            _ => self.dict(depth),
        }
    }

    fn braces(&mut self, count: usize, entry: impl FnMut(&mut Self, usize)) {
        self.items("{", "}", count, entry);
    }

    fn items(
        &mut self,
        open: &str,
        close: &str,
        count: usize,
        mut item: impl FnMut(&mut Self, usize),
    ) {
        self.push(open);
        for at in 0..count {
            self.blanks();
            item(self, at);
            self.blanks();
            if at + 1 < count || self.strays_one_in(3) {
                self.push(",");
            }
        }
        self.blanks();
        self.push(close);
    }

    fn colon(&mut self) {
        self.blanks();
        self.push(":");
        self.blanks();
    }

    fn blanks(&mut self) {
        if self.strays_one_in(4) {
            self.push_any(BLANKS);
        } else if self.one_in(2) {
            self.push(" ");
        }
    }

    /// Puts lines before and after.
    fn add_lines(&mut self) {
        while self.one_in(6) {
            let lines = self.pick(LINES);
            self.text.insert_str(0, lines);
        }
        while self.one_in(6) {
            self.push_any(LINES);
        }
    }

    /// A text in which something is missing, too much, or in the wrong place.
    fn damaged(&mut self, text: &str) -> String {
        let mut characters: Vec<char> = text.chars().collect();
        for _ in 0..self.rng.usize(1..=2) {
            let length = characters.len();
            let (at, other) = (self.rng.usize(..=length), self.rng.usize(..=length));
            let (from, to) = (at.min(other), at.max(other));
            match self.rng.u8(..10) {
                0..=3 => drop(characters.splice(at..at, self.pick(PIECES).chars())),
                4 | 5 => drop(characters.drain(at..length.min(at + 2))),
                6 | 7 => drop(characters.splice(at..length.min(at + 1), self.pick(PIECES).chars())),
                8 => {
                    let again = characters[from..to.min(from + 20)].to_vec();
                    characters.splice(from..from, again);
                }
                _ => characters.truncate(to),
            }
        }
        characters.into_iter().collect()
    }
}

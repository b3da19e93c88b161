//! Plain values as text: JSON, or what Python's `repr` makes of them.

use std::fmt::{Display, Write as _};

use crate::literal::Literal;
use crate::options::CellFormat;

impl CellFormat {
    /// How a boolean is written.
    pub(super) fn boolean(self, value: bool) -> &'static str {
        match (self, value) {
            (Self::Python, true) => "True",
            (Self::Python, false) => "False",
            (Self::Json, true) => "true",
            (Self::Json, false) => "false",
        }
    }

    /// What stands between two items, and between a key and its value.
    fn separators(self) -> (&'static str, &'static str) {
        match self {
            Self::Python => (", ", ": "),
            Self::Json => (",", ":"),
        }
    }
}

/// Writes one value after the other.
pub(super) struct Writer {
    cell_format: CellFormat,
    text: String,
    /// Whether the next item is the first one since its bracket.
    is_first: bool,
}

impl Writer {
    pub(super) fn new(cell_format: CellFormat) -> Self {
        Self {
            cell_format,
            text: String::new(),
            is_first: true,
        }
    }

    /// What was written.
    pub(super) fn finish(self) -> String {
        self.text
    }

    /// Writes a list of what `write` makes of each item.
    pub(super) fn list<I>(
        &mut self,
        items: impl IntoIterator<Item = I>,
        mut write: impl FnMut(&mut Self, I),
    ) {
        self.open('[');
        for item in items {
            self.next();
            write(self, item);
        }
        self.close(']');
    }

    /// Begins a dict.
    pub(super) fn open_dict(&mut self) {
        self.open('{');
    }

    /// Ends a dict.
    pub(super) fn close_dict(&mut self) {
        self.close('}');
    }

    /// Begins an entry of a dict; its value comes next.
    pub(super) fn key(&mut self, key: &str) {
        self.next();
        self.string(key);
        self.text.push_str(self.cell_format.separators().1);
    }

    /// Writes a number as it displays itself.
    pub(super) fn number(&mut self, number: impl Display) {
        let _ = write!(self.text, "{number}");
    }

    pub(super) fn boolean(&mut self, value: bool) {
        self.text.push_str(self.cell_format.boolean(value));
    }

    pub(super) fn string(&mut self, string: &str) {
        match self.cell_format {
            CellFormat::Python => python_repr(string, &mut self.text),
            CellFormat::Json => json_string(string, &mut self.text),
        }
    }

    /// Writes what was read elsewhere, however it was written there.
    pub(super) fn literal(&mut self, literal: &Literal<'_>) {
        match literal {
            Literal::Null => self.text.push_str(match self.cell_format {
                CellFormat::Python => "None",
                CellFormat::Json => "null",
            }),
            Literal::Boolean(value) => self.boolean(*value),
            Literal::Number(number) => match &*number.as_str() {
                // What Python prints of these is no literal.
                "inf" => self.text.push_str("1e999"),
                "-inf" => self.text.push_str("-1e999"),
                number => self.text.push_str(number),
            },
            Literal::Text(text) => self.string(text),
            Literal::List(items) => self.list(items, |writer, item| writer.literal(item)),
            Literal::Dict(entries) => {
                self.open_dict();
                for (key, value) in entries {
                    self.key(key);
                    self.literal(value);
                }
                self.close_dict();
            }
        }
    }

    fn open(&mut self, bracket: char) {
        self.text.push(bracket);
        self.is_first = true;
    }

    fn close(&mut self, bracket: char) {
        self.text.push(bracket);
        self.is_first = false;
    }

    fn next(&mut self) {
        if !std::mem::replace(&mut self.is_first, false) {
            self.text.push_str(self.cell_format.separators().0);
        }
    }
}

/// Appends a string in the quotes and with the escapes of Python's `repr`.
fn python_repr(string: &str, text: &mut String) {
    let quote = if string.contains('\'') && !string.contains('"') {
        '"'
    } else {
        '\''
    };
    text.push(quote);
    for character in string.chars() {
        match character {
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\\' => text.push_str("\\\\"),
            _ if character == quote => text.extend(['\\', quote]),
            _ if is_printable(character) => text.push(character),
            _ => escape(u32::from(character), text),
        }
    }
    text.push(quote);
}

fn escape(code: u32, text: &mut String) {
    let _ = match code {
        0..=0xff => write!(text, "\\x{code:02x}"),
        0x100..=0xffff => write!(text, "\\u{code:04x}"),
        _ => write!(text, "\\U{code:08x}"),
    };
}

/// Whether Python's `str.isprintable` holds, with the Unicode tables of this build.
fn is_printable(character: char) -> bool {
    if character.is_ascii() {
        return matches!(character, ' '..='~');
    }
    // The standard library escapes by the same rule as Python, once a character is not the first of its text, where
    // it might combine with a quote.
    let mut text = [b'a'; 5];
    let (_, second) = text.split_at_mut(1);
    let length = character.encode_utf8(second).len();
    let text = text
        .get(..=length)
        .and_then(|text| str::from_utf8(text).ok());
    text.is_some_and(|text| text.escape_debug().nth(1) == Some(character))
}

fn json_string(string: &str, text: &mut String) {
    text.push_str(&serde_json::Value::from(string).to_string());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_written_as_python_prints_it() {
        for (text, printed) in [
            ("", "''"),
            ("it's", "\"it's\""),
            ("\"it's\"", r#"'"it\'s"'"#),
            ("a\nb\rc\td\\", r"'a\nb\rc\td\\'"),
            ("\u{1}\u{7f}\u{a0}", r"'\x01\x7f\xa0'"),
            ("\u{100}\u{200b}", "'\u{100}\\u200b'"),
            ("\u{1f600}\u{e0001}", "'\u{1f600}\\U000e0001'"),
            ("~ é日", "'~ é日'"),
        ] {
            let mut written = String::new();
            python_repr(text, &mut written);
            assert_eq!(written, printed);
        }
    }
}

//! Where a reader stopped, what it expected there, and what it found.

/// The most characters of a token that a message shows.
const SHOWN: usize = 20;

/// Why a text is no plain value. Reading it again cannot help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: expected {expected}, found {found}")]
pub struct LiteralError {
    line: usize,
    column: usize,
    expected: &'static str,
    found: String,
}

impl LiteralError {
    /// The line, counted from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// What may stand there.
    pub fn expected(&self) -> &'static str {
        self.expected
    }

    /// What stands there, shortened.
    pub fn found(&self) -> &str {
        &self.found
    }

    /// The column, counted from 1, in characters.
    pub fn column(&self) -> usize {
        self.column
    }
}

/// A [`LiteralError`] whose position is still an offset into the text, so that two readers can be compared.
///
/// Boxed, as every value that is read passes through results that could be mistakes.
#[derive(Debug)]
pub(super) struct SyntaxError(Box<Parts>);

#[derive(Debug)]
struct Parts {
    at: usize,
    expected: &'static str,
    /// The token there, unless said otherwise.
    found: Option<String>,
}

impl SyntaxError {
    /// The token at `at` is not what was expected.
    pub(super) fn token(at: usize, expected: &'static str) -> Self {
        let found = None;
        Self(Box::new(Parts {
            at,
            expected,
            found,
        }))
    }

    /// Something other than a single token is not what was expected.
    pub(super) fn new(at: usize, expected: &'static str, found: impl Into<String>) -> Self {
        let found = Some(found.into());
        Self(Box::new(Parts {
            at,
            expected,
            found,
        }))
    }

    /// This mistake, unless the other reader read more.
    pub(super) fn or_further(self, other: Self) -> Self {
        if other.0.at > self.0.at { other } else { self }
    }

    /// Turns the offset into line and column of the text.
    pub(super) fn locate(self, text: &str) -> LiteralError {
        let Parts {
            at,
            expected,
            found,
        } = *self.0;
        let (line, column) = line_and_column(text, at);
        let rest = text.get(at..).unwrap_or_default();
        LiteralError {
            line,
            column,
            expected,
            found: found.unwrap_or_else(|| token(rest)),
        }
    }
}

/// The line and the column of an offset in bytes, both counted from 1, the column in characters.
///
/// `\n`, `\r\n` and `\r` end a line.
pub fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let ends = before.matches(['\n', '\r']).count() - before.matches("\r\n").count();
    let line_start = before.rfind(['\n', '\r']).map_or(0, |end| end + 1);
    let in_line = before.get(line_start..).unwrap_or_default();
    (ends + 1, in_line.chars().count() + 1)
}

/// Describes the first token of a text, shortened, in constant time.
fn token(rest: &str) -> String {
    // One more than is shown, and the quote before.
    let rest = rest
        .char_indices()
        .nth(SHOWN + 2)
        .map_or(rest, |(end, _)| rest.split_at(end).0);
    let Some(first) = rest.chars().next() else {
        return "the end of the text".into();
    };
    match first {
        '\n' | '\r' => "the end of the line".into(),
        '\'' | '"' => {
            let is_inside = |&(at, c): &(usize, char)| at == 0 || (c != first && !c.is_control());
            let inside = rest.char_indices().take_while(is_inside).map(|(_, c)| c);
            let closing = rest.chars().skip(1).find(|&c| c == first || c.is_control());
            shortened(inside.chain(closing.filter(|&c| c == first)))
        }
        '\\' => shortened(
            rest.char_indices()
                .take_while(|&(at, c)| at == 0 || c.is_ascii_alphanumeric())
                .map(|(_, c)| c),
        ),
        _ if is_word(first) => shortened(rest.chars().take_while(|&c| is_word(c))),
        _ if first.is_ascii_graphic() => format!("`{first}`"),
        '\t' => "a tab".into(),
        _ => format!("the character U+{:04X}", u32::from(first)),
    }
}

/// Whether a character belongs to a name or a number.
fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '.')
}

/// The characters between backticks, cut after the first few.
fn shortened(mut token: impl Iterator<Item = char>) -> String {
    let shown: String = token.by_ref().take(SHOWN).collect();
    let dots = if token.next().is_some() { "…" } else { "" };
    format!("`{shown}{dots}`")
}

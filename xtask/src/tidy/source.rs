//! The text of a source file as the measures need it: no comments, no content of literals.
//!
//! A scanner for formatted code instead of `syn`, which would take longer to build than this crate.
use std::iter;

/// A function with a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Function {
    pub(super) name: String,
    /// Lines of code, the signature included.
    pub(super) lines: usize,
}

/// A `mod name;` of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Module {
    pub(super) name: String,
    /// Whether it exists in tests only.
    pub(super) is_test: bool,
}

/// The code of a file, its tests apart; both keep the lines of the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Code {
    pub(super) product: String,
    pub(super) tests: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Token {
    Comment,
    Literal,
    Code,
}

impl Code {
    /// Reads a file; all of it is tests if its module is.
    pub(super) fn read(text: &str, is_test: bool) -> Self {
        let masked = mask(text);
        if is_test {
            let product = blank(&masked);
            return Self {
                product,
                tests: masked,
            };
        }
        let (mut product, mut tests) = (String::new(), String::new());
        let mut rest = masked.as_str();
        while let Some((before, item)) = split_once_before(rest, "#[cfg(test)]") {
            let (item, after) = item.split_at(length_of_item(item));
            product.extend([before, &blank(item)]);
            tests.extend([&*blank(before), item]);
            rest = after;
        }
        product.push_str(rest);
        tests.push_str(&blank(rest));
        Self { product, tests }
    }

    /// The modules that have files of their own.
    pub(super) fn modules(&self) -> impl Iterator<Item = Module> {
        let named = |code: &str, is_test| {
            let names = words(code, "mod").filter_map(|rest| {
                let name = identifier(rest)?;
                rest.trim_start()
                    .strip_prefix(name)?
                    .starts_with(';')
                    .then(|| name.to_owned())
            });
            let modules: Vec<_> = names.map(|name| Module { name, is_test }).collect();
            modules
        };
        named(&self.product, false)
            .into_iter()
            .chain(named(&self.tests, true))
    }
}

/// Lines that are not blank.
pub(super) fn lines(code: &str) -> usize {
    let lines = code.lines();
    lines.filter(|line| !line.trim().is_empty()).count()
}

/// The functions of masked code.
pub(super) fn functions(code: &str) -> impl Iterator<Item = Function> {
    words(code, "fn").filter_map(|rest| {
        let name = identifier(rest)?.to_owned();
        let (item, _) = rest.split_at(length_of_item(rest));
        let lines = lines(item);
        item.ends_with('}').then_some(Function { name, lines })
    })
}

/// What follows each occurrence of a keyword.
pub(super) fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = &'a str> {
    code.match_indices(word).filter_map(move |(at, _)| {
        let (before, rest) = code.split_at(at);
        let after = rest.strip_prefix(word)?;
        let is_word = !before.ends_with(is_part_of_name) && !after.starts_with(is_part_of_name);
        is_word.then_some(after)
    })
}

fn is_part_of_name(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn identifier(text: &str) -> Option<&str> {
    let text = text.strip_prefix(char::is_whitespace)?.trim_start();
    let end = text.find(|character| !is_part_of_name(character))?;
    text.get(..end).filter(|name| !name.is_empty())
}

/// The length of the item that masked code begins with: to its semicolon, or to the end of its block.
fn length_of_item(code: &str) -> usize {
    let mut depth = 0_u32;
    for (at, character) in code.char_indices() {
        match character {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 && matches!(character, ';' | '}') {
            return at + 1;
        }
    }
    code.len()
}

fn split_once_before<'a>(text: &'a str, pattern: &str) -> Option<(&'a str, &'a str)> {
    text.find(pattern).map(|at| text.split_at(at))
}

/// Spaces instead of comments, underscores instead of literals; the lines stay.
fn mask(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let (token, length) = token(rest, masked.chars().next_back());
        let (text, after) = rest.split_at(length);
        match token {
            Token::Code => masked.push_str(text),
            Token::Comment => masked.push_str(&blank(text)),
            Token::Literal => masked.push_str(&fill(text, '_')),
        }
        rest = after;
    }
    masked
}

fn blank(text: &str) -> String {
    fill(text, ' ')
}

fn fill(text: &str, with: char) -> String {
    let keep_line = |character| if character == '\n' { '\n' } else { with };
    text.chars().map(keep_line).collect()
}

/// The kind and length of what the text begins with.
fn token(text: &str, previous: Option<char>) -> (Token, usize) {
    let length = |found: Option<usize>| found.unwrap_or(text.len());
    if text.starts_with("//") {
        return (Token::Comment, length(text.find('\n')));
    }
    if text.starts_with("/*") {
        return (Token::Comment, length(text.find("*/").map(|at| at + 2)));
    }
    if let Some(quoted) = text.strip_prefix('"') {
        return (
            Token::Literal,
            length(end_of_string(quoted).map(|at| at + 1)),
        );
    }
    if let (Some(raw), false) = (
        text.strip_prefix('r'),
        previous.is_some_and(is_part_of_name),
    ) {
        let hashes = raw
            .chars()
            .take_while(|character| *character == '#')
            .count();
        let end: String = iter::once('"').chain(iter::repeat_n('#', hashes)).collect();
        if let Some(quoted) = raw.get(hashes..).and_then(|raw| raw.strip_prefix('"')) {
            let end = quoted.find(&end).map(|at| at + end.len() + hashes + 2);
            return (Token::Literal, length(end));
        }
    }
    if let Some(quoted) = text.strip_prefix('\'')
        && let Some(end) = end_of_character(quoted)
    {
        return (Token::Literal, end + 1);
    }
    (Token::Code, text.chars().next().map_or(1, char::len_utf8))
}

/// The length of a string without its first quote.
fn end_of_string(quoted: &str) -> Option<usize> {
    let mut is_escaped = false;
    for (at, character) in quoted.char_indices() {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// The length of a character without its first quote; `None` for a lifetime.
fn end_of_character(quoted: &str) -> Option<usize> {
    if let Some(escaped) = quoted.strip_prefix('\\') {
        let (at, _) = escaped.char_indices().skip(1).find(|(_, it)| *it == '\'')?;
        return Some(at + 2);
    }
    let character = quoted.chars().next()?;
    let rest = quoted.strip_prefix(character)?;
    rest.starts_with('\'').then(|| character.len_utf8() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_mask(text: &str, expected: &str) {
        assert_eq!(mask(text), expected);
    }

    #[test]
    fn comments_and_literals_are_masked() {
        check_mask("a // {\nb", "a     \nb");
        check_mask("a /* { */ b", "a         b");
        check_mask(r#"f("{\"", x)"#, "f(_____, x)");
        check_mask(r##"f(r#"{"#, x)"##, "f(______, x)");
        check_mask(r#"for r"}""#, "for ____");
        check_mask(r"('{', '\'', &'a str)", "(___, ____, &'a str)");
    }

    #[test]
    fn tests_are_apart_and_lines_stay() {
        let code = Code::read(
            "fn a() {\n}\n#[cfg(test)]\nmod b;\n#[cfg(test)]\n#[allow(x)]\nmod t {\n}\nmod c;\n",
            false,
        );
        assert_eq!((lines(&code.product), lines(&code.tests)), (3, 6));
        assert_eq!(code.product.lines().count(), 9);
        let modules: Vec<_> = code.modules().map(|it| (it.name, it.is_test)).collect();
        assert_eq!(modules, [("c".to_owned(), false), ("b".to_owned(), true)]);
    }

    #[test]
    fn functions_are_measured_without_blanks_and_comments() {
        let code = mask(
            "trait T {\n  fn none(&self) -> [u8; 4];\n}\nfn one() { \"}\"; }\nfn four(\n  f: fn(u8),\n) {\n\n  // a }\n}\n",
        );
        let found: Vec<_> = functions(&code).map(|it| (it.name, it.lines)).collect();
        assert_eq!(found, [("one".to_owned(), 1), ("four".to_owned(), 4)]);
    }
}

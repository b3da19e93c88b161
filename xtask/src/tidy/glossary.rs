//! Checks that docs, messages, names of types and the help of `flagctl` use the words of `docs/glossary.md`, and none that
//! stands there as "not".
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::tree::Tree;
use crate::metadata::Metadata;

const GLOSSARY: &str = "docs/glossary.md";

/// Pages outside of `docs/`. The change log is history, and keeps its words.
const PAGES: [&str; 4] = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "deploy/README.md",
];

/// A row of the glossary.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    word: String,
    synonyms: Vec<Synonym>,
}

/// A word that is not used for a concept.
#[derive(Debug, PartialEq, Eq)]
struct Synonym {
    word: String,
    /// Phrases in which it means something else.
    exceptions: Vec<String>,
}

/// Sources of `flagctl` whose doc comments its `--help` shows.
const HELP: [&str; 3] = [
    "crates/flagctl/src/args",
    "crates/flagctl/src/command_line",
    "crates/flagctl/src/commands",
];

/// A page, or the messages of a source file: lower case, single spaces.
struct Text {
    name: String,
    words: String,
}

/// Says which words of the glossary are not used, and which synonyms are.
pub(super) fn complaints(metadata: &Metadata, trees: &[Tree<'_>]) -> Result<Vec<String>> {
    let root = &metadata.workspace_root;
    let entries = entries(&read(&root.join(GLOSSARY))?);
    let mut texts = Vec::new();
    for path in pages(root)? {
        texts.push(Text {
            name: metadata.relative(&path).display().to_string(),
            words: normalized(&prose(&read(&path)?)),
        });
    }
    let mut code = String::new();
    let ours = ["xtask", "flag-tests", "flag-load"];
    let product = trees
        .iter()
        .filter(|tree| !ours.contains(&&*tree.package.name));
    for file in product.flat_map(|tree| &tree.files) {
        let source = read(&file.path)?;
        let name = metadata.relative(&file.path).display().to_string();
        let mut words = messages(&source, &file.code.product);
        words = words + " " + &type_names(&file.code.product);
        if HELP.iter().any(|help| is_of_module(&name, help)) {
            words = words + " " + &prose(&doc_comments(&source));
        }
        texts.push(Text {
            name,
            words: normalized(&words),
        });
        code.push_str(&file.code.product);
    }
    Ok(check(&entries, &texts, &normalized(&code)))
}

fn check(entries: &[Entry], texts: &[Text], code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for Entry { word, synonyms } in entries {
        let identifiers = [word.replace(' ', "_"), word.replace(' ', "")];
        let is_used = texts.iter().any(|text| contains(&text.words, word))
            || identifiers.iter().any(|name| code.contains(name));
        if !is_used {
            found.push(format!("{GLOSSARY}: nothing uses the word `{word}`"));
        }
        for synonym in synonyms {
            let using = texts.iter().filter(|text| synonym.is_in(&text.words));
            found.extend(using.map(|Text { name, .. }| {
                format!(
                    "{name}: write `{word}`, not `{}` ({GLOSSARY})",
                    synonym.word
                )
            }));
        }
    }
    found
}

impl Synonym {
    /// Reads `word` or `word (but: phrase, phrase)`.
    fn parse(text: &str) -> Self {
        let (word, exceptions) = match text.split_once(" (but: ") {
            Some((word, exceptions)) => (word, exceptions.trim_end_matches(')')),
            None => (text, ""),
        };
        let exceptions = exceptions.split(", ").filter(|phrase| !phrase.is_empty());
        Self {
            word: word.to_lowercase(),
            exceptions: exceptions.map(str::to_owned).collect(),
        }
    }

    fn is_in(&self, words: &str) -> bool {
        let mut words = words.to_owned();
        for phrase in &self.exceptions {
            words = words.replace(phrase, "");
        }
        contains(&words, &self.word) || contains(&words, &format!("{}s", self.word))
    }
}

/// The rows of the table: word, meaning, synonyms with semicolons between them.
fn entries(page: &str) -> Vec<Entry> {
    let rows = page.lines().filter_map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [word, _, synonyms] = cells.try_into().ok()?;
        let synonyms = synonyms.split("; ").filter(|text| !text.is_empty());
        Some(Entry {
            word: word.to_lowercase(),
            synonyms: synonyms.map(Synonym::parse).collect(),
        })
    });
    // The head of the table, and the line below it.
    rows.skip(2).collect()
}

fn pages(root: &Path) -> Result<Vec<PathBuf>> {
    let mut pages = PAGES.map(|page| root.join(page)).to_vec();
    for entry in fs::read_dir(root.join("docs")).context("cannot read docs")? {
        let path = entry?.path();
        let is_page = path.extension().is_some_and(|extension| extension == "md");
        if is_page && !path.ends_with(GLOSSARY) {
            pages.push(path);
        }
    }
    pages.sort_unstable();
    Ok(pages)
}

/// A page without its code blocks and code spans.
fn prose(page: &str) -> String {
    let blocks = page.split("```").step_by(2);
    let spans = blocks.flat_map(|text| text.split('`').step_by(2));
    spans.collect::<Vec<_>>().join(" ")
}

/// The string literals of a source file that hold several words, without what stands in braces; `product` is its
/// code, masked, without tests.
fn messages(source: &str, product: &str) -> String {
    let masked = source.chars().zip(product.chars());
    let literals: String = masked
        .map(|(character, mask)| match mask {
            '_' => character,
            '\n' => ' ',
            _ => '"',
        })
        .collect();
    let literals = literals.split('"').filter(|text| text.trim().contains(' '));
    let literals = literals.collect::<Vec<_>>().join(" ");
    let parts = literals.split('{');
    let parts = parts.map(|part| part.split_once('}').map_or(part, |(_, rest)| rest));
    parts.collect::<Vec<_>>().join(" ")
}

/// The names of the types that a source file defines, as words, one name a sentence.
fn type_names(product: &str) -> String {
    let words: Vec<&str> = product.split_whitespace().collect();
    let names = words.windows(2).filter_map(|pair| match pair {
        ["struct" | "enum" | "trait", name] => Some(*name),
        _ => None,
    });
    let names = names.flat_map(|name| {
        let name = name.split(|c: char| !c.is_alphanumeric()).next();
        name.unwrap_or_default().chars().chain(['.'])
    });
    let spaced = names.flat_map(|c| [c.is_uppercase().then_some(' '), Some(c)]);
    spaced.flatten().collect()
}

/// Whether a source file is that of a module, or of one below it.
fn is_of_module(file: &str, module: &str) -> bool {
    let rest = file.strip_prefix(module);
    rest.is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
}

/// The text of the comments that document items.
fn doc_comments(source: &str) -> String {
    let lines = source.lines();
    let lines = lines.filter_map(|line| line.trim_start().strip_prefix("///"));
    lines.collect::<Vec<_>>().join("\n")
}

fn normalized(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").to_lowercase()
}

/// Whether a text holds a phrase, as whole words.
fn contains(text: &str, phrase: &str) -> bool {
    let is_part = |character: char| character.is_alphanumeric() || matches!(character, '_' | '-');
    text.match_indices(phrase).any(|(at, _)| {
        let (before, rest) = text.split_at(at);
        let after = rest.strip_prefix(phrase).unwrap_or_default();
        !before.ends_with(is_part) && !after.starts_with(is_part)
    })
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# Glossary\n\n| Word | Meaning | Not |\n|---|---|---|\n\
        | revision | one of a flag | version (but: format version, version 1); variant |\n\
        | bucket | a place | |\n";

    #[track_caller]
    fn check_text(words: &str, expected: &[&str]) {
        let text = Text {
            name: "a.md".to_owned(),
            words: normalized(words),
        };
        assert_eq!(check(&entries(PAGE), &[text], "bucket"), expected);
    }

    #[test]
    fn a_word_that_nothing_uses_is_reported() {
        check_text("a revision", &[]);
        check_text(
            "nothing",
            &["docs/glossary.md: nothing uses the word `revision`"],
        );
    }

    #[test]
    fn a_synonym_is_reported_unless_it_means_something_else() {
        let complaint = "a.md: write `revision`, not `version` (docs/glossary.md)";
        check_text("Revision: the newest\nversion", &[complaint]);
        check_text("revision, versions", &[complaint]);
        check_text(
            "revision in format version 1, version 1 and conversion",
            &[],
        );
    }

    #[test]
    fn code_in_a_page_is_not_prose() {
        assert_eq!(prose("a `b` c\n```\nd\n```\ne"), "a   c\n \ne");
    }

    #[test]
    fn the_help_of_an_option_is_its_doc_comment() {
        let source = "/// Reshuffle:\n    /// a `bucket`\n// not this\nlet a = 1;";
        assert_eq!(doc_comments(source), " Reshuffle:\n a `bucket`");
        let is_help = |file| HELP.iter().any(|help| is_of_module(file, help));
        assert!(is_help("crates/flagctl/src/args/change.rs"));
        assert!(is_help("crates/flagctl/src/command_line.rs"));
        assert!(!is_help("crates/flagctl/src/command_lines.rs"));
    }

    #[test]
    fn the_name_of_a_type_is_words() {
        let product = "pub struct StaleValue<'a>(u8); enum Verdict { Stale }\nimpl<T> Verdict {";
        assert_eq!(type_names(product), " Stale Value. Verdict.");
    }

    #[test]
    fn messages_are_literals_of_several_words() {
        let source = "let a_b = \"one {b}word\"; // no literal\nf(\"single\", 'x');";
        let product = "let a_b = _____________;              \nf(________, ___);";
        assert_eq!(messages(source, product).trim(), "one  word");
    }
}

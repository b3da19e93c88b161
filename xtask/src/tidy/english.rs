//! Checks that texts and names contain no idioms that made readers stop.
use std::path::Path;

use anyhow::Result;

use super::read;
use crate::markdown::files;

/// Files that keep their words: history, and this one.
const EXEMPT: [&str; 2] = ["CHANGELOG.md", "xtask/src/tidy/english.rs"];

/// Idioms of one or two words, and what to write instead.
const IDIOMS: [(&str, &str); 3] = [
    ("whoever", "name the person or program"),
    ("so many", "name the number, or write `this many`"),
    (
        "is told, are told, was told, were told, be told, been told",
        "write `reported`, `notified`, `known`, `distinguished` or `configured`",
    ),
];

/// Says where idioms are.
pub(super) fn complaints(root: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for path in files(root, &["rs", "md", "toml"])? {
        let name = path.display().to_string();
        if !EXEMPT.contains(&&*name) {
            found.extend(check(&name, &read(&root.join(path))?));
        }
    }
    Ok(found)
}

/// Finds idioms also across line breaks and in names, whose words have `_` between them.
fn check(name: &str, text: &str) -> Vec<String> {
    let (mut found, mut before) = (Vec::new(), String::new());
    for (line, number) in text.to_lowercase().lines().zip(1..) {
        let words = line.split(|c: char| c.is_whitespace() || "_/!#>*(\"`".contains(c));
        for word in words.filter(|word| !word.is_empty()) {
            let last = word.trim_end_matches(|c: char| !c.is_alphanumeric());
            let both = format!("{before} {last}");
            let is_used = |idiom: &&str| [last, &both].contains(idiom);
            found.extend(IDIOMS.iter().filter_map(|(idioms, advice)| {
                let idiom = idioms.split(", ").find(is_used)?;
                Some(format!("{name}:{number}: not `{idiom}`; {advice}"))
            }));
            word.clone_into(&mut before);
        }
    }
    found
}

#[test]
fn an_idiom_is_reported_with_its_line() {
    let text = "/// He does so. Many: \"Whoever\n/// is\n/// Told, not retold.\"";
    let found = check("a", text);
    assert_eq!(found[0], "a:1: not `whoever`; name the person or program");
    assert!(found[1].starts_with("a:3: not `is told`;") && found.len() == 2);
}

//! What holds for any text that is read as a plain value; panics where it doesn't.
//!
//! The fuzzer runs this on what it makes up, and a test of `flag-store` on the corpus.
use std::collections::HashSet;

use flag_store::literal::{Literal, MAX_DEPTH, MAX_VALUES, Node, parse, parse_python};

/// Checks everything about one text.
pub(crate) fn check(text: &str) {
    let either = parse(text);
    let python = parse_python(text);
    match &either {
        Ok(value) => {
            is_bounded(value);
            is_in_its_place(value, text);
            is_read_back(value);
        }
        Err(error) => {
            assert!(python.is_err(), "only Python reads {text:?}");
            assert!(error.to_string().len() < 200, "{error}");
            assert!(error.line() <= text.len() + 1 && error.column() <= text.len() + 1);
            let is_json = serde_json::from_str::<serde_json::Value>(text).is_ok();
            assert!(!is_json || error.expected().contains("at most"), "{error}");
        }
    }
    if let (Ok(either), Ok(python)) = (&either, &python) {
        is_bounded(python);
        is_in_its_place(python, text);
        // With a backslash, JSON and Python may mean different texts.
        assert!(
            text.contains('\\') || either == python,
            "{either:?} {python:?}"
        );
    }
}

/// No more depth and no more values than are promised, and no key twice.
fn is_bounded(value: &Node<'_>) {
    let mut values = 0;
    let mut open = vec![(value, 0)];
    while let Some((value, depth)) = open.pop() {
        values += 1;
        assert!(depth <= MAX_DEPTH);
        match &value.literal {
            Literal::List(items) => open.extend(items.iter().map(|item| (item, depth + 1))),
            Literal::Dict(entries) => {
                let keys: HashSet<&str> = entries.iter().map(|(key, _)| &**key).collect();
                assert_eq!(keys.len(), entries.len(), "a key is there twice");
                open.extend(entries.iter().map(|(_, value)| (value, depth + 1)));
            }
            _ => {}
        }
    }
    assert!(values <= MAX_VALUES);
}

/// Each value begins with what it can begin with, and behind the beginning of what it stands in.
fn is_in_its_place(root: &Node<'_>, text: &str) {
    let mut open = vec![root];
    while let Some(value) = open.pop() {
        let first = text.get(value.at..).and_then(|rest| rest.chars().next());
        let fits = match (&value.literal, first) {
            (_, Some('(')) => true,
            (Literal::Null, first) => matches!(first, Some('n' | 'N')),
            (Literal::Boolean(_), first) => matches!(first, Some('t' | 'T' | 'f' | 'F')),
            (Literal::Number(_), first) => matches!(first, Some('+' | '-' | '.' | '0'..='9')),
            (Literal::Text(_), first) => matches!(first, Some('\'' | '"' | 'r' | 'R' | 'u' | 'U')),
            // A tuple without brackets begins with its first item.
            (Literal::List(items), first) => {
                first == Some('[') || items.first().is_some_and(|item| item.at == root.at)
            }
            (Literal::Dict(_), first) => first == Some('{'),
        };
        assert!(fits, "{value:?} in {text:?}");
        let inside: Vec<&Node<'_>> = match &value.literal {
            Literal::List(items) => items.iter().collect(),
            Literal::Dict(entries) => entries.iter().map(|(_, value)| value).collect(),
            _ => Vec::new(),
        };
        let is_behind = |item: &&Node<'_>| item.at > value.at || value.at == root.at;
        assert!(inside.iter().all(is_behind), "{value:?} in {text:?}");
        open.extend(inside);
    }
}

/// What is shown for a value is the value again, unless it has an escape, which Rust spells in its own way.
fn is_read_back(value: &Node<'_>) {
    let shown = value.to_string();
    if !shown.contains('\\') && !shown.contains("inf") {
        assert_eq!(parse(&shown).as_ref(), Ok(value));
    }
}

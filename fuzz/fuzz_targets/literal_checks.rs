//! What holds for any text that is read as a plain value; panics where it doesn't.
//!
//! The fuzzer runs this on what it makes up, and a test of `flag-store` on the corpus.
use std::collections::HashSet;

use flag_store::literal::{Arena, Literal, MAX_DEPTH, MAX_VALUES, parse, parse_python};

/// Checks everything about one text.
pub(crate) fn check(text: &str) {
    let arena = Arena::new();
    let either = parse(text, &arena);
    let python = parse_python(text, &arena);
    match &either {
        Ok(value) => {
            is_bounded(value);
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
        // With a backslash, JSON and Python may mean different texts.
        assert!(text.contains('\\') || either == python, "{either} {python}");
    }
}

/// No more depth and no more values than are promised, and no key twice.
fn is_bounded(value: &Literal<'_>) {
    let mut values = 0;
    let mut open = vec![(value, 0)];
    while let Some((value, depth)) = open.pop() {
        values += 1;
        assert!(depth <= MAX_DEPTH);
        match value {
            Literal::List(items) => open.extend(items.iter().map(|item| (item, depth + 1))),
            Literal::Dict(entries) => {
                let keys: HashSet<&str> = entries.iter().map(|(key, _)| *key).collect();
                assert_eq!(keys.len(), entries.len(), "a key is there twice");
                open.extend(entries.iter().map(|(_, value)| (value, depth + 1)));
            }
            _ => {}
        }
    }
    assert!(values <= MAX_VALUES);
}

/// What is shown for a value is the value again, unless it has an escape, which Rust spells in its own way.
fn is_read_back(value: &Literal<'_>) {
    let shown = value.to_string();
    if !shown.contains('\\') && !shown.contains("inf") {
        assert_eq!(parse(&shown, &Arena::new()).as_ref(), Ok(value));
    }
}

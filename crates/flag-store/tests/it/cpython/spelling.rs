//! Compares how cells of version 1 are written with the machine's `python3`, by every character that there is.

use flag_model::{
    BucketScheme, FlagValue, HashAlgorithm, InstanceId, Percent, Revision, RevisionParts,
    Timestamp, Treatment,
};
use flag_store::{RowOptions, encode_revision};

use super::judge;

/// How many characters a text has.
const CHARACTERS: usize = 100;

/// Texts in which what decides about quotes and escapes stands side by side.
const TRICKY: [&str; 10] = [
    "",
    "'",
    "\"",
    "'\"",
    "\\'",
    "\\\"",
    "a\\",
    "\u{301}",
    "\u{e9}\u{301}",
    "\\N{DASH}{}",
];

#[test]
fn treatments_are_written_as_python_writes_them() {
    let all: Vec<char> = (0..=u32::from(char::MAX))
        .filter_map(char::from_u32)
        .collect();
    let chunks = all.chunks(CHARACTERS).map(|chunk| chunk.iter().collect());
    let texts = TRICKY.iter().map(|text| (*text).to_owned()).chain(chunks);
    let cells: Vec<String> = texts.map(|text| cell(&text)).collect();
    assert!(cells.len() > 11_000);
    let mut differences = Vec::new();
    judge("spelling.py", &cells, |cell, judgement| {
        if judgement != "same" && differences.len() < 10 {
            differences.push(format!("ours: {cell:?}\nPython: {judgement}"));
        }
    });
    assert!(differences.is_empty(), "{}", differences.join("\n\n"));
}

/// The Treatments cell of a revision that serves a text, and lists it where it can be an id.
fn cell(text: &str) -> String {
    let id = InstanceId::new(text.to_owned()).ok();
    let treatment = Treatment {
        name: None,
        overrides: id.into_iter().collect(),
        percent: Percent::from_buckets(40_000).unwrap(),
        value: FlagValue::text(text).unwrap(),
        ranges: vec![],
    };
    let parts = RevisionParts {
        flag: "p/data/f".parse().unwrap(),
        scheme: BucketScheme::v1(HashAlgorithm::Md5),
        control: FlagValue::text("").unwrap(),
        treatments: vec![treatment],
        comment: String::new(),
        owner: None,
        rollback_of: None,
    };
    let revision = Revision::new(Timestamp::UNIX_EPOCH, parts).unwrap();
    let row = encode_revision(&revision, &RowOptions::default()).unwrap();
    String::from_utf8(row.cells.get("Treatments").unwrap().to_vec()).unwrap()
}

//! JSON written straight into its buffer, as serde writes it; text without escapes is copied.

use flag_model::FlagValue;

/// Writes a string.
#[inline]
pub(super) fn string(json: &mut Vec<u8>, text: &str) {
    if is_plain(text.as_bytes()) {
        plain(json, text.as_bytes());
    } else {
        // Writing to memory cannot fail, nor can writing a string.
        let _ = serde_json::to_writer(json, text);
    }
}

/// Writes a string that needs no escapes.
#[inline]
pub(super) fn plain(json: &mut Vec<u8>, text: &[u8]) {
    debug_assert!(is_plain(text));
    json.push(b'"');
    json.extend_from_slice(text);
    json.push(b'"');
}

/// Writes the value of a flag.
#[inline]
pub(super) fn value(json: &mut Vec<u8>, value: &FlagValue) {
    match value {
        FlagValue::Boolean(true) => json.extend_from_slice(b"true"),
        FlagValue::Boolean(false) => json.extend_from_slice(b"false"),
        FlagValue::Text(text) => string(json, text),
    }
}

/// Whether a text needs no escapes. Looks at all of it, which is faster than stopping early.
fn is_plain(text: &[u8]) -> bool {
    let special = |byte: u8| byte < b' ' || byte == b'"' || byte == b'\\';
    !text
        .iter()
        .fold(false, |found, byte| found | special(*byte))
}

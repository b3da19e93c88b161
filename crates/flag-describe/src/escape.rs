//! Text for a terminal or a page: control characters and invisible characters are escaped.

use std::fmt::Write as _;

use icu_normalizer::ComposingNormalizerBorrowed;

/// The Unicode normal form NFC.
const NFC: ComposingNormalizerBorrowed<'_> = ComposingNormalizerBorrowed::new_nfc();

/// Text on one line, with control characters and invisible ones escaped. Idempotent.
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        push(&mut escaped, character);
    }
    escaped
}

/// Lines, each of them as [`escaped`].
pub fn escaped_lines(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(escaped).collect();
    lines.join("\n")
}

/// A value, a name or an id; in quotes if it looks empty or like another one.
pub fn visible(text: &str) -> String {
    if hidden_content(text).is_none() && !text.is_empty() && text != "-" && !text.starts_with('"') {
        return text.to_owned();
    }
    in_quotes(text)
}

/// Whether a person who sees a name as [`visible`] shows it has typed or copied that name: as it is, or as it is shown. No
/// other name looks like it.
pub fn is_typed(name: &str, typed: &str) -> bool {
    typed == name || typed == visible(name)
}

/// Like [`visible`], for an item of a comma-separated list.
pub fn list_item(text: &str) -> String {
    if text.contains(',') {
        return in_quotes(text);
    }
    visible(text)
}

/// A part of a text that a reader would not notice; `None` if there is none.
pub fn hidden_content(text: &str) -> Option<&'static str> {
    if text.contains(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']) {
        Some("a line break")
    } else if text.chars().any(|c| c.is_control() || is_invisible(c)) {
        Some("an invisible character")
    } else if text.chars().any(is_odd_space) {
        Some("an unusual space character")
    } else if text.trim() != text {
        Some("a space at its beginning or end")
    } else if !NFC.is_normalized(text) {
        Some("a letter that is not in Unicode normal form NFC")
    } else {
        None
    }
}

/// JSON with control characters and invisible characters escaped; its meaning stays.
pub fn escaped_json(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        // Such characters occur in texts only; line breaks also between them.
        if is_invisible(character) || (character.is_control() && character != '\n') {
            for unit in character.encode_utf16(&mut [0; 2]) {
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        } else {
            escaped.push(character);
        }
    }
    escaped
}

fn in_quotes(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    let mut before = None;
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            _ if is_odd_space(character) || is_part(before, character) => {
                quoted.extend(character.escape_unicode());
            }
            _ => push(&mut quoted, character),
        }
        before = Some(character);
    }
    quoted.push('"');
    quoted
}

fn push(text: &mut String, character: char) {
    if is_invisible(character) {
        text.extend(character.escape_unicode());
    } else if character.is_control() {
        text.extend(character.escape_debug());
    } else {
        text.push(character);
    }
}

/// Whether a character is invisible or changes the direction of text: Unicode's default-ignorable characters, and the
/// separators and controls among its formats.
pub fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Whether a character combines with the one before to a letter that NFC writes as one character.
fn is_part(before: Option<char>, character: char) -> bool {
    let both = || before.into_iter().chain([character]).collect::<String>();
    !character.is_ascii() && !NFC.is_normalized(&both())
}

/// Whether a character looks like a space and is another; French and Japanese texts use some.
fn is_odd_space(character: char) -> bool {
    character != ' ' && character.is_whitespace() && !character.is_control()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_obeys_nothing_that_is_shown() {
        assert_eq!(
            super::escaped("a\nb\u{1b}[31m\tö 日"),
            "a\\nb\\u{1b}[31m\\tö 日"
        );
        for hostile in [
            "\u{9b}",
            "\u{202e}",
            "\u{61c}",
            "\u{ad}",
            "\u{e0041}",
            "\u{fe0f}",
        ] {
            let escaped: String = hostile.chars().flat_map(char::escape_unicode).collect();
            assert_eq!(super::escaped(hostile), escaped);
            assert_eq!(super::escaped(&escaped), escaped);
        }
    }

    #[test]
    fn what_would_look_like_something_else_is_in_quotes() {
        for (text, expected) in [
            ("A12345", "A12345"),
            ("a b, \"c\"", "a b, \"c\""),
            ("", "\"\""),
            ("-", "\"-\""),
            ("A12345 ", "\"A12345 \""),
            ("\"\"", "\"\\\"\\\"\""),
            ("a\u{200b}b", "\"a\\u{200b}b\""),
            ("é e\u{301} \u{212b}", "\"é e\\u{301} \\u{212b}\""),
            ("a\\\n", "\"a\\\\\\n\""),
            ("a\u{a0}b", "\"a\\u{a0}b\""),
        ] {
            assert_eq!(visible(text), expected);
        }
        assert_eq!(list_item("a,b"), "\"a,b\"");
    }

    #[test]
    fn a_name_is_typed_as_it_is_or_as_it_is_shown() {
        for (name, typed) in [
            ("a", "a"),
            ("a\u{200b}b", "\"a\\u{200b}b\""),
            ("a\u{200b}b", "a\u{200b}b"),
            ("a ", "\"a \""),
            ("e\u{301}", "\"e\\u{301}\""),
            ("\"a\"", "\"\\\"a\\\"\""),
        ] {
            assert!(is_typed(name, typed), "{name:?} {typed}");
        }
        for (name, typed) in [
            ("a", "A"),
            ("a", "\"a\""),
            ("a\u{200b}b", "ab"),
            ("a\u{200b}b", "a\\u{200b}b"),
            ("a ", "a"),
            // Shown in other quotes itself.
            ("\"a\\u{200b}b\"", "\"a\u{200b}b\""),
        ] {
            assert!(!is_typed(name, typed), "{name:?} {typed}");
        }
    }

    #[test]
    fn what_hides_is_named() {
        assert_eq!(hidden_content("a b"), None);
        assert_eq!(
            hidden_content(" a"),
            Some("a space at its beginning or end")
        );
        assert_eq!(hidden_content("a\r\n"), Some("a line break"));
        assert_eq!(hidden_content("a\u{200b}b"), Some("an invisible character"));
        for spelled in [
            "e\u{301}",
            "A\u{30a}ngstrom",
            "\u{212b}",
            "\u{1112}\u{1161}\u{11ab}",
        ] {
            assert_eq!(
                hidden_content(spelled),
                Some("a letter that is not in Unicode normal form NFC")
            );
        }
        for usual in ["\u{e9}", "\u{c5}", "\u{d55c}", "q\u{301}", "日本 🚀"] {
            assert_eq!(hidden_content(usual), None);
        }
        assert_eq!(
            hidden_content("a\u{a0}b"),
            Some("an unusual space character")
        );
    }

    #[test]
    fn escaped_json_says_the_same() {
        let text = "é😀\u{9b}\u{202e}\u{e0041}\\u202e\u{7f}\u{1}";
        let json = serde_json::to_string_pretty(&[text]).unwrap();
        let escaped = escaped_json(&json);
        let read: Vec<String> = serde_json::from_str(&escaped).unwrap();
        assert_eq!(read, [text]);
        assert_eq!(escaped_lines(&escaped), escaped);
        assert!(
            escaped.contains("é😀\\u009b\\u202e\\udb40\\udc41\\\\u202e"),
            "{escaped}"
        );
    }
}

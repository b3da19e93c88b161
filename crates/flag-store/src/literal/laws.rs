//! The laws of the readers, as properties.

use std::fmt::Write;

use proptest::prelude::*;

use super::error::Mistake;
use super::reader::{Reader, furthest};
use super::*;

proptest! {
    #[test]
    fn any_text_is_read_without_a_panic(text in any::<String>(), pieces in pieces()) {
        for text in [text, pieces] {
            for read in [parse, parse_python] {
                if let Err(error) = read(&text, &Arena::new()) {
                    prop_assert!(error.to_string().len() < 200);
                }
            }
        }
    }

    #[test]
    fn what_python_prints_is_read_back(value in literal()) {
        let mut text = String::new();
        print_as_python(&value, &mut text);
        let arena = Arena::new();
        prop_assert_eq!(parse_python(&text, &arena), Ok(value), "{}", text);
        prop_assert_eq!(parse(&text, &arena), Ok(value), "{}", text);
    }

    #[test]
    fn where_one_reader_takes_over_does_not_show(text in prop_oneof![json(), pieces(), damaged(json()), damaged(python()), damaged(mixed())]) {
        let arena = Arena::new();
        let one_by_one = read_json(&text, &arena).or_else(|of_json| {
            reader::read_python(&text, &arena).map_err(|of_python| furthest(of_json, of_python))
        });
        prop_assert_eq!(parse(&text, &arena), one_by_one.map_err(|mistake| mistake.locate(&text)));
    }

    #[test]
    fn floats_are_read_as_rust_reads_them(text in "[0-9]{1,20}\\.[0-9]{0,18}(e[-+]?0{0,6}[0-9]{1,3})?") {
        let arena = Arena::new();
        let Ok(Literal::Number(number)) = parse_python(&text, &arena) else {
            return Err(TestCaseError::fail("no number"));
        };
        prop_assert_eq!(number.as_str().parse::<f64>(), text.parse::<f64>(), "{}", text);
    }

    #[test]
    fn plain_bytes_are_counted_eight_at_a_time(bytes in any::<[u8; 8]>(), quote in prop::sample::select(b"'\"".to_vec())) {
        let one_by_one = bytes.iter().position(|&byte| byte == quote || byte == b'\\' || byte < b' ');
        prop_assert_eq!(cursor::plain_bytes(u64::from_le_bytes(bytes), quote), one_by_one.unwrap_or(8));
    }

    #[test]
    fn json_is_read_as_serde_json_reads_it(text in prop_oneof![json(), pieces(), damaged(json())]) {
        let arena = Arena::new();
        match (read_json(&text, &arena), serde_json::from_str(&text)) {
            (Ok(ours), Ok(theirs)) => prop_assert!(is_same(&ours, &theirs), "{ours} is not {theirs}"),
            // Python takes it for infinity.
            (Ok(_), Err(error)) => prop_assert!(error.to_string().contains("number out of range")),
            (Err(mistake), theirs) => prop_assert!(theirs.is_err(), "{mistake:?}"),
        }
    }
}

fn read_json<'a>(text: &'a str, arena: &'a Arena<'a>) -> Result<Literal<'a>, Mistake> {
    json::read(&mut Reader::new(text, arena)?)
}

/// An arena that is never freed, as values that are made up don't end with a text.
fn endless() -> &'static Arena<'static> {
    Box::leak(Box::default())
}

/// Texts of tokens that mean something to one of the readers.
fn pieces() -> impl Strategy<Value = String> {
    const PIECES: &[&str] = &[
        "[", "]", "{", "}", "(", ")", ",", ":", "'", "\"", "'''", "\"\"\"", "\\", "\n", "\r\n",
        " ", "#", "+", "-", ".", "_", "0", "1", "9e9", "0x", "j", "True", "None", "true", "null",
        "r", "b", "f", "u", "\\ud83d", "\\ude00", "\\x4", "\\N{", "é", "\0", "\x0c", "\"a\"",
        "'b'", "1.5", "{\"a\":", "[[[[[[[[",
    ];
    prop::collection::vec(prop::sample::select(PIECES), 0..30).prop_map(|pieces| pieces.concat())
}

fn literal() -> impl Strategy<Value = Literal<'static>> {
    let integer = any::<i128>().prop_map(|integer| integer.to_string());
    let float = any::<f64>().prop_map(|float| format!("{float:e}"));
    let number = prop_oneof![
        (0..=100_u8).prop_map(|percent| percent.to_string()),
        integer,
        float
    ]
    .prop_filter_map("a number", |text: String| {
        match parse_python(text.leak(), endless()) {
            Ok(number @ Literal::Number(_)) => Some(number),
            _ => None,
        }
    });
    let leaf = prop_oneof![
        Just(Literal::Null),
        any::<bool>().prop_map(Literal::Boolean),
        number.prop_filter("spelled otherwise", |number| !number
            .to_string()
            .contains("inf")),
        any::<String>().prop_map(|text| Literal::Text(text.leak())),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        let items = prop::collection::vec(inner.clone(), 0..6);
        let entries = prop::collection::btree_map(any::<String>(), inner, 0..6);
        prop_oneof![
            items.prop_map(|items| endless().list(&mut items.clone(), 0)),
            entries.prop_map(|entries| {
                let entries = entries.into_iter();
                let mut entries: Vec<_> =
                    entries.map(|(key, value)| (&*key.leak(), value)).collect();
                endless().dict(&mut entries, 0)
            }),
        ]
    })
}

fn json() -> impl Strategy<Value = String> {
    literal().prop_map(|value| as_json(&value).to_string())
}

fn python() -> impl Strategy<Value = String> {
    literal().prop_map(|value| {
        let mut text = String::new();
        print_as_python(&value, &mut text);
        text
    })
}

/// What both readers take, as Python spells it but for the quotes.
fn mixed() -> impl Strategy<Value = String> {
    python().prop_map(|text| text.replace('\'', "\""))
}

fn damaged(text: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    (text, any::<prop::sample::Index>(), pieces()).prop_map(|(text, place, piece)| {
        let mut characters: Vec<String> = text.chars().map(String::from).collect();
        let place = place.index(characters.len());
        characters[place] = piece.chars().take(2).collect();
        characters.concat()
    })
}

fn as_json(value: &Literal<'_>) -> serde_json::Value {
    match value {
        Literal::Null => serde_json::Value::Null,
        Literal::Boolean(value) => (*value).into(),
        Literal::Number(number) => serde_json::from_str(&number.as_str()).unwrap(),
        Literal::Text(text) => (*text).into(),
        Literal::List(items) => items.iter().map(as_json).collect(),
        Literal::Dict(entries) => {
            let entries = entries
                .iter()
                .map(|(key, value)| ((*key).to_owned(), as_json(value)));
            serde_json::Value::Object(entries.collect())
        }
    }
}

/// Whether two values are the same, but for the last digits of a number, which `serde_json` doesn't promise.
fn is_same(ours: &Literal<'_>, theirs: &serde_json::Value) -> bool {
    use serde_json::Value;
    match (ours, theirs) {
        (Literal::Null, Value::Null) => true,
        (Literal::Boolean(ours), Value::Bool(theirs)) => ours == theirs,
        (Literal::Text(ours), Value::String(theirs)) => ours == theirs,
        (Literal::Number(ours), Value::Number(theirs)) => {
            let (ours, theirs): (f64, f64) =
                (ours.as_str().parse().unwrap(), theirs.as_f64().unwrap());
            (ours - theirs).abs() <= theirs.abs() * 1e-15 + f64::MIN_POSITIVE
        }
        (Literal::List(ours), Value::Array(theirs)) => {
            ours.len() == theirs.len()
                && ours
                    .iter()
                    .zip(theirs)
                    .all(|(ours, theirs)| is_same(ours, theirs))
        }
        (Literal::Dict(ours), Value::Object(theirs)) => {
            ours.len() == theirs.len()
                && ours
                    .iter()
                    .all(|(key, ours)| theirs.get(*key).is_some_and(|theirs| is_same(ours, theirs)))
        }
        _ => false,
    }
}

/// Prints a value as `repr` of Python does, close enough.
fn print_as_python(value: &Literal<'_>, text: &mut String) {
    match value {
        Literal::Null => text.push_str("None"),
        Literal::Boolean(true) => text.push_str("True"),
        Literal::Boolean(false) => text.push_str("False"),
        Literal::Number(number) => text.push_str(&number.as_str()),
        Literal::Text(value) => print_text_as_python(value, text),
        Literal::List(items) => {
            text.push('[');
            for item in *items {
                print_as_python(item, text);
                text.push_str(", ");
            }
            text.push(']');
        }
        Literal::Dict(entries) => {
            text.push('{');
            for (key, value) in *entries {
                print_text_as_python(key, text);
                text.push_str(": ");
                print_as_python(value, text);
                text.push_str(", ");
            }
            text.push('}');
        }
    }
}

fn print_text_as_python(value: &str, text: &mut String) {
    let quote = if value.contains('\'') && !value.contains('"') {
        '"'
    } else {
        '\''
    };
    text.push(quote);
    for character in value.chars() {
        match character {
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\\' => text.push_str("\\\\"),
            _ if character == quote => text.extend(['\\', quote]),
            '\0'..' ' | '\x7f'..='\u{ff}' => {
                write!(text, "\\x{:02x}", u32::from(character)).unwrap();
            }
            '\u{2028}'..='\u{202f}' => write!(text, "\\u{:04x}", u32::from(character)).unwrap(),
            '\u{e0000}'.. => write!(text, "\\U{:08x}", u32::from(character)).unwrap(),
            _ => text.push(character),
        }
    }
    text.push(quote);
}

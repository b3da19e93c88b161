//! The laws of the readers, as properties.

use std::fmt::Write;

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn any_text_is_read_without_a_panic(text in any::<String>(), pieces in pieces()) {
        for text in [text, pieces] {
            for read in [parse, parse_python] {
                if let Err(error) = read(&text) {
                    prop_assert!(error.to_string().len() < 200);
                }
            }
        }
    }

    #[test]
    fn what_python_prints_is_read_back(value in literal()) {
        let mut text = String::new();
        print_as_python(&value, &mut text);
        let value = Node { at: 0, literal: value };
        prop_assert_eq!(parse_python(&text), Ok(value.clone()), "{}", text);
        prop_assert_eq!(parse(&text), Ok(value), "{}", text);
    }

    #[test]
    fn where_one_reader_takes_over_does_not_show(text in prop_oneof![json(), pieces(), damaged(json()), damaged(python()), damaged(mixed())]) {
        let json = json::read(&text).map_err(|mistake| mistake.locate(&text));
        let json = json.map(|(node, _)| node);
        let expected = match (json, parse_python(&text)) {
            (Ok(value), _) | (Err(_), Ok(value)) => Ok(value),
            (Err(of_json), Err(of_python)) if place(&of_json) > place(&of_python) => Err(of_json),
            (Err(_), Err(of_python)) => Err(of_python),
        };
        prop_assert_eq!(parse(&text), expected);
    }

    #[test]
    fn every_value_knows_where_it_stands(value in literal()) {
        let (mut text, mut indices) = (String::new(), Vec::new());
        print_with_places(&value, &mut text, &mut indices);
        let read = parse(&text).unwrap();
        let (mut found, mut open) = (Vec::new(), vec![&read]);
        while let Some(node) = open.pop() {
            found.push(node.at);
            match &node.literal {
                Literal::List(items) => open.extend(items.iter().rev()),
                Literal::Dict(entries) => open.extend(entries.iter().rev().map(|(_, value)| value)),
                _ => {}
            }
        }
        prop_assert_eq!(found, indices, "{}", text);
    }

    #[test]
    fn floats_are_read_as_rust_reads_them(text in "[0-9]{1,20}\\.[0-9]{0,18}(e[-+]?0{0,6}[0-9]{1,3})?") {
        let Ok(Literal::Number(number)) = parse_python(&text).map(|node| node.literal) else {
            return Err(TestCaseError::fail("no number"));
        };
        prop_assert_eq!(number.as_str().parse::<f64>(), text.parse::<f64>(), "{}", text);
    }

    #[test]
    fn json_is_read_as_serde_json_reads_it(text in prop_oneof![json(), pieces(), damaged(json())]) {
        match (json::read(&text), serde_json::from_str(&text)) {
            (Ok((ours, _)), Ok(theirs)) => prop_assert!(is_same(&ours, &theirs), "{ours:?} is not {theirs}"),
            // Python takes it for infinity.
            (Ok(_), Err(error)) => prop_assert!(error.to_string().contains("number out of range")),
            (Err(mistake), theirs) => prop_assert!(theirs.is_err(), "{mistake:?}"),
        }
    }
}

fn place(error: &LiteralError) -> (usize, usize) {
    (error.line(), error.column())
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
        match parse_python(&text).map(|node| node.literal) {
            Ok(Literal::Number(number)) => Some(Literal::Number(number)),
            _ => None,
        }
    });
    let leaf = prop_oneof![
        Just(Literal::Null),
        any::<bool>().prop_map(Literal::Boolean),
        number.prop_filter("spelled otherwise", |number| !number
            .to_string()
            .contains("inf")),
        any::<String>().prop_map(|text| Literal::Text(text.into())),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        let items = prop::collection::vec(inner.clone(), 0..6);
        let entries = prop::collection::btree_map(any::<String>(), inner, 0..6);
        let node = |literal| Node { at: 0, literal };
        prop_oneof![
            items.prop_map(move |items| Literal::List(items.into_iter().map(node).collect())),
            entries.prop_map(move |entries| {
                let entries = entries.into_iter();
                Literal::Dict(
                    entries
                        .map(|(key, value)| (key.into(), node(value)))
                        .collect(),
                )
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
        Literal::Text(text) => text.clone().into(),
        Literal::List(items) => items.iter().map(|item| as_json(item)).collect(),
        Literal::Dict(entries) => {
            let entries = entries
                .iter()
                .map(|(key, value)| (key.clone().into_owned(), as_json(value)));
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
                && ours.iter().all(|(key, ours)| {
                    theirs
                        .get(&**key)
                        .is_some_and(|theirs| is_same(ours, theirs))
                })
        }
        _ => false,
    }
}

fn print_as_python(value: &Literal<'_>, text: &mut String) {
    print_with_places(value, text, &mut Vec::new());
}

/// Prints a value as `repr` of Python does, close enough, and notes where it and each one in it begins.
fn print_with_places(value: &Literal<'_>, text: &mut String, indices: &mut Vec<usize>) {
    indices.push(text.len());
    match value {
        Literal::Null => text.push_str("None"),
        Literal::Boolean(true) => text.push_str("True"),
        Literal::Boolean(false) => text.push_str("False"),
        Literal::Number(number) => text.push_str(&number.as_str()),
        Literal::Text(value) => print_text_as_python(value, text),
        Literal::List(items) => {
            text.push('[');
            for item in items {
                print_with_places(item, text, indices);
                text.push_str(", ");
            }
            text.push(']');
        }
        Literal::Dict(entries) => {
            text.push('{');
            for (key, value) in entries {
                print_text_as_python(key, text);
                text.push_str(": ");
                print_with_places(value, text, indices);
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

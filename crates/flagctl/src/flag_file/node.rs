//! YAML, which includes JSON, as a tree with the position of each value.
//!
//! serde structs would stop at the first error, and lose the positions of unknown fields.

use std::fmt;

use flag_model::quoted;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{DuplicateKeyPolicy, Spanned};

use super::{FileError, FileErrors};

/// Line and column, from one; zero if unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) line: u64,
    pub(crate) column: u64,
}

/// A value and its position.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) position: Position,
    pub(crate) kind: Kind,
}

/// A value.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Null,
    Boolean(bool),
    /// Its digits.
    Number(String),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

/// Reads a text; a repeated key in a map, an alias bomb or a second document is an error.
pub(crate) fn parse(text: &str) -> Result<Node, FileErrors> {
    // The limits protect from hostile files; a list of overrides may be long.
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: 100_000_000,
            max_nodes: 50_000_000,
            max_total_scalar_bytes: 1 << 30,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: 100_000 },
        duplicate_keys: DuplicateKeyPolicy::Error,
        strict_booleans: true,
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| mistake(&error))
}

fn mistake(error: &serde_saphyr::Error) -> FileErrors {
    let position = error.location().map_or_else(Position::default, position);
    let message = match error.without_snippet() {
        serde_saphyr::Error::DuplicateMappingKey { key, .. } => {
            let key = key
                .as_deref()
                .map_or_else(String::new, |key| format!(" {key}"));
            format!("found{key} twice, expected each field once")
        }
        other => without_position(&other.to_string(), position),
    };
    FileErrors(vec![FileError { position, message }])
}

/// The library's message without the position, which is shown already.
fn without_position(said: &str, position: Position) -> String {
    let first = said.lines().next().unwrap_or_default();
    let said = first.strip_suffix(&format!(" at {position}"));
    said.unwrap_or(first).to_owned()
}

fn position(location: serde_saphyr::Location) -> Position {
    Position {
        line: location.line(),
        column: location.column(),
    }
}

impl Node {
    /// The value, for messages.
    pub(crate) fn found(&self) -> String {
        match &self.kind {
            Kind::Null => "nothing".to_owned(),
            Kind::Boolean(value) => value.to_string(),
            Kind::Number(digits) => format!("the number {digits}"),
            Kind::Text(text) => quoted(text),
            Kind::List(_) => "a list".to_owned(),
            Kind::Map(_) => "fields".to_owned(),
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Kind>::deserialize(deserializer)?;
        Ok(Self {
            position: position(spanned.referenced),
            kind: spanned.value,
        })
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Kinds)
    }
}

struct Kinds;

macro_rules! numbers {
    ($($visit:ident: $number:ty),+) => {
        $(fn $visit<E>(self, number: $number) -> Result<Kind, E> {
            Ok(Kind::Number(number.to_string()))
        })+
    };
}

impl<'de> Visitor<'de> for Kinds {
    type Value = Kind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    numbers!(visit_i64: i64, visit_u64: u64, visit_i128: i128, visit_u128: u128, visit_f64: f64);

    fn visit_bool<E>(self, value: bool) -> Result<Kind, E> {
        Ok(Kind::Boolean(value))
    }

    fn visit_str<E>(self, text: &str) -> Result<Kind, E> {
        Ok(Kind::Text(text.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }

    fn visit_none<E>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Kind, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Kind::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Kind, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Kind::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    #[track_caller]
    fn check(text: &str, message: &str) {
        assert_eq!(parse(text).unwrap_err().to_string(), message);
    }

    #[test]
    fn what_is_no_yaml_is_reported_with_its_place() {
        let twice = "line 2, column 1: found a twice, expected each field once";
        check("a: 1\na: 2\n", twice);
        check("{\"a\": 1,\n\"a\": 2}", twice);
        let colon = "line 1, column 5: mapping values are not allowed in this context";
        check("a: b: c\n", colon);
        let second = parse("a: 1\n---\nb: 2\n").unwrap_err().to_string();
        assert!(
            second.starts_with("line 3, column 1: multiple YAML documents"),
            "{second}"
        );
    }

    #[track_caller]
    fn check_found(text: &str, found: &str) {
        assert_eq!(parse(text).unwrap().found(), found);
    }

    #[test]
    fn no_word_but_true_and_false_is_a_boolean() {
        for (text, found) in [
            ("true", "true"),
            ("no", "\"no\""),
            ("on", "\"on\""),
            ("'true'", "\"true\""),
            ("12.50", "the number 12.5"),
            ("12", "the number 12"),
            ("\"12\"", "\"12\""),
            ("~", "nothing"),
            ("", "nothing"),
            ("[]", "a list"),
            ("{}", "fields"),
            ("2027-01-31", "\"2027-01-31\""),
            ("\"\\ud83d\\ude00\\/\"", "\"😀/\""),
        ] {
            check_found(text, found);
        }
    }

    #[test]
    fn what_nests_too_deep_is_refused() {
        let text = "[".repeat(100_000);
        assert!(parse(&text).is_err());
        let bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n";
        let mut bomb = bomb.to_owned();
        for (name, of) in [
            ('b', 'a'),
            ('c', 'b'),
            ('d', 'c'),
            ('e', 'd'),
            ('f', 'e'),
            ('g', 'f'),
            ('h', 'g'),
        ] {
            let list = vec![format!("*{of}"); 9].join(", ");
            writeln!(bomb, "{name}: &{name} [{list}]").unwrap();
        }
        assert!(parse(&bomb).is_err());
    }
}

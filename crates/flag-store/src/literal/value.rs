//! The value of a text, as a tree.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use super::number::Number;

/// A value and where it stands in its text. Equal to the same value elsewhere.
#[derive(Clone, Debug)]
pub struct Node<'a> {
    /// The offset of its first byte, in bytes; parentheses around a value belong to it.
    pub at: usize,
    /// The value.
    pub literal: Literal<'a>,
}

/// A key that a dict has more than once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepeatedKey {
    /// The key.
    pub key: String,
    /// Where its second value stands: the offset of the first byte.
    pub at: usize,
}

/// A plain value, as JSON or a Python literal spells it. Borrows those texts that have no escapes.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal<'a> {
    /// `null` or `None`.
    Null,
    /// `true` or `True`, `false` or `False`.
    Boolean(bool),
    /// An integer or a float.
    Number(Number),
    /// A string.
    Text(Cow<'a, str>),
    /// A list, or a Python tuple.
    List(Vec<Node<'a>>),
    /// A JSON object or a Python dict, in the order of its text. Each key occurs once, with its last value.
    Dict(Vec<(Cow<'a, str>, Node<'a>)>),
}

impl<'a> Deref for Node<'a> {
    type Target = Literal<'a>;

    fn deref(&self) -> &Literal<'a> {
        &self.literal
    }
}

impl PartialEq for Node<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.literal == other.literal
    }
}

impl Literal<'_> {
    /// What this is, for error messages: `a number`, `text`, `a list`, …
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Dict(_) => "a dict",
        }
    }

    /// The value of a dict's key; `None` if the key is missing, or if this is no dict.
    pub fn get(&self, key: &str) -> Option<&Self> {
        let Self::Dict(entries) = self else {
            return None;
        };
        let mut entries = entries.iter();
        let (_, node) = entries.find(|(name, _)| name == key)?;
        Some(&node.literal)
    }
}

/// Writes the value as in JSON, for error messages; as long as the value is.
impl fmt::Display for Literal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "{text:?}"),
            Self::List(items) => {
                f.write_str("[")?;
                for (position, item) in items.iter().enumerate() {
                    f.write_str(if position == 0 { "" } else { ", " })?;
                    write!(f, "{}", item.literal)?;
                }
                f.write_str("]")
            }
            Self::Dict(entries) => {
                f.write_str("{")?;
                for (position, (key, value)) in entries.iter().enumerate() {
                    f.write_str(if position == 0 { "" } else { ", " })?;
                    write!(f, "{key:?}: {}", value.literal)?;
                }
                f.write_str("}")
            }
        }
    }
}

//! A value in an export, with its path and its position: read by those who know what the system writes.

use crate::flag_file::{FileError, Kind, Node, Position};

/// Why a flag is not carried over.
#[derive(Debug)]
pub(super) enum Obstacle {
    /// The file is not of the form that the system writes.
    Malformed(FileError),
    /// The flag has something that flags of ours have not.
    LeftOut(String),
}

/// What was read, or why not.
pub(super) type Read<T> = Result<T, Obstacle>;

/// A value and its path, `items[0].key`.
#[derive(Clone, Debug)]
pub(super) struct Item<'n> {
    node: &'n Node,
    path: String,
}

/// The obstacle of a flag that flags of ours cannot express.
pub(super) fn left_out<T>(reason: impl Into<String>) -> Read<T> {
    Err(Obstacle::LeftOut(reason.into()))
}

impl<'n> Item<'n> {
    /// The whole file.
    pub(super) fn root(node: &'n Node) -> Self {
        let path = String::new();
        Self { node, path }
    }

    /// Its position in the file.
    pub(super) fn position(&self) -> Position {
        self.node.position
    }

    /// Its value.
    pub(super) fn kind(&self) -> &'n Kind {
        &self.node.kind
    }

    /// A field of a map, unless it is missing or null.
    pub(super) fn field(&self, name: &str) -> Option<Self> {
        let Kind::Map(entries) = &self.node.kind else {
            return None;
        };
        let is_named = |key: &Node| matches!(&key.kind, Kind::Text(text) if text == name);
        let (_, node) = entries.iter().find(|(key, _)| is_named(key))?;
        let item = Self {
            node,
            path: self.path_of(name),
        };
        (!matches!(node.kind, Kind::Null)).then_some(item)
    }

    /// A field that must be there.
    pub(super) fn required(&self, name: &str) -> Read<Self> {
        self.field(name).ok_or_else(|| {
            let path = self.path_of(name);
            self.mistake(&path, "found nothing, expected a value")
        })
    }

    /// The text of a required field.
    pub(super) fn required_text(&self, name: &str) -> Read<&'n str> {
        self.required(name)?.text()
    }

    /// The text of a field, if it is there.
    pub(super) fn text_of(&self, name: &str) -> Read<Option<&'n str>> {
        self.field(name).map(|item| item.text()).transpose()
    }

    /// The boolean of a field, if it is there.
    pub(super) fn boolean_of(&self, name: &str) -> Read<Option<bool>> {
        self.field(name).map(|item| item.boolean()).transpose()
    }

    /// The items of a field that is a list; none if it is missing.
    pub(super) fn items_of(&self, name: &str) -> Read<Vec<Self>> {
        self.field(name).map_or(Ok(Vec::new()), |item| item.items())
    }

    /// The texts of a field that is a list; none if it is missing.
    pub(super) fn texts_of(&self, name: &str) -> Read<Vec<&'n str>> {
        let items = self.items_of(name)?;
        items.iter().map(Self::text).collect()
    }

    /// Text.
    pub(super) fn text(&self) -> Read<&'n str> {
        match &self.node.kind {
            Kind::Text(text) => Ok(text),
            _ => self.expected("text"),
        }
    }

    /// A boolean.
    pub(super) fn boolean(&self) -> Read<bool> {
        match &self.node.kind {
            Kind::Boolean(value) => Ok(*value),
            _ => self.expected("true or false"),
        }
    }

    /// The digits of a number.
    pub(super) fn digits(&self) -> Read<&'n str> {
        match &self.node.kind {
            Kind::Number(digits) => Ok(digits),
            _ => self.expected("a number"),
        }
    }

    /// The position of something in a list, counted from zero.
    pub(super) fn index(&self) -> Read<usize> {
        let digits = self.digits()?;
        digits
            .parse()
            .map_or_else(|_| self.expected("a position, counted from 0"), Ok)
    }

    /// The items of a list.
    pub(super) fn items(&self) -> Read<Vec<Self>> {
        let Kind::List(nodes) = &self.node.kind else {
            return self.expected("a list");
        };
        let items = nodes.iter().enumerate().map(|(at, node)| Self {
            node,
            path: format!("{}[{at}]", self.path),
        });
        Ok(items.collect())
    }

    /// The fields of a map, in their order. YAML permits names that are no text, and the flag is left out.
    pub(super) fn entries(&self) -> Read<Vec<(&'n str, Self)>> {
        let entries = self.nodes()?.into_iter();
        let entries = entries.map(|(name, item)| Ok((name.name()?, item)));
        entries.collect()
    }

    /// Likewise, whatever their names are.
    pub(super) fn nodes(&self) -> Read<Vec<(Self, Self)>> {
        let Kind::Map(entries) = &self.node.kind else {
            return self.expected("fields");
        };
        let entries = entries.iter().map(|(key, node)| {
            let path = match &key.kind {
                Kind::Text(name) => self.path_of(name),
                _ => self.path_of(&key.found()),
            };
            let name = Self {
                node: key,
                path: path.clone(),
            };
            (name, Self { node, path })
        });
        Ok(entries.collect())
    }

    /// A name, which the other system may read as text although it is none.
    pub(super) fn name(&self) -> Read<&'n str> {
        match &self.node.kind {
            Kind::Text(name) => Ok(name),
            _ => left_out(format!("a name is {}, not text", self.node.found())),
        }
    }

    /// Whether it is null, false, or empty.
    pub(super) fn says_nothing(&self) -> bool {
        match &self.node.kind {
            Kind::Null | Kind::Boolean(false) => true,
            Kind::Text(text) => text.is_empty(),
            Kind::List(items) => items.is_empty(),
            Kind::Map(entries) => entries.is_empty(),
            Kind::Boolean(true) | Kind::Number(_) => false,
        }
    }

    /// Leaves the flag out if something that decides has a field that is not known.
    pub(super) fn check_fields(&self, known: &[&str]) -> Read<()> {
        let unknown = self.entries()?.into_iter();
        let mut unknown =
            unknown.filter(|(name, item)| !known.contains(name) && !item.says_nothing());
        match unknown.next() {
            None => Ok(()),
            Some((name, _)) => left_out(format!("`{name}` has no counterpart")),
        }
    }

    /// The mistake that something else was expected.
    pub(super) fn expected<T>(&self, expected: &str) -> Read<T> {
        let problem = format!("found {}, expected {expected}", self.node.found());
        Err(self.mistake(&self.path, &problem))
    }

    fn mistake(&self, path: &str, problem: &str) -> Obstacle {
        let separator = if path.is_empty() { "" } else { ": " };
        Obstacle::Malformed(FileError {
            position: self.node.position,
            message: format!("{path}{separator}{problem}"),
        })
    }

    fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() {
            return name.to_owned();
        }
        format!("{}.{name}", self.path)
    }
}

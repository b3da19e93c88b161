//! Names, each with a number of flags.

use serde::Serialize;

use super::escape::list_item;
use super::text::{Columns, Text, Tone};
use super::view::View;

/// Names with the number of flags that each of them has.
pub(crate) struct CountedNames {
    /// What they are: `projects` or `tags`.
    pub(crate) what: &'static str,
    pub(crate) names: Vec<(String, usize)>,
}

#[derive(Serialize)]
struct Counted<'a> {
    name: &'a str,
    flags: usize,
}

impl View for CountedNames {
    fn data(&self) -> impl Serialize {
        let names = self.names.iter();
        let names = names.map(|(name, flags)| Counted {
            name,
            flags: *flags,
        });
        let names: Vec<Counted<'_>> = names.collect();
        std::collections::BTreeMap::from([(self.what, names)])
    }

    fn text(&self) -> Text {
        if self.names.is_empty() {
            return Text::default();
        }
        let mut columns = Columns::headed(["NAME", "FLAGS"]);
        for (name, flags) in &self.names {
            columns.line(Tone::Plain, [list_item(name), flags.to_string()]);
        }
        columns.text()
    }

    fn names(&self) -> Vec<String> {
        self.names.iter().map(|(name, _)| name.clone()).collect()
    }
}

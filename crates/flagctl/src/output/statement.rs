//! A statement of GoogleSQL.

use serde::Serialize;

use super::text::Text;
use super::view::View;

/// A statement that a person can paste into Bigtable Studio.
#[derive(Serialize)]
pub(crate) struct Statement<'a> {
    pub(crate) pattern: &'static str,
    pub(crate) table: &'a str,
    pub(crate) sql: String,
}

impl View for Statement<'_> {
    fn data(&self) -> impl Serialize {
        self
    }

    fn text(&self) -> Text {
        Text::plain(&self.sql)
    }

    fn names(&self) -> Vec<String> {
        vec![self.table.to_owned()]
    }
}

//! A statement of GoogleSQL.

use serde::Serialize;

use super::Answer;
use super::text::Text;

/// A statement that a person can paste into Bigtable Studio.
#[derive(Serialize)]
pub(crate) struct Statement<'a> {
    pub(crate) pattern: &'static str,
    pub(crate) table: &'a str,
    pub(crate) sql: String,
}

impl Answer for Statement<'_> {
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

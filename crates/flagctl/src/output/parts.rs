//! The parts of a store: what was made, and what was there.

use serde::Serialize;

use super::text::{Columns, Text, Tone};
use super::view::View;

/// The parts of a store.
#[derive(Serialize)]
pub(crate) struct StoreParts {
    #[serde(rename = "store")]
    pub(crate) display_name: String,
    pub(crate) parts: Vec<StorePart>,
}

/// A file or a table.
#[derive(Serialize)]
pub(crate) struct StorePart {
    pub(crate) name: String,
    pub(crate) state: PartState,
    /// How it is, if there is more to say.
    pub(crate) is: Option<String>,
    /// The command that puts it right.
    pub(crate) advice: Option<String>,
}

/// The state of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PartState {
    /// It was missing, and is there now.
    Created,
    /// It was there, and is as it should be.
    WasThere,
    /// It was there, is not as it should be, and was not changed.
    Differs,
}

impl View for StoreParts {
    fn data(&self) -> impl Serialize {
        self
    }

    fn text(&self) -> Text {
        let mut columns = Columns::default();
        for part in &self.parts {
            let (tone, state) = match part.state {
                PartState::Created => (Tone::Changed, "created"),
                PartState::WasThere => (Tone::Plain, "there already"),
                PartState::Differs => (Tone::Problem, "differs"),
            };
            let is = part.is.as_deref().unwrap_or_default();
            let line = [state, &part.name, is].map(str::to_owned);
            columns.line(tone, line);
        }
        let advice = self.parts.iter().filter_map(|part| part.advice.as_ref());
        let advice: Vec<&str> = advice.map(String::as_str).collect();
        if advice.is_empty() {
            return columns.text();
        }
        let heading = "No existing part was changed. To correct it:\n  ";
        columns
            .text()
            .and(Text::plain(&(heading.to_owned() + &advice.join("\n  "))))
    }

    fn names(&self) -> Vec<String> {
        self.parts.iter().map(|part| part.name.clone()).collect()
    }
}

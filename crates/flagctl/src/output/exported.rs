//! The flags of a project as a file.

use serde::Serialize;

use super::text::Text;
use super::view::View;
use super::yaml::yaml;
use crate::flag_file::Written;

/// A file for `flagctl apply`.
pub(crate) struct Exported(pub(crate) Written);

impl View for Exported {
    fn data(&self) -> impl Serialize {
        &self.0
    }

    fn text(&self) -> Text {
        Text::verbatim(&yaml(&self.0).unwrap_or_default())
    }

    fn names(&self) -> Vec<String> {
        self.0.flags.iter().map(|flag| flag.name.clone()).collect()
    }
}

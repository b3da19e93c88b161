//! Files that were written.

use std::path::PathBuf;

use serde::Serialize;

use super::text::Text;
use super::view::View;

/// The written files, and the folder of the previous ones.
#[derive(Serialize)]
pub(crate) struct Files {
    files: Vec<String>,
    kept: Option<String>,
}

impl Files {
    pub(crate) fn new(files: &[PathBuf], kept: Option<&PathBuf>) -> Self {
        let text = |path: &PathBuf| path.display().to_string();
        Self {
            files: files.iter().map(text).collect(),
            kept: kept.map(text),
        }
    }
}

impl View for Files {
    fn data(&self) -> impl Serialize {
        self
    }

    fn text(&self) -> Text {
        let written = self.files.iter();
        let written = written.map(|file| format!("{file}\n"));
        let written = Text::plain(&written.collect::<String>());
        match &self.kept {
            Some(kept) => {
                let kept = format!("The previous files are kept in\n{kept}\n");
                written.and(Text::plain(&kept))
            }
            None => written,
        }
    }

    fn names(&self) -> Vec<String> {
        self.files.clone()
    }
}

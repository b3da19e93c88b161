//! The file of the instances that a change moves.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use flag_model::{FlagKey, FlagValue, InstanceId};
use serde_json::{Value, json};

use super::instance_impact::Move;

/// The file cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}", path.display())]
pub(super) struct ListError {
    path: PathBuf,
    source: io::Error,
}

/// The file of the instances that move, a JSON object on each line.
pub(super) struct List {
    path: PathBuf,
    file: BufWriter<File>,
}

impl List {
    /// Creates it, readable by its owner alone.
    pub(super) fn create(path: &Path) -> Result<Self, ListError> {
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(true).mode(0o600);
        let opened = file.open(path).and_then(|file| {
            // A file that was there keeps its mode otherwise.
            if file.metadata()?.is_file() {
                file.set_permissions(Permissions::from_mode(0o600))?;
            }
            Ok(file)
        });
        match opened {
            Ok(file) => Ok(Self {
                path: path.to_owned(),
                file: BufWriter::new(file),
            }),
            Err(source) => Err(ListError {
                path: path.to_owned(),
                source,
            }),
        }
    }

    /// Adds an instance.
    pub(super) fn add(
        &mut self,
        flag: &FlagKey,
        instance: &InstanceId<'_>,
        moved: Move<'_>,
    ) -> Result<(), ListError> {
        let line = json!({
            "project": flag.project.as_str(),
            "flag_type": flag.flag_type.as_str(),
            "name": flag.name.as_str(),
            "instance_id": instance.as_str(),
            "from": value(moved.from),
            "to": value(moved.to),
            "by_override": moved.by_override,
        });
        let written = writeln!(self.file, "{line}");
        written.map_err(|source| self.failed(source))
    }

    /// Writes what is still in memory.
    pub(super) fn finish(&mut self) -> Result<(), ListError> {
        self.file.flush().map_err(|source| self.failed(source))
    }

    fn failed(&self, source: io::Error) -> ListError {
        let path = self.path.clone();
        ListError { path, source }
    }
}

fn value(value: &FlagValue) -> Value {
    match value {
        FlagValue::Boolean(value) => (*value).into(),
        FlagValue::Text(text) => Value::String(text.to_string()),
    }
}

//! The flags of a project as a file that people review: reads it, reporting all errors together, and writes it.
//!
//! No I/O, no store. `docs/flag-file.md` describes the fields; [`crate::apply`] compares a file with a store.
mod check;
mod fields;
mod node;
mod read;
mod write;

use std::fmt;

use flag_model::{
    FlagKey, FlagValue, FormatVersion, HashAlgorithm, MetadataParts, ProjectName, Salt, Timestamp,
    Treatment,
};

pub(crate) use self::node::{Kind, Node, Position, parse};
pub(crate) use self::read::read;
pub(crate) use self::write::Written;

/// The version of the file's own format.
const FILE_VERSION: u8 = 1;

/// The flags of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FlagFile {
    /// The project.
    pub(crate) project: ProjectName,
    /// Its flags, each of them once.
    pub(crate) flags: Vec<FlagInFile>,
}

/// A flag; what the file leaves out stays as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FlagInFile {
    /// Its position in the file.
    pub(crate) position: Position,
    /// The flag.
    pub(crate) flag: FlagKey,
    /// Its metadata.
    pub(crate) metadata: Option<MetadataParts>,
    /// Which instances get which value.
    pub(crate) revision: Option<RevisionInFile>,
    /// The rows that it was exported from; none if the file was written by hand.
    pub(crate) exported_from: Option<ExportedFrom>,
}

/// The rows of a flag that were the newest when it was exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ExportedFrom {
    /// When its metadata was written; none if it had none.
    pub(crate) metadata: Option<Timestamp>,
    /// When its revision was made; none if it had none.
    pub(crate) revision: Option<Timestamp>,
}

/// Which instances get which value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RevisionInFile {
    /// The version; none for the one that the flag has.
    pub(crate) version: Option<FormatVersion>,
    /// The algorithm; none for the one that the flag has.
    pub(crate) algorithm: Option<HashAlgorithm>,
    /// The salt; none for the one that the flag has.
    pub(crate) salt: Option<Salt>,
    /// The control value.
    pub(crate) control: FlagValue,
    /// The treatments, none if the file leaves them out; their ranges are used only for a flag that has none yet.
    pub(crate) treatments: Option<Vec<Treatment>>,
}

/// An error in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileError {
    /// Its position.
    pub(crate) position: Position,
    /// The field, and what is wrong with it.
    pub(crate) message: String,
}

/// All errors in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileErrors(pub(crate) Vec<FileError>);

impl std::error::Error for FileErrors {}

impl fmt::Display for FileErrors {
    /// One error per line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, mistake) in self.0.iter().enumerate() {
            write!(f, "{}{mistake}", if at == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { position, message } = self;
        write!(f, "{position}: {message}")
    }
}

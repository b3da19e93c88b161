//! The flags of a project as a file that people review: read with all its mistakes told, and written.
//!
//! No I/O, no store. `docs/flag-file.md` tells the fields; what a file means for a store is [`crate::apply`]'s business.
mod fields;
mod node;
mod read;
mod write;

use std::fmt;

use flag_model::{
    FlagKey, FlagValue, FormatVersion, HashAlgorithm, MetadataParts, ProjectName, Salt, Treatment,
};

pub(crate) use self::node::Position;
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

/// A flag; what the file doesn't say of it stays as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FlagInFile {
    /// Where it stands in the file.
    pub(crate) position: Position,
    /// The flag.
    pub(crate) flag: FlagKey,
    /// What it is for.
    pub(crate) metadata: Option<MetadataParts>,
    /// Who gets what.
    pub(crate) revision: Option<RevisionInFile>,
}

/// Who gets what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RevisionInFile {
    /// The version; none for the one that the flag has.
    pub(crate) version: Option<FormatVersion>,
    /// The algorithm; none for the one that the flag has.
    pub(crate) algorithm: Option<HashAlgorithm>,
    /// The salt; none for the one that the flag has.
    pub(crate) salt: Option<Salt>,
    /// What everybody gets whom no treatment takes.
    pub(crate) control: FlagValue,
    /// The treatments, none if the file leaves them out; their ranges count only for a flag that has none yet.
    pub(crate) treatments: Option<Vec<Treatment>>,
}

/// Something in a file that cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileError {
    /// Where it stands.
    pub(crate) position: Position,
    /// The field, and what is wrong with it.
    pub(crate) message: String,
}

/// Everything in a file that cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileErrors(pub(crate) Vec<FileError>);

impl std::error::Error for FileErrors {}

impl fmt::Display for FileErrors {
    /// One mistake a line.
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

//! The key of a flag.

use std::fmt;

use crate::invalid::{Invalid, quoted};
use crate::name::{FlagName, ProjectName};

/// What identifies a flag: its project, its type and its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlagKey {
    /// The project that the flag belongs to.
    pub project: ProjectName,
    /// The type of the flag; flags of different types may share a name.
    pub flag_type: FlagType,
    /// The name of the flag.
    pub name: FlagName,
}

impl fmt::Display for FlagKey {
    /// Writes `project/type/name`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.project, self.flag_type, self.name)
    }
}

/// The kind of values that a flag has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FlagType {
    /// Boolean values.
    Feature,
    /// Text values.
    Data,
}

impl FlagType {
    /// Both types.
    pub const ALL: [Self; 2] = [Self::Feature, Self::Data];

    /// Reads `feature` or `data`, the spelling of keys, queries and answers.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let found = Self::ALL
            .into_iter()
            .find(|flag_type| flag_type.as_str() == text);
        found.ok_or_else(|| Invalid::new("flag type", quoted(text), "feature or data"))
    }

    /// The spelling of keys, queries and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Feature => "feature",
            Self::Data => "data",
        }
    }
}

impl fmt::Display for FlagType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

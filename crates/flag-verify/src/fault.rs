//! What is wrong with an exposure.

use serde::{Deserialize, Serialize};

/// What kind of fault was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// Its revision decides otherwise.
    DecidedOtherwise,
    /// The flag has no revision of the time that it names.
    UnknownRevision,
    /// It cannot be read, or its cells do not fit its key.
    Unreadable,
    /// It is logged more than once.
    Duplicate,
    /// The instance was served two values by one revision.
    TwoValues,
}

impl FaultKind {
    /// Its name for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DecidedOtherwise => "decided otherwise",
            Self::UnknownRevision => "unknown revision",
            Self::Unreadable => "unreadable",
            Self::Duplicate => "duplicate",
            Self::TwoValues => "two values",
        }
    }
}

/// An exposure with a fault. Texts are empty where they don't apply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of an exposure")]
pub struct Fault {
    pub kind: FaultKind,
    /// `type/name`, or empty if the row key is invalid.
    pub flag: String,
    pub instance_id: String,
    pub request_id: String,
    pub created: String,
    pub revision: String,
    /// The column, or what is wrong.
    pub what: String,
    pub logged: String,
    pub decided: String,
}

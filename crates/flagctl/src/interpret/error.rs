//! Invalid arguments.

use flag_model::{Invalid, InvalidHashAlgorithm, InvalidPercent};

use crate::exit_code::ExitCode;
use crate::failure::CommandError;

/// Why arguments are invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ArgumentError {
    /// They do not go together, or do not fit the flag.
    #[error("{0}")]
    Usage(String),
    /// They need version 2, and the flag keeps version 1.
    #[error("{what} needs FormatVersion 2, but {otherwise}")]
    NeedsVersion2 {
        /// The option and its value.
        what: String,
        /// The flag's version, and how to change it.
        otherwise: &'static str,
    },
    /// A value that no flag can have.
    #[error(transparent)]
    Field(#[from] Invalid),
    /// An invalid percentage.
    #[error(transparent)]
    Percent(#[from] InvalidPercent),
    /// An unknown hash algorithm.
    #[error(transparent)]
    Algorithm(#[from] InvalidHashAlgorithm),
}

impl CommandError for ArgumentError {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) | Self::NeedsVersion2 { .. } => ExitCode::Usage,
            Self::Field(_) | Self::Percent(_) | Self::Algorithm(_) => ExitCode::Refused,
        }
    }
}

/// The same error with the name of the option as its field.
pub(super) fn named(option: &str, invalid: Invalid) -> ArgumentError {
    let field = option.to_owned();
    Invalid { field, ..invalid }.into()
}

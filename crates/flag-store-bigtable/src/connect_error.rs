//! Why Bigtable cannot be reached, and what to do about it.

use std::error::Error;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// Why the store could not be set up. Nothing has been asked of the store itself by then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// A setting is invalid.
    #[error("{setting} is {found:?}, expected {expected}")]
    Setting {
        /// The name of the setting.
        setting: &'static str,
        /// Its value.
        found: String,
        /// What would be right.
        expected: &'static str,
    },
    /// The file of authorities cannot be used.
    #[error(
        "FLAG_BIGTABLE_CA_FILE is {file:?}, which {problem}: name a file with certificates in PEM"
    )]
    CaFile {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// TLS could not be set up.
    #[error(
        "cannot set up TLS for Bigtable ({0}): install the system's certificate authorities (package ca-certificates), or name a file of them with FLAG_BIGTABLE_CA_FILE"
    )]
    Tls(String),
    /// There is no access token for Google Cloud. Retrying may help.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
}

impl ConnectError {
    /// Whether another attempt may succeed without a change of the settings.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Credentials(_))
    }
}

/// Why there is no access token for Google Cloud.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// No credentials were found.
    #[error(
        "No Google credentials. Run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS"
    )]
    Missing,
    /// The key file that the environment names cannot be used.
    #[error("GOOGLE_APPLICATION_CREDENTIALS is {path:?}, which {problem}")]
    KeyFile {
        /// The file.
        path: OsString,
        /// What is wrong with it, and what to do.
        problem: String,
    },
    /// The token endpoint gave no token. Retrying may help.
    #[error("no access token from {endpoint}: {problem}")]
    TokenEndpoint {
        /// Where it was asked for.
        endpoint: String,
        /// What is wrong.
        problem: String,
    },
    /// The token endpoint did not answer. Retrying may help.
    #[error(
        "no access token for Google Cloud within {} ms: look whether this machine reaches its metadata server and Google's token endpoint",
        .after.as_millis()
    )]
    TimedOut {
        /// How long it was waited for.
        after: Duration,
    },
}

/// A failure of the connection, explained in one line.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Explained(pub(crate) String);

/// An error with its causes.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        let cause_text = source.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        cause = source.source();
    }
    text
}

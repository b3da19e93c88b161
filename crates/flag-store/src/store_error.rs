//! Why a call to a store failed, whichever port it was made through.

use std::time::Duration;

/// The source of a [`StoreError`], as the backend's own library reported it.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a store call failed. Writes that failed may have happened all the same.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The store did not answer in time. Retrying may help.
    #[error("no answer within {} ms", .after.as_millis())]
    TimedOut {
        /// How long the caller waited.
        after: Duration,
    },
    /// The store cannot be reached, or is too busy to answer. Retrying may help.
    #[error("the store is unavailable")]
    Unavailable {
        /// The error of the backend's library.
        #[source]
        source: BoxError,
    },
    /// The store refuses every such call as it is set up: no such table, no permission. Retrying helps only once an operator
    /// has corrected that.
    #[error("the store refuses this until its set-up is corrected")]
    Misconfigured {
        /// The error of the backend's library.
        #[source]
        source: BoxError,
    },
    /// The store refuses what this call holds, such as a row that is too large. Retrying cannot help.
    #[error("the store refused")]
    Refused {
        /// The error of the backend's library.
        #[source]
        source: BoxError,
    },
    /// The store gave an invalid answer, or its files are damaged. Retrying helps only once an operator has repaired it.
    #[error("the store gave an answer that cannot be understood")]
    Broken {
        /// The error of the backend's library.
        #[source]
        source: BoxError,
    },
}

impl StoreError {
    /// Whether the same call may succeed when made again at once.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::TimedOut { .. } | Self::Unavailable { .. })
    }
}

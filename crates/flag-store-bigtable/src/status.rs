//! What a gRPC status means for the caller.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use flag_store::StoreError;
use tonic::{Code, Status};

use crate::connect_error::{CredentialsError, Explained};

/// Why one attempt failed.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// There was no answer in time.
    NoAnswer,
    /// The store, or the connection to it, reported an error.
    Status(Status),
    /// The answer is invalid.
    Garbled(String),
}

/// What can be done about a [`Failure`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailureKind {
    /// It passes: send again.
    Transient,
    /// The token may have ended on its way: send again, once.
    Unauthenticated,
    /// Every such call fails until an operator has corrected the set-up.
    Misconfigured,
    /// What was sent is invalid.
    Refused,
    /// The answer cannot be understood.
    Broken,
}

impl Failure {
    /// What can be done about it.
    pub(crate) fn kind(&self) -> FailureKind {
        match self {
            Self::NoAnswer => FailureKind::Transient,
            Self::Status(status) => kind(status),
            Self::Garbled(_) => FailureKind::Broken,
        }
    }

    /// Whether the connection failed for a reason that a person must correct.
    pub(crate) fn needs_a_person(&self) -> bool {
        let Self::Status(status) = self else {
            return false;
        };
        status.source().is_some_and(<dyn Error>::is::<Explained>)
    }

    /// The error for the caller, who waited for `after` for `table`.
    pub(crate) fn into_error(self, table: &str, after: Duration) -> StoreError {
        let kind = self.kind();
        let status = match self {
            Self::NoAnswer => return StoreError::TimedOut { after },
            Self::Status(status) if status.code() == Code::DeadlineExceeded => {
                return StoreError::TimedOut { after };
            }
            Self::Status(status) => status,
            Self::Garbled(what) => {
                return StoreError::Broken {
                    source: format!("table {table}: {what}").into(),
                };
            }
        };
        let source = Box::new(Answer {
            table: table.to_owned(),
            status,
        });
        match kind {
            // Credentials are mended where they are kept; what waits to be written waits for that.
            FailureKind::Transient | FailureKind::Unauthenticated => {
                StoreError::Unavailable { source }
            }
            FailureKind::Misconfigured => StoreError::Misconfigured { source },
            FailureKind::Refused => StoreError::Refused { source },
            FailureKind::Broken => StoreError::Broken { source },
        }
    }
}

/// An error of our own, before anything was sent.
pub(crate) fn refused(table: &str, why: &str) -> StoreError {
    StoreError::Refused {
        source: format!("table {table}: {why}").into(),
    }
}

/// What the emulator answers for a table without the family; Bigtable itself answers with a code of its own.
const UNKNOWN_FAMILY: &str = "unknown family";

fn kind(status: &Status) -> FailureKind {
    // Only a status made on this side has a source: the transport, or the fetching of a token.
    if status.source().is_some() {
        return FailureKind::Transient;
    }
    match status.code() {
        Code::ResourceExhausted if status.message().contains("larger than max") => FailureKind::Refused,
        Code::Internal | Code::Unknown if status.message().contains(UNKNOWN_FAMILY) => {
            FailureKind::Misconfigured
        }
        Code::Unavailable
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::ResourceExhausted
        | Code::Cancelled
        // A stream that was reset, a connection that is going away, an answer that a proxy cut off: libraries and proxies
        // word them in many ways, and Google's own clients retry those that they know. Trying again costs little.
        | Code::Internal
        | Code::Unknown
        | Code::DataLoss => FailureKind::Transient,
        Code::Unauthenticated => FailureKind::Unauthenticated,
        Code::InvalidArgument | Code::OutOfRange => FailureKind::Refused,
        // Also what tonic makes of a proxy's 403 and 404.
        _ => FailureKind::Misconfigured,
    }
}

/// The answer of the store about a table.
#[derive(Debug)]
struct Answer {
    table: String,
    status: Status,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { table, status } = self;
        if let Some(explanation) = explanation(status) {
            return write!(f, "table {table}: {explanation}");
        }
        write!(f, "table {table}: {:?}", status.code())?;
        if !status.message().is_empty() {
            write!(f, ": {}", status.message())?;
        }
        Ok(())
    }
}

/// What was wrong before anything was sent, where that is explained for a person.
fn explanation(status: &Status) -> Option<&(dyn Error + 'static)> {
    let source = status.source()?;
    (source.is::<CredentialsError>() || source.is::<Explained>()).then_some(source)
}

impl Error for Answer {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.status.source()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(code: Code, message: &str, expected: FailureKind) {
        assert_eq!(Failure::Status(Status::new(code, message)).kind(), expected);
    }

    #[test]
    fn what_passes_is_sent_again() {
        for code in [
            Code::Unavailable,
            Code::DeadlineExceeded,
            Code::Aborted,
            Code::ResourceExhausted,
            Code::Cancelled,
            Code::Internal,
            Code::Unknown,
            Code::DataLoss,
        ] {
            check(code, "", FailureKind::Transient);
        }
    }

    #[test]
    fn a_family_that_is_missing_stays_missing() {
        for code in [Code::Internal, Code::Unknown] {
            check(
                code,
                "unknown family \"metadata\"",
                FailureKind::Misconfigured,
            );
        }
    }

    #[test]
    fn what_an_operator_corrects_is_not_the_fault_of_a_row() {
        for code in [
            Code::NotFound,
            Code::PermissionDenied,
            Code::FailedPrecondition,
            Code::Unimplemented,
        ] {
            check(code, "", FailureKind::Misconfigured);
        }
    }

    #[test]
    fn what_was_sent_wrongly_is_refused() {
        for code in [Code::InvalidArgument, Code::OutOfRange] {
            check(code, "", FailureKind::Refused);
        }
    }

    #[test]
    fn a_message_too_large_stays_too_large() {
        check(
            Code::ResourceExhausted,
            "grpc: received message larger than max (9 vs. 8)",
            FailureKind::Refused,
        );
    }

    #[test]
    fn an_answer_without_a_status_was_cut_off() {
        check(
            Code::Unknown,
            "protocol error: missing grpc-status trailer, stream was terminated without a final status",
            FailureKind::Transient,
        );
    }

    #[test]
    fn what_the_transport_says_is_transient() {
        let status = Status::from_error("broken pipe".into());
        assert_eq!(status.code(), Code::Unknown);
        assert_eq!(Failure::Status(status).kind(), FailureKind::Transient);
    }

    #[test]
    fn an_error_names_the_table_and_what_was_said() {
        let error =
            Failure::Status(Status::not_found("no such table")).into_error("flags", Duration::ZERO);
        assert!(matches!(error, StoreError::Misconfigured { .. }));
        assert_eq!(
            error.source().unwrap().to_string(),
            "table flags: NotFound: no such table"
        );
    }

    #[test]
    fn the_stores_own_deadline_is_a_time_out() {
        let error = Failure::Status(Status::deadline_exceeded("late"))
            .into_error("flags", Duration::from_secs(1));
        assert!(matches!(error, StoreError::TimedOut { after } if after.as_secs() == 1));
    }
}

//! The causes of an error, for log lines.

use std::error::Error;
use std::io;
use std::iter::successors;

/// Returns all causes of an error, outermost first; empty if there is none.
pub(crate) fn causes(error: &dyn Error) -> String {
    let causes = successors(error.source(), |&cause| cause.source());
    let causes: Vec<String> = causes.map(ToString::to_string).collect();
    causes.join(": ")
}

/// Returns an error with all its causes.
pub fn with_causes(error: &dyn Error) -> String {
    let chain = successors(Some(error), |&error| error.source());
    let chain: Vec<String> = chain.map(ToString::to_string).collect();
    chain.join(": ")
}

/// Returns the message of the system; a full disk in the words that operators search for.
pub(crate) fn io_problem(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => format!("disk full: {error}"),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use flag_store::StoreError;

    use super::*;

    #[test]
    fn a_cause_is_told_with_its_own() {
        let system = io::Error::new(io::ErrorKind::StorageFull, "28");
        let problem = io_problem(&system);
        let error = StoreError::Unavailable {
            source: Box::new(system),
        };
        assert_eq!((&*problem, &*causes(&error)), ("disk full: 28", "28"));
        let after = std::time::Duration::ZERO;
        assert_eq!(causes(&StoreError::TimedOut { after }), "");
    }
}

//! The causes of an error, for log lines.

use std::error::Error;
use std::io;

use flag_model::with_causes;

/// Returns all causes of an error, outermost first; empty if there is none.
pub(crate) fn causes(error: &dyn Error) -> String {
    error.source().map(with_causes).unwrap_or_default()
}

/// Returns the message of an I/O error; of a full disk in the words that operators search for.
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
    fn the_causes_of_an_error_are_listed_without_the_error() {
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

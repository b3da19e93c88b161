//! Environment variables, and what is written to standard error when there is no subscriber.

use std::env;
use std::io::{Write as _, stderr};
use std::sync::Once;

use tracing::subscriber::NoSubscriber;
use tracing::{Dispatch, dispatcher, error};

use crate::build_error::BuildError;

/// The variable that holds the base URL of the service.
pub(crate) const SERVICE_URL: &str = "FLAG_SERVICE_URL";

/// The variable that holds the API key.
pub(crate) const API_KEY: &str = "FLAG_API_KEY";

/// A variable of the environment, if it is set.
pub(crate) fn variable(name: &str) -> Option<String> {
    Some(env::var_os(name)?.to_string_lossy().into_owned())
}

/// Logs why a client answers with defaults; without a subscriber, the first problem of the process goes to standard error.
pub(crate) fn report(problem: &BuildError) {
    static SAID: Once = Once::new();
    error!(%problem, "the flag client answers with defaults");
    if dispatcher::get_default(Dispatch::is::<NoSubscriber>) {
        SAID.call_once(|| {
            let _ = writeln!(
                stderr(),
                "flag-client: {problem}. Every call returns its default."
            );
        });
    }
}

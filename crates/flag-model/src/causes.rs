//! An error with its causes, as one line.

use std::error::Error;
use std::iter::successors;

/// Returns an error with all its causes, outermost first.
pub fn with_causes(error: &dyn Error) -> String {
    let chain = successors(Some(error), |&error| error.source());
    let chain: Vec<String> = chain.map(ToString::to_string).collect();
    chain.join(": ")
}

//! How exposures are spelled in the log.

use flag_model::Invalid;
use flag_store::{Exposure, InstanceNames, Row, Spelling};

/// How exposures are spelled in the log.
#[derive(Clone, Debug)]
pub(crate) struct Form {
    /// How instances are named.
    pub(crate) names: InstanceNames,
    /// How booleans are spelled.
    pub(crate) booleans: Spelling,
}

impl Form {
    /// The row of an exposure.
    pub(crate) fn row(&self, exposure: Exposure<'_>) -> Result<Row, Invalid> {
        self.names.apply(exposure).row(self.booleans)
    }
}

//! How exposures are spelled in the log.

use flag_model::Invalid;
use flag_store::{Exposure, ExposureRecord, InstanceNames, Spelling};

/// How exposures are spelled in the log.
#[derive(Clone, Debug)]
pub(crate) struct Form {
    /// How instances are named.
    pub(crate) names: InstanceNames,
    /// How booleans are spelled.
    pub(crate) booleans: Spelling,
}

impl Form {
    /// The exposure with its instance named as in the log.
    pub(crate) fn name<'a>(&self, exposure: Exposure<'a>) -> Exposure<'a> {
        self.names.apply(exposure)
    }

    /// The record of an exposure.
    pub(crate) fn record(&self, exposure: Exposure<'_>) -> Result<ExposureRecord, Invalid> {
        self.name(exposure).record(self.booleans)
    }
}

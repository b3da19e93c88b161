//! How exposures are written to the log.

use flag_model::Invalid;
use flag_store::{Exposure, ExposureRecord, InstanceNames, Spelling};

/// How exposures are written to the log.
#[derive(Clone, Debug)]
pub struct ExposureFormat {
    /// How instances are named.
    pub names: InstanceNames,
    /// How booleans are spelled.
    pub booleans: Spelling,
}

impl ExposureFormat {
    /// Returns the exposure with the instance named as in the log.
    pub(crate) fn name<'a>(&self, exposure: Exposure<'a>) -> Exposure<'a> {
        self.names.apply(exposure)
    }

    /// Returns the record of an exposure.
    pub(crate) fn record(&self, exposure: Exposure<'_>) -> Result<ExposureRecord, Invalid> {
        self.name(exposure).record(self.booleans)
    }
}

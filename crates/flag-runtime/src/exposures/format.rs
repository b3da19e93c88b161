//! How exposures are written to the log.

use flag_model::{Bucket, InstanceId, Invalid, Timestamp};
use flag_store::{
    Exposure, ExposureBatch, ExposureRecord, InstanceIdMode, Spelling, TemplateIndex,
};

/// How exposures are written to the log.
#[derive(Clone, Debug)]
pub struct ExposureFormat {
    /// How instances are named.
    pub id_mode: InstanceIdMode,
    /// How booleans are spelled.
    pub booleans: Spelling,
}

impl ExposureFormat {
    /// Adds an exposure to a batch, with the instance named as in the log.
    ///
    /// Without its bucket where ids are hashed, see [`InstanceIdMode::apply`].
    pub(crate) fn push(
        &self,
        batch: &mut ExposureBatch,
        template: TemplateIndex,
        request_id: &str,
        instance: &InstanceId<'_>,
        bucket: Option<Bucket>,
        created: Timestamp,
    ) {
        match self.id_mode.pseudonym(instance) {
            None => batch.push(template, request_id, instance, bucket, created),
            Some(name) => batch.push(template, request_id, &name, None, created),
        }
    }

    /// Returns the exposure with the instance named as in the log.
    pub(crate) fn name<'a>(&self, exposure: Exposure<'a>) -> Exposure<'a> {
        self.id_mode.apply(exposure)
    }

    /// Returns the record of an exposure.
    pub(crate) fn record(&self, exposure: Exposure<'_>) -> Result<ExposureRecord, Invalid> {
        self.name(exposure).record(self.booleans)
    }
}

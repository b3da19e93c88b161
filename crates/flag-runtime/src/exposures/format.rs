//! How exposures are written to the exposure log.

use flag_model::{Bucket, InstanceId, Invalid, Timestamp};
use flag_store::{
    CellFormat, Exposure, ExposureBatch, ExposureRecord, InstanceIdMode, TemplateIndex,
};

/// How exposures are written to the exposure log.
#[derive(Clone, Debug)]
pub struct ExposureFormat {
    /// How instances are named.
    pub id_mode: InstanceIdMode,
    /// How booleans are written.
    pub booleans: CellFormat,
}

impl ExposureFormat {
    /// Adds an exposure to a batch, with the instance named as in the exposure log.
    ///
    /// Without its bucket where ids are hashed, see [`InstanceIdMode::apply`].
    pub(crate) fn push_pseudonymized(
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

    /// Returns the exposure with the instance named as in the exposure log.
    pub(crate) fn pseudonymize<'a>(&self, exposure: Exposure<'a>) -> Exposure<'a> {
        self.id_mode.apply(exposure)
    }

    /// Encodes an exposure, with the instance named as in the exposure log.
    pub(crate) fn to_record(&self, exposure: Exposure<'_>) -> Result<ExposureRecord, Invalid> {
        self.pseudonymize(exposure).to_record(self.booleans)
    }
}

#[cfg(test)]
mod tests {
    use flag_store::BatchId;

    use super::*;
    use crate::exposures::chunk::Chunk;
    use crate::exposures::tests::{decided, format, served};

    #[test]
    fn hashed_names_are_those_of_openssl_and_hide_the_bucket() {
        let id_mode = InstanceIdMode::hashed(b"a key of 16 byte").unwrap();
        let decided = decided();
        let mut chunk = Chunk::new();
        chunk.push(served(&decided, "A12345"));
        let bucket = |format: &ExposureFormat| {
            let (batch, invalid) = chunk.batch(BatchId(1), format);
            assert_eq!((batch.len(), invalid), (1, 0));
            batch.entries().next().unwrap().bucket
        };
        assert!(bucket(&format()).is_some());
        let hashed = ExposureFormat {
            id_mode,
            ..format()
        };
        assert_eq!(bucket(&hashed), None);
        // printf A12345 | openssl dgst -sha256 -hmac 'a key of 16 byte'
        let expected = "a4ce10b4b7a531092e0f1c12dca084858567345754813ce6d19f69f1e3e0cdbd";
        let (batch, _) = chunk.batch(BatchId(1), &hashed);
        let exposure = batch.exposures().next().unwrap();
        assert_eq!(exposure.instance.as_str(), expected);
        let record = exposure.to_record(CellFormat::Json).unwrap();
        let key = str::from_utf8(record.key()).unwrap();
        assert!(key.contains(expected) && !key.contains("A12345"), "{key}");
    }
}

//! Exposures: as they are served, as they are kept, and as they are read.

use std::borrow::Cow;

use flag_model::{Bucket, FlagKey, FlagValue, InstanceId, Invalid, Reason, Timestamp};

use crate::options::CellFormat;
use crate::rows::Row;
use crate::store_error::StoreError;
use crate::stored::{
    bucket_cell, created_cell, decode_exposure, encode_exposure, group_cell, instance_cell,
    read_exposure,
};

/// A decision that was served; what is `None` has no column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposure<'a> {
    /// The request that it answered.
    pub request_id: Cow<'a, str>,
    /// The flag.
    pub flag: Cow<'a, FlagKey>,
    /// The instance that it was served to.
    pub instance: InstanceId<'a>,
    /// What was served.
    pub value: Cow<'a, FlagValue>,
    /// The rollout group that was served.
    pub rollout_group: Cow<'a, str>,
    /// Which rule decided.
    pub reason: Option<Reason>,
    /// The bucket of the instance; absent for an override.
    pub bucket: Option<Bucket>,
    /// The revision that decided.
    pub revision: Option<Timestamp>,
    /// Whether the flag came from the cache.
    pub from_cache: Option<bool>,
    /// When it was served.
    pub created: Timestamp,
}

/// An exposure as logs return and exchange it, whatever tooling wrote it: its row in Bigtable, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExposureRecord(Row);

impl Exposure<'_> {
    /// The record of it, with its booleans written like this; an error if its key would be too long.
    pub fn to_record(&self, boolean_format: CellFormat) -> Result<ExposureRecord, Invalid> {
        self.row(boolean_format).map(ExposureRecord)
    }

    pub(crate) fn row(&self, boolean_format: CellFormat) -> Result<Row, Invalid> {
        encode_exposure(self, boolean_format)
    }
}

impl From<Row> for ExposureRecord {
    fn from(row: Row) -> Self {
        Self(row)
    }
}

impl ExposureRecord {
    /// Its key, which is unique.
    pub fn key(&self) -> &[u8] {
        &self.0.key
    }

    /// The row.
    pub fn row(&self) -> &Row {
        &self.0
    }

    /// Its cells as text.
    pub fn text(&self) -> ExposureText {
        decode_exposure(&self.0)
    }

    /// When it was served, if that is valid.
    pub fn created(&self) -> Option<Timestamp> {
        let text = created_cell(&self.0)?;
        Timestamp::parse(str::from_utf8(text).ok()?).ok()
    }

    /// The instance as the log names it, if that is a text.
    pub fn instance(&self) -> Option<&str> {
        str::from_utf8(instance_cell(&self.0)?).ok()
    }

    /// Whether the log names the instance by a hash, as far as that can be seen.
    pub fn is_hashed(&self) -> bool {
        let has_bucket = bucket_cell(&self.0).is_some();
        looks_hashed(self.instance().unwrap_or_default(), has_bucket)
    }

    /// The exposure that has this very record, and how its booleans are written; `None` if there is none.
    pub fn exposure(&self) -> Option<(Exposure<'static>, CellFormat)> {
        let exposure = read_exposure(&self.0)?;
        let formats = [CellFormat::Json, CellFormat::Python].into_iter();
        let mut same = formats.filter(|&boolean_format| {
            let row = exposure.row(boolean_format);
            row.is_ok_and(|row| row == self.0)
        });
        same.next()
            .map(|boolean_format| (exposure.clone(), boolean_format))
    }

    /// The rollout group that was served; empty if there is none.
    pub fn group(&self) -> &[u8] {
        group_cell(&self.0).unwrap_or_default()
    }

    /// The first column whose cell differs between two records.
    pub(crate) fn first_difference(&self, other: &Self) -> Option<String> {
        let (one, other) = (&self.0.cells, &other.0.cells);
        let columns = one.iter().chain(other.iter());
        let mut columns = columns.map(|(column, _)| String::from_utf8_lossy(column).into_owned());
        columns.find(|column| one.get(column) != other.get(column))
    }
}

/// Whether a name in the log is a hash: 64 hexadecimal digits, and there is no bucket.
pub(crate) fn looks_hashed(name: &str, has_bucket: bool) -> bool {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    !has_bucket && name.len() == 64 && name.bytes().all(is_digit)
}

/// The cells of an [`ExposureRecord`] as text, for display; exposures of the Python framework lack revision, reason and
/// bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of `Exposure`")]
pub struct ExposureText {
    pub key: String,
    pub request_id: String,
    pub created: String,
    pub instance: String,
    pub value: String,
    pub rollout_group: String,
    pub from_cache: Option<String>,
    pub revision: Option<String>,
    pub reason: Option<String>,
    pub bucket: Option<String>,
}

/// Why an exposure was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteExposureError {
    /// It cannot be stored as a row. Retrying cannot help.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// Another one with its key is logged. Retrying cannot help.
    #[error(
        "an exposure with this request id and time is already logged, with another {column}; nothing was changed"
    )]
    Differs {
        /// The first column that differs.
        column: String,
    },
    /// The store failed. Writing it again is safe.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exposure_comes_back_from_its_record() {
        let served = Exposure {
            request_id: "r%".into(),
            flag: Cow::Owned("p/feature/f".parse().unwrap()),
            instance: InstanceId::new("A#1").unwrap(),
            value: Cow::Owned(FlagValue::Boolean(true)),
            rollout_group: "treatment_1".into(),
            reason: Some(Reason::Rollout),
            bucket: Bucket::new(7),
            revision: Some(Timestamp::UNIX_EPOCH),
            from_cache: Some(false),
            created: Timestamp::UNIX_EPOCH,
        };
        for boolean_format in [CellFormat::Json, CellFormat::Python] {
            let record = served.to_record(boolean_format).unwrap();
            assert_eq!(record.exposure(), Some((served.clone(), boolean_format)));
        }
        for (column, text) in [("Bucket", "007"), ("Added", "x"), ("InstanceID", "B")] {
            let mut row = served.to_record(CellFormat::Json).unwrap().row().clone();
            row.cells.set(column, text);
            assert_eq!(ExposureRecord::from(row).exposure(), None, "{column}");
        }
    }
}

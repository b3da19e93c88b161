//! Rows of exposures in two parts, so that the part that many of them share is encoded once.
//!
//! Law, kept by the test of that name: `both_parts_are_the_row_of_the_exposure`.

use flag_model::{FlagValue, Invalid, TimestampText};

use super::cell_type;
use crate::exposure_batch::{BatchEntry, ExposureTemplate};
use crate::options::CellFormat;
use crate::row_key::{flag_exposures_prefix, push_exposure_key};

impl ExposureTemplate {
    /// Returns the prefix of the keys of its exposures.
    pub fn key_prefix(&self) -> String {
        flag_exposures_prefix(&self.flag)
    }

    /// Calls `set` with column and value of each cell that all its exposures have.
    pub fn each_cell(&self, boolean_format: CellFormat, mut set: impl FnMut(&'static str, &str)) {
        set("AssignedGroup", &self.rollout_group);
        set(
            "AssignedValue",
            match &self.value {
                FlagValue::Boolean(value) => boolean_format.boolean(*value),
                FlagValue::Text(text) => text,
            },
        );
        if let Some(from_cache) = self.from_cache {
            set("CacheFlag", boolean_format.boolean(from_cache));
        }
        set("Name", self.flag.name.as_str());
        if let Some(reason) = self.reason {
            set("Reason", reason.as_str());
        }
        if let Some(revision) = self.revision {
            set("Revision", &revision.text());
        }
        set("Type", cell_type(self.flag.flag_type));
    }
}

/// Writes the key and the cells of one exposure of a batch; its time is formatted once for both.
#[derive(Clone, Copy, Debug)]
pub struct EntryEncoder<'a> {
    entry: BatchEntry<'a>,
    created: TimestampText,
}

impl<'a> From<BatchEntry<'a>> for EntryEncoder<'a> {
    fn from(entry: BatchEntry<'a>) -> Self {
        Self {
            entry,
            created: entry.created.text(),
        }
    }
}

impl EntryEncoder<'_> {
    /// Replaces `key` by its key, which begins with the prefix of its template; an error if it would be too long.
    pub fn write_key(&self, prefix: &str, key: &mut String) -> Result<(), Invalid> {
        key.clear();
        key.push_str(prefix);
        let BatchEntry {
            instance,
            request_id,
            ..
        } = self.entry;
        push_exposure_key(key, instance, request_id, &self.created)
    }

    /// Calls `set` with column and value of each cell besides those of its template.
    pub fn each_cell(&self, mut set: impl FnMut(&'static str, &str)) {
        if let Some(bucket) = self.entry.bucket {
            set("Bucket", Digits::of(bucket.get()).as_str());
        }
        set("CreatedTimestamp", &self.created);
        set("InstanceID", self.entry.instance);
        set("RequestID", self.entry.request_id);
    }
}

/// A number in decimal; allocates nothing.
struct Digits {
    digits: [u8; 10],
    start: usize,
}

impl Digits {
    fn of(mut number: u32) -> Self {
        let mut digits = [b'0'; 10];
        let mut start = digits.len();
        for (index, digit) in digits.iter_mut().enumerate().rev() {
            *digit += u8::try_from(number % 10).unwrap_or_default();
            start = index;
            number /= 10;
            if number == 0 {
                break;
            }
        }
        Self { digits, start }
    }

    fn as_str(&self) -> &str {
        let digits = self.digits.get(self.start..).unwrap_or_default();
        str::from_utf8(digits).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use flag_model::{Bucket, FlagKey, FlagName, InstanceId, ProjectName, Reason, Timestamp};
    use proptest::prelude::*;

    use super::*;
    use crate::exposure_batch::{BatchId, ExposureBatch};
    use crate::rows::{Cells, Row};

    fn template() -> impl Strategy<Value = ExposureTemplate> {
        let value = prop_oneof![
            any::<bool>().prop_map(FlagValue::Boolean),
            "[^\0]{0,300}".prop_map(|text| FlagValue::text(&text).unwrap()),
        ];
        let reason = prop_oneof![
            Just(Reason::Override),
            Just(Reason::Rollout),
            Just(Reason::Control),
            Just(Reason::Delivered)
        ];
        let revision = proptest::option::of(0..2_000_000_000_000_000_i64);
        let options = (
            revision,
            proptest::option::of(reason),
            any::<Option<bool>>(),
        );
        ("[a-z]{1,9}", value, ".{0,40}", options).prop_map(|(name, value, group, options)| {
            let (revision, reason, from_cache) = options;
            ExposureTemplate {
                flag: FlagKey {
                    project: ProjectName::new("csr-assistant").unwrap(),
                    flag_type: value.flag_type(),
                    name: FlagName::new(name).unwrap(),
                },
                revision: revision.map(|micros| Timestamp::from_unix_micros(micros).unwrap()),
                value,
                rollout_group: group,
                reason,
                from_cache,
            }
        })
    }

    proptest! {
        #[test]
        fn both_parts_are_the_row_of_the_exposure(
            template in template(),
            instance in "[^\0]{1,60}",
            request_id in ".{0,1400}",
            bucket in proptest::option::of(0..100_000_u32),
            micros in 0..2_000_000_000_000_000_i64,
            is_json in any::<bool>(),
        ) {
            let boolean_format = if is_json { CellFormat::Json } else { CellFormat::Python };
            let mut batch = ExposureBatch::new(BatchId::default(), boolean_format);
            let index = batch.add_template(template.clone());
            let Ok(instance) = InstanceId::new(instance) else { return Ok(()) };
            let created = Timestamp::from_unix_micros(micros).unwrap();
            batch.push(index, &request_id, &instance, bucket.and_then(Bucket::new), created);
            let whole = batch.exposures().next().unwrap().row(boolean_format);
            let encoder = EntryEncoder::from(batch.entries().next().unwrap());
            let (mut key, mut cells) = (String::new(), Cells::default());
            template.each_cell(boolean_format, |column, value| cells.set(column, value));
            encoder.each_cell(|column, value| cells.set(column, value));
            let parts = encoder.write_key(&template.key_prefix(), &mut key);
            prop_assert_eq!(parts.map(|()| Row { key: key.into(), cells }), whole);
        }
    }

    #[test]
    fn a_number_is_spelled_without_leading_zeros() {
        for number in [0, 7, 10, 31_444, 99_999, u32::MAX] {
            assert_eq!(Digits::of(number).as_str(), number.to_string());
        }
    }
}

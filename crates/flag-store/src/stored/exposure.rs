//! Exposure rows.

use std::borrow::Cow;

use flag_model::{Bucket, FlagType, FlagValue, InstanceId, Invalid, Reason, Timestamp, quoted};

use super::{Reader, UnreadableRow, cell_type};
use crate::exposures::{Exposure, ExposureText};
use crate::options::CellFormat;
use crate::row_key::{ExposureRowKey, exposure_key};
use crate::rows::{Cells, Row};

/// What the columns of an exposure take, and those of its values whose length is bounded.
const FIXED_BYTES: usize = 192;

/// The row of an exposure; refused if its key would be too long.
///
/// Costs three allocations: thousands of exposures are encoded in a second.
pub(crate) fn encode_exposure(
    exposure: &Exposure<'_>,
    boolean_format: CellFormat,
) -> Result<Row, Invalid> {
    let created = exposure.created.text();
    let key = exposure_key(
        &exposure.flag,
        &exposure.instance,
        &exposure.request_id,
        &created,
    )?;
    let value = match &*exposure.value {
        FlagValue::Boolean(value) => boolean_format.boolean(*value),
        FlagValue::Text(text) => text,
    };
    let name = exposure.flag.name.as_str();
    let instance = exposure.instance.as_str();
    let (request, group) = (&*exposure.request_id, &*exposure.rollout_group);
    let texts = [name, instance, request, group, value];
    let bytes = texts.map(str::len).iter().sum::<usize>();
    // In ascending order, which is the cheapest.
    let mut cells = Cells::with_capacity(11, FIXED_BYTES + bytes);
    cells.set("AssignedGroup", group);
    cells.set("AssignedValue", value);
    if let Some(bucket) = exposure.bucket {
        cells.set_text("Bucket", bucket.get());
    }
    if let Some(from_cache) = exposure.from_cache {
        cells.set("CacheFlag", boolean_format.boolean(from_cache));
    }
    cells.set("CreatedTimestamp", created);
    cells.set("InstanceID", instance);
    cells.set("Name", name);
    if let Some(reason) = exposure.reason {
        cells.set("Reason", reason.as_str());
    }
    cells.set("RequestID", request);
    if let Some(revision) = exposure.revision {
        cells.set("Revision", revision.text());
    }
    cells.set("Type", cell_type(exposure.flag.flag_type));
    Ok(Row {
        key: key.into(),
        cells,
    })
}

/// The cells of an exposure as text, whatever tooling wrote it; no decision depends on them, so nothing is refused.
pub(crate) fn decode_exposure(row: &Row) -> ExposureText {
    let text = |column| {
        row.cells
            .get(column)
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    };
    ExposureText {
        key: String::from_utf8_lossy(&row.key).into_owned(),
        request_id: text("RequestID").unwrap_or_default(),
        created: text("CreatedTimestamp").unwrap_or_default(),
        instance: text("InstanceID").unwrap_or_default(),
        value: text("AssignedValue").unwrap_or_default(),
        rollout_group: text("AssignedGroup").unwrap_or_default(),
        from_cache: text("CacheFlag"),
        revision: text("Revision"),
        reason: text("Reason"),
        bucket: text("Bucket"),
    }
}

/// The cell with the time when an exposure was served.
pub(crate) fn created_cell(row: &Row) -> Option<&[u8]> {
    row.cells.get("CreatedTimestamp")
}

/// The cell with the instance id, or its pseudonym.
pub(crate) fn instance_cell(row: &Row) -> Option<&[u8]> {
    row.cells.get("InstanceID")
}

/// The cell with the rollout group.
pub(crate) fn group_cell(row: &Row) -> Option<&[u8]> {
    row.cells.get("AssignedGroup")
}

/// The cell with the bucket.
pub(crate) fn bucket_cell(row: &Row) -> Option<&[u8]> {
    row.cells.get("Bucket")
}

/// The exposure of a row, as far as its cells are valid; columns that no exposure has are left out.
pub(crate) fn read_exposure(row: &Row) -> Option<Exposure<'static>> {
    let flag = ExposureRowKey::decode(&row.key).ok()?.flag;
    let text = |column| str::from_utf8(row.cells.get(column)?).ok();
    let value = FlagValue::parse(flag.flag_type, text("AssignedValue")?).ok()?;
    let boolean = |text| match FlagValue::parse(FlagType::Feature, text) {
        Ok(FlagValue::Boolean(value)) => Some(value),
        _ => None,
    };
    Some(Exposure {
        request_id: text("RequestID")?.to_owned().into(),
        flag: Cow::Owned(flag),
        instance: InstanceId::new(text("InstanceID")?).ok()?.into_owned(),
        value: Cow::Owned(value),
        rollout_group: text("AssignedGroup")?.to_owned().into(),
        reason: text("Reason").and_then(Reason::parse),
        bucket: text("Bucket").and_then(|text| bucket(text).ok()),
        revision: text("Revision").and_then(|text| Timestamp::parse(text).ok()),
        from_cache: text("CacheFlag").and_then(boolean),
        created: Timestamp::parse(text("CreatedTimestamp")?).ok()?,
    })
}

/// Checks the cells of an exposure in a log; those of the Python framework are valid too.
pub fn check_exposure(row: &Row) -> Result<(), UnreadableRow> {
    let key = ExposureRowKey::decode(&row.key);
    let key = key.map_err(|problem| UnreadableRow::key_of(row, problem))?;
    let reader = Reader {
        row,
        key,
        oddities: None,
    };
    let flag = &reader.key.flag;
    reader.agrees("Name", flag.name.as_str())?;
    reader.agrees("Type", cell_type(flag.flag_type))?;
    let instance = reader.required("InstanceID")?;
    reader.is_of_key("InstanceID", instance, reader.key.other_instance(instance))?;
    let request = reader.required("RequestID")?;
    reader.is_of_key("RequestID", request, reader.key.other_request(request))?;
    reader.required("AssignedGroup")?;
    let flag_type = flag.flag_type;
    reader.required("AssignedValue")?;
    reader.check("AssignedValue", |text| FlagValue::parse(flag_type, text))?;
    reader.required("CreatedTimestamp")?;
    reader.check("CreatedTimestamp", Timestamp::parse)?;
    reader.check("CacheFlag", |text| {
        FlagValue::parse(FlagType::Feature, text)
    })?;
    reader.check("Revision", Timestamp::parse)?;
    reader.check("Reason", reason)?;
    reader.check("Bucket", bucket)
}

fn reason(text: &str) -> Result<Reason, Invalid> {
    Reason::parse(text).ok_or_else(|| {
        Invalid::new(
            "reason",
            quoted(text),
            "override, rollout, control or delivered",
        )
    })
}

fn bucket(text: &str) -> Result<Bucket, Invalid> {
    let bucket = text.parse().ok().and_then(Bucket::new);
    bucket.ok_or_else(|| Invalid::new("bucket", quoted(text), "a number from 0 to 99999"))
}

impl Reader<'_, ExposureRowKey<'_>> {
    /// Refuses an id that isn't the one in the key.
    fn is_of_key(
        &self,
        column: &str,
        found: &str,
        other: Option<&str>,
    ) -> Result<(), UnreadableRow> {
        let Some(expected) = other else { return Ok(()) };
        let (found, expected) = (quoted(found), quoted(expected));
        let problem = format!("found {found}, expected {expected}, as in the row key");
        Err(self.problem(column, problem))
    }

    /// Refuses an existing cell that cannot be read as this.
    fn check<T>(
        &self,
        column: &'static str,
        read: impl Fn(&str) -> Result<T, Invalid>,
    ) -> Result<(), UnreadableRow> {
        let read = self.optional(column)?.map(read).transpose();
        read.map_err(|invalid| self.invalid(column, invalid))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "PROJECT#p#FLAGTYPE#feature#FLAGNAME#f#INSTANCEID#A%231#REQUESTID#r-1#TIME#2024-09-26 10:00:00";

    /// A row as the Python framework leaves it, but for these cells.
    fn row(key: &str, cells: &[(&str, &str)]) -> Row {
        let all = [
            ("RequestID", "r-1"),
            ("Name", "f"),
            ("CreatedTimestamp", "2024-09-26 10:00:00"),
            ("Type", "FEATURE"),
            ("InstanceID", "A#1"),
            ("AssignedValue", "True"),
            ("AssignedGroup", "treatment_1"),
            ("CacheFlag", "False"),
        ];
        Row {
            key: key.into(),
            cells: all.iter().chain(cells).copied().collect::<Cells>(),
        }
    }

    #[track_caller]
    fn check_refused(row: &Row, says: &str) {
        let message = check_exposure(row).unwrap_err().to_string();
        assert!(message.contains(says), "{says} is not in {message}");
    }

    #[test]
    fn exposures_of_either_are_fine() {
        assert_eq!(check_exposure(&row(KEY, &[])), Ok(()));
        assert_eq!(check_exposure(&row(&KEY.replace("%23", "#"), &[])), Ok(()));
        let ours = [
            ("AssignedValue", "true"),
            ("CacheFlag", "true"),
            ("Revision", "2024-09-25 19:15:28.248896"),
            ("Reason", "rollout"),
            ("Bucket", "99999"),
        ];
        assert_eq!(check_exposure(&row(KEY, &ours)), Ok(()));
    }

    #[test]
    fn a_cell_that_cannot_be_is_named() {
        for (cell, says) in [
            (("Name", "g"), "column Name: found \"g\", expected f"),
            (
                ("Type", "feature"),
                "column Type: found \"feature\", expected FEATURE",
            ),
            (
                ("InstanceID", "B"),
                "column InstanceID: found \"B\", expected \"A%231\", as in the row key",
            ),
            (
                ("RequestID", "r"),
                "column RequestID: found \"r\", expected \"r-1\", as in the row key",
            ),
            (
                ("AssignedValue", "on"),
                "column AssignedValue: found \"on\", expected true or false",
            ),
            (
                ("CreatedTimestamp", "soon"),
                "column CreatedTimestamp: found \"soon\"",
            ),
            (
                ("CacheFlag", "yes"),
                "column CacheFlag: found \"yes\", expected true or false",
            ),
            (("Revision", "1"), "column Revision: found \"1\""),
            (
                ("Reason", "why"),
                "column Reason: found \"why\", expected override, rollout, control or delivered",
            ),
            (
                ("Bucket", "100000"),
                "column Bucket: found \"100000\", expected a number from 0 to 99999",
            ),
        ] {
            check_refused(&row(KEY, &[cell]), says);
        }
    }

    #[test]
    fn a_key_or_a_cell_that_is_no_text_is_named() {
        let mut unreadable = row(KEY, &[]);
        unreadable.cells.set("AssignedGroup", b"\xff".as_slice());
        check_refused(&unreadable, "column AssignedGroup: found invalid utf-8");
        check_refused(&row("PROJECT#p#x", &[]), "row key: found \"PROJECT#p#x\"");
        let mut missing = row(KEY, &[]);
        let kept = missing
            .cells
            .iter()
            .filter(|(column, _)| *column != b"AssignedGroup");
        missing.cells = kept.collect();
        check_refused(&missing, "column AssignedGroup: found no such cell");
    }
}

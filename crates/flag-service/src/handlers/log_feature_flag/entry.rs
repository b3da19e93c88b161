//! Decodes one entry; all its errors are reported together.

use std::borrow::Cow;

use flag_model::{
    Bucket, FlagKey, FlagName, FlagType, FlagValue, InstanceId, Invalid, ProjectName, Reason,
    Timestamp, TreatmentName, quoted,
};
use flag_store::Exposure;
use serde_json::{Map, Value};

use crate::http::is_request_id;

/// Returns the exposure of an entry; request and time are the given ones unless the entry names its own.
///
/// `path` is the position of the entry in a list, with which messages begin; `check` refuses invalid times.
pub(super) fn decode<'a>(
    entry: &'a Value,
    path: &str,
    request_id: &'a str,
    now: Timestamp,
    check: impl FnOnce(Timestamp) -> Result<Timestamp, Invalid>,
) -> Result<Exposure<'a>, String> {
    let Value::Object(entry) = entry else {
        let path = if path.is_empty() { "body" } else { path };
        let found = shown(entry);
        return Err(format!("{path}: found {found}, expected an entry"));
    };
    let mut fields = Fields {
        entry,
        path,
        problems: Vec::new(),
    };
    let exposure = fields.exposure(request_id, now, check);
    match exposure {
        Some(exposure) if fields.problems.is_empty() => Ok(exposure),
        _ => Err(fields.problems.join("; ")),
    }
}

/// Returns how a message shows a value.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        other => other.to_string(),
    }
}

/// The fields of an entry, and what is wrong with them.
struct Fields<'a, 'p> {
    entry: &'a Map<String, Value>,
    path: &'p str,
    problems: Vec<String>,
}

impl<'a> Fields<'a, '_> {
    fn exposure(
        &mut self,
        request_id: &'a str,
        now: Timestamp,
        check: impl FnOnce(Timestamp) -> Result<Timestamp, Invalid>,
    ) -> Option<Exposure<'a>> {
        let project = self.required("project_name", |value| text(value, ProjectName::new));
        let flag_type = self.required("flag_type", |value| text(value, FlagType::parse));
        let name = self.required("flag_name", |value| text(value, FlagName::new));
        let instance = self.required("instance_id", |value| text(value, InstanceId::new));
        let value = self.required("flag_value", |value| flag_value(value, flag_type));
        let group = self.required("rollout_group", |value| text(value, group));
        let request = self.optional("request_id", |value| text(value, given_request_id));
        let created = self.optional("created_time", |value| {
            check(text(value, Timestamp::parse)?)
        });
        let from_cache = self.optional("cache_flag", boolean);
        let reason = self.optional("reason", |value| text(value, reason));
        let bucket = self.optional("bucket", |value| bucket(value, reason));
        let revision = self.optional("revision", |value| text(value, Timestamp::parse));
        Some(Exposure {
            request_id: request.unwrap_or(request_id).into(),
            flag: Cow::Owned(FlagKey {
                project: project?,
                flag_type: flag_type?,
                name: name?,
            }),
            instance: instance?,
            value: Cow::Owned(value?),
            rollout_group: group?.into(),
            reason,
            bucket,
            revision,
            from_cache,
            created: created.unwrap_or(now),
        })
    }

    /// Returns a required field.
    fn required<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&'a Value) -> Result<T, Invalid>,
    ) -> Option<T> {
        if self.present(name).is_none() {
            let name = self.named(name);
            self.problems.push(format!("{name}: missing"));
        }
        self.optional(name, read)
    }

    /// Returns a field that may be missing, or null.
    fn optional<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&'a Value) -> Result<T, Invalid>,
    ) -> Option<T> {
        match read(self.present(name)?) {
            Ok(read) => Some(read),
            Err(Invalid {
                found, expected, ..
            }) => {
                let name = self.named(name);
                self.problems
                    .push(format!("{name}: found {found}, expected {expected}"));
                None
            }
        }
    }

    fn present(&self, name: &str) -> Option<&'a Value> {
        self.entry.get(name).filter(|value| !value.is_null())
    }

    fn named(&self, name: &str) -> String {
        match self.path {
            "" => name.to_owned(),
            path => format!("{path}.{name}"),
        }
    }
}

fn invalid(found: &Value, expected: impl Into<String>) -> Invalid {
    Invalid::new("", shown(found), expected)
}

/// Parses a text.
fn text<'a, T>(
    value: &'a Value,
    read: impl FnOnce(&'a str) -> Result<T, Invalid>,
) -> Result<T, Invalid> {
    match value {
        Value::String(text) => read(text),
        other => Err(invalid(other, "text")),
    }
}

/// Reads a boolean.
fn boolean(value: &Value) -> Result<bool, Invalid> {
    value
        .as_bool()
        .ok_or_else(|| invalid(value, "true or false"))
}

/// A boolean for `feature`, also as text; text for `data`. Not checked for an unknown type.
fn flag_value(value: &Value, flag_type: Option<FlagType>) -> Result<FlagValue, Invalid> {
    match (flag_type, value) {
        (None, _) => Ok(FlagValue::Boolean(false)),
        (Some(FlagType::Feature), Value::Bool(value)) => Ok(FlagValue::Boolean(*value)),
        (Some(flag_type), Value::String(text)) => FlagValue::parse(flag_type, text),
        (Some(FlagType::Feature), other) => Err(invalid(other, "true or false")),
        (Some(FlagType::Data), other) => Err(invalid(other, "text")),
    }
}

fn group(text: &str) -> Result<&str, Invalid> {
    TreatmentName::new(text).map(|_| text)
}

fn given_request_id(text: &str) -> Result<&str, Invalid> {
    let expected = "1 to 64 letters, digits, '.', '_' or '-'";
    is_request_id(text)
        .then_some(text)
        .ok_or_else(|| Invalid::new("", quoted(text), expected))
}

fn reason(text: &str) -> Result<Reason, Invalid> {
    Reason::parse(text)
        .ok_or_else(|| Invalid::new("", quoted(text), "override, rollout, control or delivered"))
}

/// A bucket; an override has none.
fn bucket(value: &Value, reason: Option<Reason>) -> Result<Bucket, Invalid> {
    if reason == Some(Reason::Override) {
        return Err(invalid(value, "none, as reason is override"));
    }
    let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
    number
        .and_then(Bucket::new)
        .ok_or_else(|| invalid(value, "a whole number in range [0, 99999]"))
}

#[cfg(test)]
mod tests {
    use flag_api::{ExposureEntry, ReplyValue};
    use flag_store::CellFormat;
    use serde_json::json;

    use super::*;

    const NOW: &str = "2026-11-22 10:00:00.000001";

    fn entry() -> Value {
        let entry = ExposureEntry {
            project_name: "p".into(),
            flag_type: "feature".into(),
            flag_name: "f".into(),
            instance_id: "A#1".into(),
            flag_value: ReplyValue::Boolean(true),
            rollout_group: "treatment_1".into(),
            request_id: None,
            created_time: None,
            cache_flag: None,
            reason: None,
            bucket: None,
            revision: None,
        };
        serde_json::to_value(entry).unwrap()
    }

    /// Decodes an entry with one field changed.
    fn decoded(field: &str, value: Value) -> Result<Vec<String>, String> {
        let mut entry = entry();
        entry[field] = value;
        let now = Timestamp::parse(NOW).unwrap();
        let record = decode(&entry, "[3]", "r-0", now, Ok)?
            .to_record(CellFormat::Json)
            .unwrap();
        let cells = record.row().cells.iter();
        Ok(cells
            .map(|(column, cell)| format!("{}={}", column.escape_ascii(), cell.escape_ascii()))
            .collect())
    }

    #[track_caller]
    fn check_column(field: &str, value: Value, expected: &str) {
        let cells = decoded(field, value).unwrap();
        assert!(cells.contains(&expected.to_owned()), "{cells:?}");
    }

    #[track_caller]
    fn check_refused(field: &str, value: Value, expected: &str) {
        let refused = decoded(field, value).unwrap_err();
        assert_eq!(refused, format!("[3].{field}: {expected}"));
    }

    #[test]
    fn an_entry_without_more_is_logged_with_what_is_known() {
        let expected = [
            "AssignedGroup=treatment_1",
            "AssignedValue=true",
            "CreatedTimestamp=2026-11-22 10:00:00.000001",
            "InstanceID=A#1",
            "Name=f",
            "RequestID=r-0",
            "Type=FEATURE",
        ];
        assert_eq!(decoded("reason", Value::Null).unwrap(), expected);
    }

    #[test]
    fn every_field_has_its_column() {
        check_column("request_id", json!("mine"), "RequestID=mine");
        let created = "CreatedTimestamp=2024-10-01 08:00:00.000000";
        check_column("created_time", json!("2024-10-01 08:00:00"), created);
        check_column("cache_flag", json!(false), "CacheFlag=false");
        check_column("reason", json!("override"), "Reason=override");
        check_column("bucket", json!(99_999), "Bucket=99999");
        let revision = "Revision=2024-10-01 08:00:00.500000";
        check_column("revision", json!("2024-10-01 08:00:00.5"), revision);
        check_column("flag_value", json!("False"), "AssignedValue=false");
        check_column(
            "instance_id",
            json!("日本"),
            "InstanceID=\\xe6\\x97\\xa5\\xe6\\x9c\\xac",
        );
    }

    #[test]
    fn invalid_values_are_reported_by_field() {
        check_refused("flag_name", json!(5), "found 5, expected text");
        check_refused(
            "flag_type",
            json!("boolean"),
            "found \"boolean\", expected feature or data",
        );
        check_refused(
            "flag_value",
            json!(1.5),
            "found 1.5, expected true or false",
        );
        check_refused(
            "flag_value",
            json!("on"),
            "found \"on\", expected true or false",
        );
        check_refused(
            "cache_flag",
            json!("yes"),
            "found \"yes\", expected true or false",
        );
        check_refused(
            "bucket",
            json!(100_000),
            "found 100000, expected a whole number in range [0, 99999]",
        );
        check_refused(
            "bucket",
            json!(-1),
            "found -1, expected a whole number in range [0, 99999]",
        );
        check_refused("reason", json!([]), "found a list, expected text");
        check_refused(
            "instance_id",
            json!(""),
            "found \"\", expected 1 to 512 bytes without NUL",
        );
        check_refused(
            "request_id",
            json!("a b"),
            "found \"a b\", expected 1 to 64 letters, digits, '.', '_' or '-'",
        );
        check_refused(
            "created_time",
            json!("now"),
            "found \"now\", expected YYYY-MM-DD HH:MM:SS.ffffff in UTC",
        );
        check_refused("project_name", Value::Null, "missing");
    }

    #[test]
    fn all_mistakes_are_reported_at_once() {
        let now = Timestamp::parse(NOW).unwrap();
        let entry =
            json!({ "flag_type": "data", "flag_value": true, "reason": "override", "bucket": 1 });
        let expected = "project_name: missing; flag_name: missing; instance_id: missing; \
            flag_value: found true, expected text; rollout_group: missing; \
            bucket: found 1, expected none, as reason is override";
        assert_eq!(decode(&entry, "", "r", now, Ok).unwrap_err(), expected);
        let refused = decode(&json!("x"), "[0]", "r", now, Ok).unwrap_err();
        assert_eq!(refused, "[0]: found \"x\", expected an entry");
    }
}

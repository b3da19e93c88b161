//! Facts about run configurations.

mod copied_rows;
mod pointing;

use flag_model::InstanceId;
use unicode_width::UnicodeWidthStr as _;

use super::*;

const CELL: &str = "{'Name': 'f', 'Type': 'FEATURE', 'FormatVersion': 1, 'ControlValue': False, 'Comment': 'Rollout to 40%', 'OwnerID': 'John Smith', 'Treatments': [{'OverrideList': ['A12345'], 'PercentRollout':40, 'Value': True}]}";
const METADATA: &str = "{\"Name\": \"f\", \"Type\": \"FEATURE\", \"Description\": \"What\"}";

fn config(row_type: &str, cell: &str) -> String {
    serde_json::json!({
        "row_key_prefix_PROJECT": "p",
        "row_key_prefix_ROWTYPE": row_type,
        "row_key_prefix_FLAGTYPE": "feature",
        "row_key_prefix_FLAGNAME": "f",
        "row_cell_value": cell,
        "add_new_feature_flag": row_type == "FLAG",
    })
    .to_string()
}

fn read_now(text: &str) -> Result<RunConfig, String> {
    described(text).map(|described| described.config)
}

fn described(text: &str) -> Result<ParsedConfig, String> {
    read(text, Timestamp::UNIX_EPOCH, &RowOptions::default()).map_err(|error| error.to_string())
}

#[track_caller]
fn check_refused(text: &str, lines: &[&str]) {
    let message = read_now(text).unwrap_err();
    assert_eq!(message.lines().collect::<Vec<_>>(), lines);
}

#[test]
fn the_example_of_the_reference_is_read() {
    let Ok(RunConfig::Revision(revision)) = read_now(&config("REVISION", CELL)) else {
        panic!("no revision")
    };
    assert_eq!(
        (revision.comment.as_str(), revision.treatments.len()),
        ("Rollout to 40%", 1)
    );
    assert_eq!(revision.treatments[0].percent.to_string(), "40");
    let Ok(RunConfig::Metadata(metadata)) = read_now(&config("FLAG", METADATA)) else {
        panic!("no metadata")
    };
    assert_eq!(metadata.description, "What");
}

#[test]
fn a_cell_may_be_an_object_too() {
    let mut config: serde_json::Value = serde_json::from_str(&config("FLAG", "")).unwrap();
    config["row_cell_value"] = serde_json::from_str(METADATA).unwrap();
    assert!(matches!(
        read_now(&config.to_string()),
        Ok(RunConfig::Metadata(_))
    ));
}

#[test]
fn row_type_and_newness_agree() {
    let text = config("REVISION", CELL).replace("false", "true");
    let message = read_now(&text).unwrap_err();
    assert!(
        message.contains("found REVISION, expected FLAG, as add_new_feature_flag is true"),
        "{message}"
    );
}

#[test]
fn fields_are_named() {
    let missing = read_now(&config("FLAG", METADATA).replace("PROJECT", "PROJEKT")).unwrap_err();
    assert!(
        missing.contains(
            "\"row_key_prefix_PROJEKT\": no such field; did you mean row_key_prefix_PROJECT?"
        ),
        "{missing}"
    );
    let unknown = read_now(&config(
        "FLAG",
        &METADATA.replace("Description", "Descripton"),
    ))
    .unwrap_err();
    assert!(
        unknown.contains("\"Descripton\": no such field; did you mean Description?"),
        "{unknown}"
    );
    let other = read_now(&config("FLAG", &METADATA.replace("\"f\"", "\"g\""))).unwrap_err();
    assert!(
        other.contains("Name: found \"g\", expected f, as in the row key"),
        "{other}"
    );
    let none = read_now(&config("FLAG", "{'Name': 'f', 'Type': 'FEATURE'}")).unwrap_err();
    assert!(
        none.contains("Description: found nothing, expected some text"),
        "{none}"
    );
}

#[test]
fn nothing_is_dropped_or_taken_for_something_else() {
    let treatment =
        |fields: &str| CELL.replace("'Value': True", &format!("'Value': True, {fields}"));
    for (cell, says) in [
        (
            treatment("'Overrides': ['x']"),
            "\"Overrides\": no such field; did you mean OverrideList?",
        ),
        (
            treatment("'Ranges': [[0, 40000]]"),
            "\"Ranges\": no such field",
        ),
        (
            CELL.replace("'Comment'", "'Salt': 's', 'Comment'"),
            "\"Salt\": no such field",
        ),
        (
            CELL.replace("'Comment'", "'RollbackOf': 'soon', 'Comment'"),
            "found \"soon\", expected YYYY-MM-DD",
        ),
        (
            CELL.replace("'Rollout to 40%'", "40"),
            "Comment: found a number, expected text",
        ),
        (
            CELL.replace("'John Smith'", "['a']"),
            "OwnerID: found a list, expected text",
        ),
        (
            CELL.replace("False", "'off'"),
            "ControlValue: found \"off\", expected true or false",
        ),
    ] {
        let message = read_now(&config("REVISION", &cell)).unwrap_err();
        assert!(message.contains(says), "{says} is not in {message}");
    }
}

#[test]
fn a_total_above_a_hundred_says_that_it_is_the_total() {
    let cell = CELL.replace("}]", "}, {'PercentRollout': 61, 'Value': True}]");
    let says = "Rollout percentage: 101 is invalid. Value should be an integer in range [0, 100]. \
        101 is the total of all treatments.\n";
    check_pointed_at(&config("REVISION", &cell), says, "'Treatments': ", "[{");
}

#[test]
fn null_treatments_are_none() {
    for cell in [
        CELL.replace("['A12345']", "None"),
        CELL.replace("'OverrideList': ['A12345'], ", ""),
    ] {
        let Ok(RunConfig::Revision(revision)) = read_now(&config("REVISION", &cell)) else {
            panic!("no revision")
        };
        assert!(revision.treatments[0].overrides.is_empty());
    }
    let from = CELL.find("[{").unwrap();
    let cell = format!("{}None}}", &CELL[..from]);
    let Ok(RunConfig::Revision(revision)) = read_now(&config("REVISION", &cell)) else {
        panic!("no revision")
    };
    assert!(revision.treatments.is_empty());
    let cell = format!("{}}}", &CELL[..from].replace(", 'Treatments': ", ""));
    let Ok(RunConfig::Revision(revision)) = read_now(&config("REVISION", &cell)) else {
        panic!("no revision")
    };
    assert!(revision.treatments.is_empty());
}

/// What the Python framework would have served is taken, and said.
#[test]
fn what_is_read_otherwise_than_it_is_spelled_is_said() {
    let from = CELL.find("[{").unwrap();
    let until = |end: &str| format!("{}{end}}}", &CELL[..from]);
    for (cell, says) in [
        (
            until("").replace(", 'Treatments': ", ""),
            "Treatments is missing: everybody gets the control value",
        ),
        (
            until("None"),
            "Treatments is null: everybody gets the control value",
        ),
        (
            until("' '"),
            "Treatments is empty: everybody gets the control value",
        ),
        (
            until("'None'"),
            "Treatments is null: everybody gets the control value",
        ),
        (
            CELL.replace("Rollout':40", "Rollout':'30'"),
            "Treatments[0].PercentRollout: found \"30\", read as 30",
        ),
        (
            CELL.replace("Rollout':40", "Rollout':40.0"),
            "Treatments[0].PercentRollout: found 40.0, read as 40",
        ),
        (
            CELL.replace("'Value': True", "'Value': 'True'"),
            "Treatments[0].Value: found \"True\", read as true",
        ),
        (
            CELL.replace("'FormatVersion': 1", "'FormatVersion': 1.0"),
            "FormatVersion: found \"1.0\", read as 1",
        ),
        (
            CELL.replace("'FormatVersion': 1, ", ""),
            "FormatVersion: found no such cell, read as 1",
        ),
    ] {
        let described = described(&config("REVISION", &cell)).unwrap();
        assert_eq!(described.warnings, [says]);
        assert_eq!(described.leaves_out_treatments, says.contains("everybody"));
    }
    for cell in [CELL.to_owned(), until("[]"), until("'[]'")] {
        let described = described(&config("REVISION", &cell)).unwrap();
        assert_eq!(described.warnings, [""; 0]);
        assert!(!described.leaves_out_treatments);
    }
}

#[test]
fn metadata_is_refused_where_it_would_be_dropped_and_said_where_it_is_read_otherwise() {
    let with = |field: &str| METADATA.replace('}', &format!(", {field}}}"));
    for (field, says) in [
        (
            "\"ExpiresOn\": \"soon\"",
            "found \"soon\", expected YYYY-MM-DD",
        ),
        (
            "\"Tags\": 5",
            "Tags: found a number, expected a list of text",
        ),
        ("\"Tags\": [5]", "Tags: found a number, expected text"),
        ("\"Tags\": \"[5]\"", "Tags: found a number, expected text"),
    ] {
        let message = read_now(&config("FLAG", &with(field))).unwrap_err();
        assert!(message.contains(says), "{message}");
    }
    for field in ["\"Ticket\": \"a\\nb\"", "\"OwnerID\": \"a\\nb\""] {
        let warnings = described(&config("FLAG", &with(field))).unwrap().warnings;
        assert!(
            warnings.concat().contains("read as \"a b\""),
            "{warnings:?}"
        );
    }
    assert!(
        read_now(&config(
            "FLAG",
            &with("\"Tags\": [\"a\"], \"ExpiresOn\": \"\"")
        ))
        .is_ok()
    );
}

#[test]
fn a_key_that_is_there_is_never_said_to_be_missing() {
    let null = |row_type: &str, cell: &str, (name, value): (&str, &str), says: &str| {
        let cell = cell.replacen(&format!("{name}: {value}"), &format!("{name}: null"), 1);
        check_pointed_at(&config(row_type, &cell), says, &format!("{name}: "), "null");
    };
    let revision = CELL.replace("False", "false").replace("True", "true");
    let revision = revision.replace('\'', "\"");
    for (field, expected) in [
        (("\"Name\"", "\"f\""), "text"),
        (("\"Type\"", "\"FEATURE\""), "text"),
        (("\"FormatVersion\"", "1"), "1 or 2"),
        (
            ("\"ControlValue\"", "false"),
            "true or false, as the flag is a feature",
        ),
        (("\"Comment\"", "\"Rollout to 40%\""), "text"),
    ] {
        let says = format!(
            "{}: found null, expected {expected}",
            field.0.trim_matches('"')
        );
        null("REVISION", &revision, field, &says);
    }
    let description = ("\"Description\"", "\"What\"");
    null(
        "FLAG",
        METADATA,
        description,
        "Description: found null, expected text",
    );
    let blank = METADATA.replace("What", " ");
    let says = "Description: found \" \", expected some text";
    check_pointed_at(&config("FLAG", &blank), says, "\"Description\": ", "\" \"");
}

/// What is pointed at: what stands above the caret, and what follows, by the columns of a terminal.
#[track_caller]
fn check_pointed_at(text: &str, says: &str, left: &str, right: &str) {
    let message = read_now(text).unwrap_err();
    assert!(message.contains(says), "{says} is not in {message}");
    let lines: Vec<&str> = message.lines().collect();
    let caret = lines[2].strip_suffix('^').unwrap().len();
    let shown = lines[1];
    let at = shown.find(right).unwrap();
    assert!(shown[..at].ends_with(left), "{message}");
    assert_eq!(shown[..at].width(), caret, "{message}");
}

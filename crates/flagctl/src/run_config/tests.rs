//! Facts about run configurations.

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
fn a_percentage_is_pointed_at() {
    check_refused(
        &config("REVISION", &CELL.replace(":40", ": 140")),
        &[
            "row_cell_value, line 1, column 193: Rollout percentage: 140 is invalid. Value should be an integer in range [0, 100].",
            "  …ideList': ['A12345'], 'PercentRollout': 140, 'Value': True}]}",
            "                                           ^",
        ],
    );
}

#[test]
fn a_value_of_the_wrong_kind_is_pointed_at() {
    check_refused(
        &config(
            "REVISION",
            "{'Name': 'f', 'Type': 'FEATURE',\n 'FormatVersion': 1, 'ControlValue': False,\n 'Treatments': [{'PercentRollout': 1, 'Value': 'on'}]}",
        ),
        &[
            "row_cell_value, line 3, column 48: Treatments[0].Value: found \"on\", expected true or false, as the flag is a feature",
            "  …ments': [{'PercentRollout': 1, 'Value': 'on'}]}",
            "                                           ^",
        ],
    );
}

#[test]
fn what_is_no_literal_is_pointed_at() {
    let message = read_now(&config("REVISION", "{'Name': f}")).unwrap_err();
    assert!(
        message.starts_with("row_cell_value, line 1, column 10: found "),
        "{message}"
    );
    assert!(
        message.ends_with("\n  {'Name': f}\n           ^"),
        "{message}"
    );
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
fn values_are_found_behind_all_that_python_allows() {
    let cell = "{'Name' : 'f', # a { comment\n r'Type': '''FEATURE''', 'Comment': 'a\\'}{', 'FormatVersion': 1,\n\n  'ControlValue': \"maybe\", 'Treatments': ()}";
    let message = read_now(&config("REVISION", cell)).unwrap_err();
    assert!(
        message.starts_with(
            "row_cell_value, line 4, column 19: ControlValue: found \"maybe\", expected true or false"
        ),
        "{message}"
    );
}

/// Every cell is text there, and there are all that the row has.
#[test]
fn a_row_is_taken_as_bigtable_studio_shows_it() {
    let ours = r#"{"Comment":"Off","ControlValue":"false","CreatedTime":"2026-01-01 10:00:00.000000","FormatVersion":"1","HashAlgorithm":"sha1","Name":"f","OwnerID":"ann","RollbackOf":"2025-12-01 10:00:00.000000","Treatments":"[]","Type":"FEATURE"}"#;
    let version_2 = r#"{"Comment":"20 %","ControlValue":"false","CreatedTime":"2026-01-01 10:00:00.000000","FormatVersion":"2","HashAlgorithm":"md5","Name":"f","Salt":"f","Treatments":"[{\"Name\": \"on\", \"OverrideList\": [\"A12345\"], \"PercentRollout\": 20, \"Ranges\": [[0, 20000]], \"Value\": true}]","Type":"FEATURE"}"#;
    let theirs = r#"{"Comment":"","ControlValue":"False","CreatedTime":"2024-09-26 10:00:00","FormatVersion":"1","Name":"f","OwnerID":"John","Treatments":"[{'OverrideList': ['A12345'], 'PercentRollout': '40', 'Value': 'True'}]","Type":"FEATURE"}"#;
    let bare = r#"{"ControlValue":"True","CreatedTime":"2024-09-26 10:00:00","Treatments":""}"#;
    for (cells, percents) in [
        (ours, [].as_slice()),
        (version_2, &["20"]),
        (theirs, &["40"]),
        (bare, &[]),
    ] {
        let Ok(RunConfig::Revision(revision)) = read_now(&config("REVISION", cells)) else {
            panic!("{:?}", read_now(&config("REVISION", cells)))
        };
        let treatments = revision.treatments.iter();
        let found: Vec<String> = treatments.map(|each| each.percent.to_string()).collect();
        assert_eq!(found, percents);
        assert_eq!(
            revision.control.to_string(),
            if cells == bare { "true" } else { "false" }
        );
    }
    let metadata = r#"{"CreatedTime":"2026-01-01 10:00:00.000000","Description":"What","ExpiresOn":"2030-01-01","Name":"f","Tags":"[\"a\"]","Type":"FEATURE"}"#;
    let read = read_now(&config("FLAG", metadata));
    assert!(matches!(read, Ok(RunConfig::Metadata(_))), "{read:?}");
}

/// The Python framework served them, and may have to serve them again.
#[test]
fn what_is_odd_in_a_copied_row_is_read_as_from_the_store_and_said() {
    let twice = CELL.replace("['A12345']", "['A12345', 'A12345']");
    let refused = read_now(&config("REVISION", &twice)).unwrap_err();
    assert!(
        refused.contains("expected each instance id in one place"),
        "{refused}"
    );
    let odd = CELL.replace("['A12345']", "['A12345', 'A12345', 7]");
    let copied = odd.replace(
        "'Comment'",
        "'CreatedTime': '2024-09-26 10:00:00', 'Team': 'x', 'Comment'",
    );
    let described = described(&config("REVISION", &copied)).unwrap();
    let RunConfig::Revision(revision) = &described.config else {
        panic!("no revision")
    };
    let ids: Vec<_> = revision.treatments[0]
        .overrides
        .iter()
        .map(InstanceId::as_str)
        .collect();
    assert_eq!(ids, ["A12345", "7"]);
    let said = described.warnings.join("\n");
    for part in ["Team: found an unknown column", "\"A12345\"", "found 7"] {
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn what_can_be_no_id_is_pointed_at() {
    for (id, says) in [
        ("''", "OverrideList: found \"\", expected "),
        ("5", "OverrideList: found a number, expected text"),
    ] {
        let cell = CELL.replace("['A12345']", &format!("['a', {id}]"));
        check_pointed_at(&config("REVISION", &cell), says, "['a', ", id);
    }
}

#[test]
fn a_boolean_that_is_spelled_as_text_is_said() {
    let cell = CELL
        .replace("False", "'False'")
        .replace("'Value': True", "'Value': 'True'");
    let said = described(&config("REVISION", &cell)).unwrap().warnings;
    assert_eq!(
        said,
        [
            "ControlValue: found \"False\", read as false",
            "Treatments[0].Value: found \"True\", read as true"
        ]
    );
}

#[test]
fn whatever_a_served_row_holds_can_be_copied() {
    let copied = |created: &str| {
        let cells = CELL.replace("'Value': True", "'Value': True, 'Note': 'x', 'Name': 'on'");
        let created = format!("'CreatedTime': '{created}', 'RollbackOf': 'soon', 'Comment'");
        described(&config("REVISION", &cells.replace("'Comment'", &created))).unwrap()
    };
    let unknown = "found an unknown field, read as nothing";
    for created in ["", "soon", "2024-09-26 10:00:00+05:00"] {
        let said = copied(created).warnings.join("\n");
        for part in [
            &format!("Treatments[0].Note: {unknown}"),
            &format!("Treatments[0].Name: {unknown}"),
            &format!("CreatedTime: found \"{created}\", read as "),
            "RollbackOf: found \"soon\", read as nothing",
        ] {
            assert!(said.contains(part), "{said}");
        }
    }
    let said = copied("2024-09-26 10:00:00").warnings.join("\n");
    assert!(!said.contains("CreatedTime"), "{said}");
    let metadata = r#"{"CreatedTime":"","Description":"What","ExpiresOn":"soon","Name":"f","Tags":"[","Type":"FEATURE"}"#;
    let said = described(&config("FLAG", metadata))
        .unwrap()
        .warnings
        .join("\n");
    assert!(
        said.contains("ExpiresOn: found") && said.contains("Tags: found"),
        "{said}"
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

#[test]
fn a_type_in_the_wrong_case_is_told_the_right_one() {
    let text = config("REVISION", CELL).replace("\"feature\"", "\"FEATURE\"");
    let says = "found \"FEATURE\", expected feature or data; did you mean feature?";
    check_pointed_at(&text, says, "FLAGTYPE\":", "\"FEATURE\"");
    let text = config("REVISION", CELL).replace("\"REVISION\"", "\"revision\"");
    let says = "expected FLAG or REVISION; did you mean REVISION?";
    check_pointed_at(&text, says, "ROWTYPE\":", "\"revision\"");
    let text = config("REVISION", CELL).replace("\"feature\"", "\"boolean\"");
    let message = read_now(&text).unwrap_err();
    assert!(message.contains("expected feature or data\n"), "{message}");
}

#[test]
fn a_text_in_the_text_has_one_position() {
    let cell = METADATA.replace("\"What\"", "\"What\", \"Tags\": \"['a', b]\"");
    check_refused(
        &config("FLAG", &cell),
        &[
            "Tags, line 1, column 7: found `b`, expected a value",
            "  ['a', b]",
            "        ^",
        ],
    );
    let from = CELL.find("[{").unwrap();
    let treatments = |text: &str| format!("{}\"{text}\"}}", &CELL[..from]);
    check_refused(
        &config("REVISION", &treatments("[{'PercentRollout': 1x}]")),
        &[
            "Treatments, line 1, column 21: found `1x`, expected a number",
            "  [{'PercentRollout': 1x}]",
            "                      ^",
        ],
    );
    check_refused(
        &config("REVISION", &treatments("[{'Overrides': []}]")),
        &[
            "Treatments, line 1, column 16: \"Overrides\": no such field; did you mean OverrideList?",
            "  [{'Overrides': []}]",
            "                 ^",
        ],
    );
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

#[test]
fn what_cannot_be_read_of_a_copied_row_is_pointed_at_where_it_stands() {
    let copy = r#"{"Comment":"x","ControlValue":"false","CreatedTime":"2026-01-01 10:00:00","FormatVersion":"1","Name":"f","Treatments":"[{","Type":"FEATURE"}"#;
    let message = read_now(&config("REVISION", copy)).unwrap_err();
    assert!(
        message.starts_with("Treatments, line 1, column 3: "),
        "{message}"
    );
}

#[test]
fn a_key_that_is_there_twice_is_refused() {
    let cell = CELL.replace("'Name': 'f'", "'Name': 'f', 'Name': 'g'");
    check_pointed_at(
        &config("REVISION", &cell),
        "column 23: found \"Name\" twice, expected it once",
        "'Name': 'f', 'Name': ",
        "'g'",
    );
    let text = config("REVISION", CELL).replacen('{', "{\"row_key_prefix_ROWTYPE\": \"FLAG\",", 1);
    check_pointed_at(
        &text,
        "found \"row_key_prefix_ROWTYPE\" twice",
        ":",
        "\"REVISION\"",
    );
    let cell = CELL.replace("'Value':", "'PercentRollout': 90, 'Value':");
    check_pointed_at(
        &config("REVISION", &cell),
        "\"PercentRollout\" twice",
        ": ",
        "90",
    );
}

#[test]
fn values_are_found_in_parentheses() {
    let cell = CELL.replace("':40", "': 140");
    let one_tuple = cell.replace("[{", "({").replace("}]", "},)");
    for cell in [
        format!("({cell})"),
        format!("( # a comment\n(({cell})))"),
        cell.replace("[{", "([({").replace("}]", "})])"),
        one_tuple.replace("({", "((({").replace("},)", "},)))"),
    ] {
        let right = "140, 'Value'";
        check_pointed_at(&config("REVISION", &cell), "140 is", "Rollout': ", right);
    }
}

#[test]
fn values_are_found_in_a_tuple_without_parentheses_and_behind_any_comment() {
    let from = CELL.find("[{").unwrap();
    let cell = |treatments: &str| format!("{}\"{treatments}\"}}", &CELL[..from]);
    for treatments in [
        "{'PercentRollout': 1, 'Value': True}, {'Overrides': 7}",
        "[{'PercentRollout': 1, 'Value': True}, # it's\\r {'Overrides': 7}]",
    ] {
        let says = "\"Overrides\": no such field";
        check_pointed_at(
            &config("REVISION", &cell(treatments)),
            says,
            "Overrides': ",
            "7}",
        );
    }
}

#[test]
fn a_caret_stands_where_a_terminal_shows_the_place() {
    for comment in [
        "全員へ展開",
        "🚀 🇩🇪",
        "cafe\u{301}",
        "👩\u{200d}🚀",
        "\u{a0}\u{202e}",
        "a\tb",
    ] {
        let cell = format!("{{'Comment': '{comment}', 'Name': 'g'}}");
        let right = "'g'";
        check_pointed_at(&config("REVISION", &cell), "Name: found", "'Name': ", right);
    }
}

#[test]
fn every_end_of_a_line_counts_once() {
    for (ends, line) in [
        ("\n", 2),
        ("\r", 2),
        ("\r\n", 2),
        ("\n\r", 3),
        ("\r\r\n\n", 4),
    ] {
        let cell = format!("{{'Name':{ends}'g'}}");
        let message = read_now(&config("REVISION", &cell)).unwrap_err();
        let place = format!("row_cell_value, line {line}, column 1: Name: ");
        assert!(message.starts_with(&place), "{cell:?}: {message}");
        assert!(message.ends_with("\n  'g'}\n  ^"), "{cell:?}: {message}");
    }
}

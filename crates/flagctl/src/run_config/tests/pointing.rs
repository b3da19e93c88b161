//! Errors point at the value in the text.

use super::*;

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
fn a_type_in_the_wrong_case_is_reported_with_the_right_one() {
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

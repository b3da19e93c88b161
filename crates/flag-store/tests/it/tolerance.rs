//! Rows that the Python framework served are served, however odd, and what is odd about them is reported.

use flag_model::{
    AlgorithmSource, BucketScheme, FlagType, FlagValue, FormatVersion, HashAlgorithm, InstanceId,
    Percent, Revision, Timestamp,
};
use flag_store::{
    Cells, FlagRow, Inspection, Row, RowOptions, UnreadableRow, decode_metadata, decode_revision,
};

const TIME: &str = "2024-09-25 19:15:28.248896";

/// A revision of version 1 as the Python framework writes it, but for these cells; without those that are none.
fn revision(flag_type: FlagType, changed: &[(&str, Option<&str>)]) -> Row {
    let (cell_type, control) = match flag_type {
        FlagType::Feature => ("FEATURE", "False"),
        FlagType::Data => ("DATA", "a"),
    };
    let cells = [
        ("Name", "f"),
        ("Type", cell_type),
        ("FormatVersion", "1"),
        ("ControlValue", control),
        ("Comment", "Why"),
        ("OwnerID", "John Smith"),
        ("Treatments", "[]"),
        ("CreatedTime", TIME),
    ];
    let is_kept = |name: &str| changed.iter().all(|(column, _)| *column != name);
    let kept = cells.into_iter().filter(|(name, _)| is_kept(name));
    let changed = changed
        .iter()
        .filter_map(|(name, cell)| Some((*name, (*cell)?)));
    let key = format!("PROJECT#p#ROWTYPE#REVISION#FLAGTYPE#{flag_type}#FLAGNAME#f#TIME#{TIME}");
    Row {
        key: key.into(),
        cells: kept.chain(changed).collect::<Cells>(),
    }
}

fn inspect(row: &Row) -> Inspection {
    let now = Timestamp::parse("2026-01-01 00:00:00").unwrap();
    FlagRow::inspect(row, &RowOptions::default(), now)
}

/// What is served of a row, and what is said to be odd about it.
fn read(row: &Row) -> (Revision, Vec<String>) {
    let inspection = inspect(row);
    let Ok(FlagRow::Revision(revision)) = inspection.row else {
        panic!("{inspection:?}");
    };
    assert_eq!(
        decode_revision(row, &RowOptions::default()).unwrap(),
        revision
    );
    let oddities = inspection.oddities.iter().map(ToString::to_string);
    (revision, oddities.collect())
}

#[track_caller]
fn feature(column: &str, cell: Option<&str>, odd: &str) -> Revision {
    let (revision, oddities) = read(&revision(FlagType::Feature, &[(column, cell)]));
    let odd: Vec<&str> = if odd.is_empty() { vec![] } else { vec![odd] };
    assert_eq!(oddities, odd);
    revision
}

/// Reads one treatment of a flag.
#[track_caller]
fn treatment(flag_type: FlagType, fields: &str, odd: &str) -> flag_model::Treatment {
    let cell = format!("[{{{fields}}}]");
    let row = revision(flag_type, &[("Treatments", Some(&cell))]);
    let (revision, oddities) = read(&row);
    assert_eq!(oddities, [format!("Treatments[0].{odd}")]);
    revision.treatments[0].clone()
}

#[track_caller]
fn check_unreadable(flag_type: FlagType, column: &str, cell: &str, problem: &str) {
    let row = revision(flag_type, &[(column, Some(cell))]);
    let error = decode_revision(&row, &RowOptions::default()).unwrap_err();
    assert!(error.to_string().ends_with(problem), "{error}");
    assert_eq!(error.column(), Some(column));
}

fn ids(treatment: &flag_model::Treatment) -> Vec<&str> {
    treatment.overrides.iter().map(InstanceId::as_str).collect()
}

#[test]
fn a_row_as_the_reference_leaves_it_is_not_odd() {
    for flag_type in FlagType::ALL {
        assert_eq!(read(&revision(flag_type, &[])).1, [""; 0]);
    }
    feature("FormatVersion", Some(" 1"), "");
}

#[test]
fn an_id_that_is_listed_twice_belongs_where_it_is_first() {
    let lists = "[{'OverrideList': ['a', 'b', 'a', 'a'], 'PercentRollout': 0, 'Value': True},
        {'OverrideList': ['c', 'b'], 'PercentRollout': 0, 'Value': False}]";
    let (revision, oddities) = read(&revision(FlagType::Feature, &[("Treatments", Some(lists))]));
    assert_eq!(ids(&revision.treatments[0]), ["a", "b"]);
    assert_eq!(ids(&revision.treatments[1]), ["c"]);
    let expected = [
        "Treatments[0].OverrideList: found \"a\" and 1 more once more, read as listed where it is first",
        "Treatments[1].OverrideList: found \"b\" once more, read as listed where it is first",
    ];
    assert_eq!(oddities, expected);
}

#[test]
fn a_number_or_a_boolean_in_an_override_list_counts_by_its_python_text() {
    let list = |items: &str, odd: &str| {
        let fields = format!("'OverrideList': {items}, 'PercentRollout': 0, 'Value': True");
        treatment(FlagType::Feature, &fields, &format!("OverrideList: {odd}"))
    };
    let found = list(
        "['a', 123, True, 4.50]",
        "found 123 and 2 more, read as \"123\"",
    );
    assert_eq!(ids(&found), ["a", "123", "True", "4.5"]);
    let found = list(
        "['a', None, '', [1]]",
        "found null and 2 more, read as nobody's id",
    );
    assert_eq!(ids(&found), ["a"]);
    assert_eq!(ids(&list("''", "found \"\", read as no ids")), [""; 0]);
}

#[test]
fn a_whole_percentage_may_be_a_float_or_a_text() {
    for (spelled, shown) in [
        ("40.0", "40.0"),
        ("'40'", "\"40\""),
        ("' 40.0 '", "\" 40.0 \""),
    ] {
        let fields = format!("'PercentRollout': {spelled}, 'Value': True");
        let odd = format!("PercentRollout: found {shown}, read as 40");
        let found = treatment(FlagType::Feature, &fields, &odd);
        assert_eq!(found.percent, Percent::from_buckets(40_000).unwrap());
    }
}

#[test]
fn a_boolean_may_be_a_text_or_a_number() {
    for (spelled, shown, value) in [
        ("'True'", "\"True\"", true),
        ("'false'", "\"false\"", false),
        ("1", "1", true),
        ("0", "0", false),
    ] {
        let fields = format!("'PercentRollout': 1, 'Value': {spelled}");
        let odd = format!("Value: found {shown}, read as {value}");
        let found = treatment(FlagType::Feature, &fields, &odd);
        assert_eq!(found.value, FlagValue::Boolean(value));
        let odd = format!("ControlValue: found {spelled:?}, read as {value}");
        let control = feature("ControlValue", Some(spelled), &odd).control.clone();
        assert_eq!(control, FlagValue::Boolean(value));
    }
    for cell in ["2", "'maybe'", "None", "[]", "", "1.5", "TRUE"] {
        check_unreadable(
            FlagType::Feature,
            "ControlValue",
            cell,
            "expected true or false",
        );
    }
}

#[test]
fn a_text_may_be_a_number_or_a_boolean() {
    for (spelled, shown, text) in [
        ("5", "5", "5"),
        ("True", "true", "True"),
        ("1e3", "1000.0", "1000.0"),
    ] {
        let fields = format!("'PercentRollout': 1, 'Value': {spelled}");
        let odd = format!("Value: found {shown}, read as {text:?}");
        let found = treatment(FlagType::Data, &fields, &odd);
        assert_eq!(found.value, FlagValue::text(text).unwrap());
        // A control value is bare text.
        let row = revision(FlagType::Data, &[("ControlValue", Some(spelled))]);
        assert_eq!(read(&row).0.control, FlagValue::text(spelled).unwrap());
    }
}

#[test]
fn no_value_is_no_value() {
    let cell = "[{'PercentRollout': 1, 'Value': None}]";
    let found = "Treatments[0].Value: found null, expected text, as the flag is data";
    check_unreadable(FlagType::Data, "Treatments", cell, found);
    check_unreadable(
        FlagType::Data,
        "ControlValue",
        "None",
        "found None, expected a value",
    );
    let version_2 = [
        ("FormatVersion", Some("2")),
        ("HashAlgorithm", Some("md5")),
        ("Salt", Some("f")),
        ("ControlValue", Some("None")),
    ];
    let text = read(&revision(FlagType::Data, &version_2))
        .0
        .control
        .clone();
    assert_eq!(text, FlagValue::text("None").unwrap());
}

#[test]
fn treatments_may_be_missing_empty_or_none() {
    for (cell, found) in [
        (None, "no such cell"),
        (Some(""), "an empty cell"),
        (Some(" \n"), "an empty cell"),
        (Some("None"), "None"),
        (Some("null"), "null"),
    ] {
        let odd = format!("Treatments: found {found}, read as no treatments");
        assert_eq!(feature("Treatments", cell, &odd).treatments, []);
    }
}

#[test]
fn a_version_may_be_missing_a_text_or_a_float() {
    for (cell, found) in [
        (None, "no such cell"),
        (Some(""), "no such cell"),
        (Some("'1'"), "\"'1'\""),
        (Some("\"1\""), "\"\\\"1\\\"\""),
        (Some("1.0"), "\"1.0\""),
    ] {
        let odd = format!("FormatVersion: found {found}, read as 1");
        let scheme = feature("FormatVersion", cell, &odd).scheme.clone();
        assert_eq!(scheme.version(), FormatVersion::V1);
    }
    for cell in ["9", "1.5", "None", "one", "'9'"] {
        let problem = format!("found {cell:?}, expected 1 or 2");
        check_unreadable(FlagType::Feature, "FormatVersion", cell, &problem);
    }
}

#[test]
fn name_and_type_may_be_missing_and_the_type_in_any_case() {
    for cell in [None, Some("")] {
        feature("Name", cell, "Name: found no such cell, read as \"f\"");
        feature("Type", cell, "Type: found no such cell, read as FEATURE");
    }
    feature(
        "Type",
        Some("feature"),
        "Type: found \"feature\", read as FEATURE",
    );
    check_unreadable(
        FlagType::Feature,
        "Name",
        "F",
        "expected f, as in the row key",
    );
    check_unreadable(
        FlagType::Feature,
        "Type",
        "data",
        "expected FEATURE, as in the row key",
    );
}

#[test]
fn what_is_unknown_is_left_alone_and_told() {
    feature(
        "Team",
        Some("x"),
        "Team: found an unknown column, read as nothing",
    );
    feature(
        "Salt",
        Some("x"),
        "Salt: found an unknown column, read as nothing",
    );
    let fields = "'PercentRollout': 1, 'Value': True, 'Name': 'blue'";
    let odd = "Name: found an unknown field, read as nothing";
    assert_eq!(treatment(FlagType::Feature, fields, odd).name, None);
}

#[test]
fn the_time_of_the_key_counts() {
    let found = "CreatedTime: found \"2024-09-26 00:00:00\", read as";
    let odd = format!("{found} {TIME}, as in the row key");
    let revision = feature("CreatedTime", Some("2024-09-26 00:00:00"), &odd);
    assert_eq!(revision.created().to_string(), TIME);
    feature("CreatedTime", Some("2024-09-25T19:15:28.248896Z"), "");
    feature("CreatedTime", None, "");
}

#[test]
fn a_key_may_spell_its_time_as_any_python_does() {
    for (time, created) in [
        ("2024-09-25T19:15:28Z", "2024-09-25 19:15:28.000000"),
        ("2024-09-25T19:15:28.5", "2024-09-25 19:15:28.500000"),
        ("2024-09-25 19:15:28+00:00", "2024-09-25 19:15:28.000000"),
    ] {
        let mut row = revision(FlagType::Feature, &[("CreatedTime", None)]);
        row.key = String::from_utf8(row.key)
            .unwrap()
            .replace(TIME, time)
            .into();
        let (revision, oddities) = read(&row);
        assert_eq!(revision.created().to_string(), created);
        assert_eq!(
            oddities,
            [format!("row key: found {time:?}, read as {created}")]
        );
    }
}

#[test]
fn an_algorithm_in_the_row_beats_the_setting() {
    let options = RowOptions {
        v1_algorithm: HashAlgorithm::Sha1,
        ..RowOptions::default()
    };
    let scheme = |cell| {
        let row = revision(FlagType::Feature, &[("HashAlgorithm", cell)]);
        decode_revision(&row, &options).unwrap().scheme.clone()
    };
    assert_eq!(scheme(None), BucketScheme::v1(HashAlgorithm::Sha1));
    let stored = BucketScheme::V1 {
        algorithm: HashAlgorithm::Sha256,
        source: AlgorithmSource::Row,
    };
    assert_eq!(scheme(Some("sha256")), stored);
    check_unreadable(
        FlagType::Feature,
        "HashAlgorithm",
        "md4",
        "Hashing algorithm: md4 is invalid. Value should be one of md5, sha1, sha224, sha256, sha384, sha512, \
         sha3_224, sha3_256, sha3_384, sha3_512, blake2b, blake2s.",
    );
}

#[test]
fn what_is_for_people_fails_no_flag() {
    let mut row = revision(FlagType::Feature, &[("RollbackOf", Some("yesterday"))]);
    row.cells.set("OwnerID", "Ann\n(team A)");
    row.cells.set("Comment", b"caf\xe9");
    let (revision, oddities) = read(&row);
    let owner = revision.owner.as_ref().map(ToString::to_string);
    assert_eq!(owner.as_deref(), Some("Ann (team A)"));
    assert_eq!(
        (revision.comment.as_str(), revision.rollback_of),
        ("caf\u{fffd}", None)
    );
    let expected = [
        "Comment: found bytes that are no UTF-8, read as \"caf\u{fffd}\"",
        "OwnerID: found \"Ann\\n(team A)\", read as \"Ann (team A)\"",
        "RollbackOf: found \"yesterday\", read as nothing",
    ];
    assert_eq!(oddities, expected);
}

#[test]
fn metadata_is_read_whatever_its_cells_hold() {
    let mut row = revision(FlagType::Feature, &[]);
    row.key = String::from_utf8(row.key)
        .unwrap()
        .replace("REVISION", "FLAG")
        .into();
    row.cells = [
        ("Description", "d".repeat(70_000)),
        ("Ticket", "t".repeat(3_000)),
        ("Tags", "[1, 'a', '']".to_owned()),
        ("ExpiresOn", "soon".to_owned()),
    ]
    .into_iter()
    .collect();
    let metadata = decode_metadata(&row).unwrap();
    assert_eq!(metadata.description.len(), 65_536);
    assert_eq!(metadata.ticket.as_ref().map(String::len), Some(2_048));
    assert_eq!(
        (metadata.tags.as_slice(), metadata.expires_on),
        (&["a".to_owned()][..], None)
    );
    let columns = inspect(&row)
        .oddities
        .into_iter()
        .map(|oddity| oddity.column);
    let columns: Vec<String> = columns.collect();
    assert_eq!(
        columns,
        ["Name", "Type", "Description", "Ticket", "Tags", "ExpiresOn"]
    );
}

#[test]
fn callers_learn_where_a_row_cannot_be_read_and_nothing_of_what_it_holds() {
    let cell = "[{'OverrideList': ['ann@example.com' 'b' ann";
    let row = revision(FlagType::Feature, &[("Treatments", Some(cell))]);
    let error = decode_revision(&row, &RowOptions::default()).unwrap_err();
    assert!(matches!(error, UnreadableRow::Syntax { .. }), "{error:?}");
    let key = String::from_utf8(row.key.clone()).unwrap();
    assert_eq!(error.location(), format!("row {key}, column Treatments"));
    assert!(error.to_string().contains("ann"), "{error}");
    assert!(!error.for_log().contains("ann"), "{}", error.for_log());
    assert!(
        error.for_log().contains("line 1, column 42: expected"),
        "{}",
        error.for_log()
    );
    let mut row = row;
    row.key = key.replace(TIME, "ann@example.com").into();
    let error = decode_revision(&row, &RowOptions::default()).unwrap_err();
    let place = key.replace(TIME, "…, row key");
    assert_eq!(error.location(), format!("row {place}"));
}

#[test]
fn rows_that_readers_pass_over_are_distinguished_from_others() {
    let at = |time: &str| {
        let mut row = revision(FlagType::Feature, &[("CreatedTime", None)]);
        row.key = String::from_utf8(row.key)
            .unwrap()
            .replace(TIME, time)
            .into();
        inspect(&row)
    };
    assert!(!at("2026-01-02 00:00:00").is_passed_over);
    let ahead = at("2026-01-02 00:00:00.000001");
    assert!(ahead.is_passed_over && ahead.row.is_ok());
    let odd = "row key: found a time ahead of the clock, read as a row that doesn't count yet";
    assert_eq!(ahead.oddities[0].to_string(), odd);
    let none = at("2024-02-30 00:00:00");
    assert!(none.is_passed_over && none.row.is_err());
}

#[test]
fn a_flag_has_the_first_hundred_of_its_tags() {
    let read = |tags: usize| {
        let tags: Vec<String> = (0..tags).map(|tag| format!("t{tag}")).collect();
        let mut row = revision(FlagType::Feature, &[("FormatVersion", None)]);
        row.key = String::from_utf8(row.key)
            .unwrap()
            .replace("REVISION", "FLAG")
            .into();
        row.cells = [
            ("Name", "f".to_owned()),
            ("Type", "FEATURE".to_owned()),
            ("Tags", format!("{tags:?}")),
        ]
        .into_iter()
        .collect();
        let oddities = inspect(&row).oddities;
        let oddities: Vec<String> = oddities.iter().map(ToString::to_string).collect();
        (decode_metadata(&row).unwrap().tags.clone(), oddities)
    };
    let (all, oddities) = read(100);
    assert_eq!(
        (all.len(), all[99].as_str(), oddities),
        (100, "t99", vec![])
    );
    let (first, oddities) = read(101);
    assert_eq!(first, all);
    assert_eq!(
        oddities,
        ["Tags: found 101 tags, read as the first 100".to_owned()]
    );
}

/// A revision of version 2 with these treatments.
fn version_2(flag_type: FlagType, treatments: &str) -> Row {
    let cells = [
        ("FormatVersion", Some("2")),
        ("HashAlgorithm", Some("md5")),
        ("Salt", Some("f")),
        ("Treatments", Some(treatments)),
    ];
    revision(flag_type, &cells)
}

#[test]
fn a_fraction_of_version_2_may_be_a_text() {
    let treatments = "[{'PercentRollout': '33.5', 'Ranges': [[0, 33500]], 'Value': True}]";
    let (revision, oddities) = read(&version_2(FlagType::Feature, treatments));
    let percent = Percent::from_buckets(33_500).unwrap();
    assert_eq!(revision.treatments[0].percent, percent);
    let odd = "Treatments[0].PercentRollout: found \"33.5\", read as 33.5";
    assert_eq!(oddities, [odd]);
}

#[test]
fn a_field_of_a_treatment_that_cannot_be_read_is_named() {
    let fields = "'PercentRollout': 1, 'Value': 'a'";
    for (odd, found) in [
        ("'Name': 'a b'", "Treatments[0].Name: found \"a b\", "),
        ("'Name': 7", "Treatments[0].Name: found 7, expected text"),
        (
            "'Ranges': [[0, 10], [20, 20]]",
            "Treatments[0].Ranges[1]: found [20, 20), ",
        ),
        (
            "'Ranges': [[0, 1, 2]]",
            "Treatments[0].Ranges[0]: found a list, expected [from, to] in buckets",
        ),
        (
            "'Ranges': [[0, 'all']]",
            "Treatments[0].Ranges[0]: found a list, expected [from, to] in buckets",
        ),
    ] {
        let row = version_2(FlagType::Data, &format!("[{{{fields}, {odd}}}]"));
        let error = decode_revision(&row, &RowOptions::default()).unwrap_err();
        assert!(error.to_string().contains(found), "{error}");
    }
    let long = "a".repeat(FlagValue::MAX_TEXT_BYTES + 1);
    let row = version_2(
        FlagType::Data,
        &format!("[{{'PercentRollout': 1, 'Value': '{long}'}}]"),
    );
    let error = decode_revision(&row, &RowOptions::default()).unwrap_err();
    let found = "Treatments[0].Value: found 65537 bytes, expected at most 65536 bytes";
    assert!(error.to_string().ends_with(found), "{error}");
}

#[test]
fn an_unreadable_row_tells_what_is_wrong_and_what_a_new_revision_follows() {
    let percent = "[{'PercentRollout': 101, 'Value': True}]";
    let total = "[{'PercentRollout': 60, 'Value': True}, {'PercentRollout': 50, 'Value': True}]";
    let invalid = "is invalid. Value should be an integer in range [0, 100].";
    for (column, cell, problem) in [
        (
            "ControlValue",
            "maybe",
            "found \"maybe\", expected true or false".to_owned(),
        ),
        (
            "Treatments",
            "[",
            "line 1, column 2: expected a value, found the end of the text".to_owned(),
        ),
        (
            "Treatments",
            percent,
            format!("Rollout percentage: 101 {invalid}"),
        ),
        (
            "Treatments",
            total,
            format!("Rollout percentage: 110 {invalid} 110 is the total of all treatments."),
        ),
    ] {
        let row = revision(FlagType::Feature, &[(column, Some(cell))]);
        let key = String::from_utf8(row.key.clone()).unwrap();
        let error = decode_revision(&row, &RowOptions::default()).unwrap_err();
        assert_eq!(error.problem(), problem);
        assert_eq!((error.key(), error.column()), (&*key, Some(column)));
        assert_eq!(error.created(), Timestamp::parse(TIME).ok());
        let message = format!("row {key}, column {column}: {problem}");
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn a_row_whose_key_is_invalid_has_neither_a_column_nor_a_time() {
    let mut row = revision(FlagType::Feature, &[]);
    row.key = b"nonsense".to_vec();
    let error = decode_revision(&row, &RowOptions::default()).unwrap_err();
    assert_eq!((error.key(), error.column()), ("nonsense", None));
    assert_eq!(error.created(), None);
    assert!(
        error
            .problem()
            .starts_with("row key: found \"nonsense\", expected PROJECT#"),
        "{}",
        error.problem()
    );
    assert_eq!(error.location(), "a row with an invalid key");
}

//! What a new row has from the one that it follows.

use std::sync::Arc;

use flag_model::{FlagKey, FlagValue, HashAlgorithm, Revision, RevisionParts, Timestamp};
use flag_store::memory::MemoryStore;
use flag_store::{
    Base, CellFormat, Cells, FlagStore, Row, RowOptions, RowStore, SystemClock, decode_revision,
    encode_revision,
};

const TIME: &str = "2024-09-25 19:15:28.248896";

fn flag() -> FlagKey {
    "p/feature/f".parse().unwrap()
}

/// A revision of version 1 with these cells besides.
fn row(cells: &[(&str, &str)]) -> Row {
    let common = [
        ("Name", "f"),
        ("Type", "FEATURE"),
        ("FormatVersion", "1"),
        ("ControlValue", "false"),
        ("Treatments", "[]"),
    ];
    let key = format!("PROJECT#p#ROWTYPE#REVISION#FLAGTYPE#feature#FLAGNAME#f#TIME#{TIME}");
    Row {
        key: key.into(),
        cells: common.iter().chain(cells).copied().collect::<Cells>(),
    }
}

/// The cells of the row that follows this one, which `change` makes of what it says.
async fn followed(old: &Row, change: impl FnOnce(&mut RevisionParts)) -> Vec<(String, String)> {
    let rows = Arc::new(MemoryStore::default());
    rows.insert_if_absent(old).await.unwrap();
    let store = FlagStore::new(rows.clone(), Arc::new(SystemClock));
    let newest = store.newest_revision(&flag()).await.unwrap().unwrap();
    let base = Base::Row(newest.created());
    let mut parts = newest.into_parts();
    change(&mut parts);
    let (revision, row) = store.append_revision(base, parts).await.unwrap();
    let stored = store
        .newest_revision_row(&flag())
        .await
        .unwrap()
        .row
        .unwrap();
    assert_eq!(
        (&row, row.cells.get("CreatedTime").unwrap()),
        (&stored, revision.created().to_string().as_bytes())
    );
    let cells = row.cells.iter();
    let cells = cells
        .map(|(column, cell)| [column, cell].map(|text| String::from_utf8(text.to_vec()).unwrap()));
    cells.map(|[column, cell]| (column, cell)).collect()
}

fn cell<'c>(cells: &'c [(String, String)], column: &str) -> Option<&'c str> {
    let found = cells.iter().find(|(name, _)| name == column);
    found.map(|(_, cell)| cell.as_str())
}

fn roll_back(parts: &mut RevisionParts) {
    parts.rollback_of = Timestamp::parse(TIME).ok();
}

#[tokio::test(start_paused = true)]
async fn a_rollback_carries_what_is_unknown_in_the_cell_format_of_its_version() {
    let treatments = r#"[{"PercentRollout": 40.0, "Value": true, "Note": {"a": [null, 1e999, "it's"]}, "Name": "x"}, {"PercentRollout": 1, "Value": false}]"#;
    let old = row(&[
        ("Treatments", treatments),
        ("Team", "search"),
        ("Salt", "s"),
    ]);
    let cells = followed(&old, roll_back).await;
    assert_eq!(
        (cell(&cells, "Team"), cell(&cells, "Salt")),
        (Some("search"), Some("s"))
    );
    assert_eq!(cell(&cells, "RollbackOf"), Some(TIME));
    assert_eq!(cell(&cells, "ControlValue"), Some("False"));
    let expected = "[{'OverrideList': [], 'PercentRollout': 40, 'Value': True, 'Note': {'a': [None, 1e999, \"it's\"]}, 'Name': 'x'}, \
                    {'OverrideList': [], 'PercentRollout': 1, 'Value': False}]";
    assert_eq!(cell(&cells, "Treatments"), Some(expected));
}

#[tokio::test(start_paused = true)]
async fn version_2_stays_json() {
    let treatments = "[{'PercentRollout': 1, 'Ranges': [[0, 1000]], 'Value': True, 'Note': None}]";
    let version_2 = [
        ("FormatVersion", "2"),
        ("HashAlgorithm", "md5"),
        ("Salt", "f"),
    ];
    let cells = [&version_2[..], &[("Treatments", treatments)]].concat();
    let cells = followed(&row(&cells), roll_back).await;
    let expected =
        r#"[{"OverrideList":[],"PercentRollout":1,"Ranges":[[0,1000]],"Value":true,"Note":null}]"#;
    assert_eq!(cell(&cells, "Treatments"), Some(expected));
    assert_eq!(cell(&cells, "ControlValue"), Some("false"));
}

#[tokio::test(start_paused = true)]
async fn another_revision_carries_nothing_that_is_unknown() {
    let old = row(&[("Team", "search")]);
    let cells = followed(&old, |parts| parts.control = FlagValue::Boolean(true)).await;
    assert_eq!(cell(&cells, "Team"), None);
    // Neither does one that only says it is a copy.
    let cells = followed(&old, |parts| {
        roll_back(parts);
        parts.control = FlagValue::Boolean(true);
    });
    assert_eq!(cell(&cells.await, "Team"), None);
}

#[tokio::test(start_paused = true)]
async fn an_algorithm_that_the_row_names_stays() {
    let on = |parts: &mut RevisionParts| parts.control = FlagValue::Boolean(true);
    let cells = followed(&row(&[("HashAlgorithm", "sha256")]), on).await;
    assert_eq!(cell(&cells, "HashAlgorithm"), Some("sha256"));
    assert_eq!(cell(&followed(&row(&[]), on).await, "HashAlgorithm"), None);
}

#[test]
fn version_1_is_json_where_its_readers_take_that() {
    let options = RowOptions {
        v1_cells: CellFormat::Json,
        v1_algorithm: HashAlgorithm::Sha1,
        ..RowOptions::default()
    };
    let old = row(&[("Treatments", "[{'PercentRollout': 1, 'Value': True}]")]);
    let revision = decode_revision(&old, &options).unwrap();
    let json = encode_revision(&revision, &options).unwrap();
    let cells = ["ControlValue", "Treatments"].map(|column| json.cells.get(column).unwrap());
    let expected = r#"[{"OverrideList":[],"PercentRollout":1,"Value":true}]"#;
    assert_eq!(cells, [&b"false"[..], expected.as_bytes()]);
    assert_eq!(decode_revision(&json, &options).unwrap(), revision);
}

#[test]
fn a_text_that_python_takes_for_no_value_is_refused_in_version_1() {
    let mut row = row(&[("Type", "DATA"), ("ControlValue", "a")]);
    row.key = String::from_utf8(row.key)
        .unwrap()
        .replace("feature", "data")
        .into();
    let options = RowOptions::default();
    let mut parts = decode_revision(&row, &options).unwrap().into_parts();
    parts.control = FlagValue::text("None").unwrap();
    let revision = Revision::new(Timestamp::UNIX_EPOCH, parts).unwrap();
    let refused = encode_revision(&revision, &options).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "ControlValue: found None, expected a value"
    );
}

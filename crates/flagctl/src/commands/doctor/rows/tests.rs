//! Facts about what a doctor finds in rows.

use std::sync::Arc;

use flag_store::memory::MemoryStore;
use flag_store::{Cells, FlagStore};
use tokio::runtime::Builder;

use super::*;

/// The flags as readers find them.
fn entries(project: &ProjectName, rows: &[Row]) -> Vec<FlagEntry> {
    let store = Arc::new(MemoryStore::default());
    let flags = FlagStore::new(store.clone(), Arc::new(SystemClock));
    Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(async {
            store.put(rows.iter().cloned());
            flags.flag_entries(project).await.unwrap()
        })
}

fn row(key: &str, cells: &[(&str, &str)]) -> Row {
    let project = "PROJECT#p#ROWTYPE#";
    let subject = "#FLAGTYPE#feature#FLAGNAME#f#TIME#2024-09-2";
    let key = key.replace('@', subject);
    let names = [("Name", "f"), ("Type", "FEATURE")];
    Row {
        key: format!("{project}{key}").into(),
        cells: names.iter().chain(cells).copied().collect::<Cells>(),
    }
}

fn revision(day: char, treatments: &str) -> Row {
    let cells = [
        ("FormatVersion", "1"),
        ("ControlValue", "False"),
        ("Treatments", treatments),
    ];
    row(&format!("REVISION@{day} 08:00:00"), &cells)
}

/// Status and beginning of what was found, in order; and whether rows that count cannot be read.
#[track_caller]
fn check(rows: &[Row], expected: &[(Status, &str)], is_unreadable: bool) {
    let today = Date::parse("2024-10-01").ok();
    let project = ProjectName::new("p").unwrap();
    let entries = entries(&project, rows);
    let mut looked_at = ProjectRows::new(project, today, RowOptions::default(), entries);
    for row in rows {
        looked_at.look_at(row);
    }
    let mut checks = Checks::default();
    assert_eq!(looked_at.finish(&mut checks), is_unreadable);
    assert_eq!(checks.checks.len(), expected.len(), "{checks:?}");
    for (check, (status, found)) in checks.checks.iter().zip(expected) {
        assert_eq!(check.status, *status, "{check:?}");
        assert!(check.found.contains(found), "{check:?}");
    }
}

#[test]
fn rows_that_can_be_read_are_counted() {
    let rows = [
        row("FLAG@1 08:00:00", &[]),
        row("HEAD", &[]),
        revision('1', "[]"),
        revision('2', "[]"),
    ];
    let found = "1 flag, 1 metadata row and 2 revisions can be read";
    check(&rows, &[(Status::Ok, found)], false);
}

#[test]
fn an_unreadable_row_fails_if_it_is_the_newest() {
    let rows = [revision('1', "[]"), revision('2', "[{")];
    let found = "TIME#2024-09-22 08:00:00, column Treatments: ";
    check(
        &rows,
        &[
            (Status::Failed, "1 row in force cannot be read; 1 flag"),
            (Status::Failed, found),
        ],
        true,
    );
}

/// What is advised about the newest row.
#[track_caller]
fn check_advice(rows: &[Row], says: &str) {
    let project = ProjectName::new("p").unwrap();
    let entries = entries(&project, rows);
    let mut looked_at = ProjectRows::new(project, None, RowOptions::default(), entries);
    for row in rows {
        looked_at.look_at(row);
    }
    let mut checks = Checks::default();
    looked_at.finish(&mut checks);
    let advice = checks.checks.last().unwrap().advice.as_deref();
    assert!(advice.unwrap().starts_with(says), "{advice:?}");
}

#[test]
fn a_rollback_is_advised_only_if_there_is_something_to_go_back_to() {
    let rows = [revision('1', "[]"), revision('2', "[{")];
    check_advice(&rows, "`flagctl rollback p feature f` ");
    let revise = "`flagctl revise --control=VALUE --comment=TEXT --yes-i-mean f p feature f` ";
    check_advice(&rows[1..], revise);
    check_advice(&[revision('1', "[{"), revision('2', "[{")], revise);
}

#[test]
fn an_unreadable_row_that_newer_ones_have_replaced_is_a_warning() {
    let rows = [revision('1', "[{"), revision('2', "[]")];
    let found = "missing in the history only";
    check(&rows, &[(Status::Ok, ""), (Status::Warning, found)], false);
}

#[test]
fn what_the_reference_wrote_and_we_refuse_fails() {
    let percent = "[{'OverrideList': [], 'PercentRollout': 140, 'Value': True}]";
    let found = "Rollout percentage: 140 is invalid";
    check(
        &[revision('1', percent)],
        &[(Status::Failed, ""), (Status::Failed, found)],
        true,
    );
    let key = row(
        "REVISION#FLAGTYPE#FEATURE#FLAGNAME#f#TIME#2024-09-21 08:00:00",
        &[],
    );
    check(
        &[key],
        &[(Status::Failed, "0 flags"), (Status::Failed, "flag type")],
        true,
    );
}

#[test]
fn a_total_above_a_hundred_says_that_it_is_the_total() {
    let share = "{'PercentRollout': 60, 'Value': True}";
    let found = "range [0, 100]. 120 is the total of all treatments.";
    check(
        &[revision('1', &format!("[{share}, {share}]"))],
        &[(Status::Failed, ""), (Status::Failed, found)],
        true,
    );
}

#[test]
fn a_key_that_tells_no_time_hides_nothing() {
    let rows = [revision('1', "[]"), row("REVISION@x", &[])];
    let found = "it is ignored, and another row is in force";
    check(&rows, &[(Status::Ok, ""), (Status::Warning, found)], false);
}

#[test]
fn a_key_that_tells_no_time_replaces_no_unreadable_row() {
    let rows = [
        revision('1', "[]"),
        revision('2', "[{"),
        row("REVISION@x", &[]),
    ];
    let found = "TIME#2024-09-22 08:00:00, column Treatments: ";
    let older = "it is ignored, and another row is in force";
    let expected = [
        (Status::Failed, ""),
        (Status::Failed, found),
        (Status::Warning, older),
    ];
    check(&rows, &expected, true);
}

#[test]
fn a_flag_fails_whose_keys_all_tell_no_time() {
    let rows = [row("REVISION@x", &[]), row("REVISION@y", &[])];
    let expected = [
        (Status::Failed, "0 revisions"),
        (Status::Warning, "it is ignored, and another"),
        (Status::Failed, "TIME#2024-09-2y"),
    ];
    check(&rows, &expected, true);
}

#[test]
fn a_row_ahead_of_the_clock_counts_if_there_is_no_other() {
    let ahead = |treatments| {
        let mut row = revision('1', treatments);
        row.key = String::from_utf8(row.key)
            .unwrap()
            .replace("2024", "9024")
            .into();
        row
    };
    let served = [
        (Status::Ok, "1 revision can"),
        (Status::Warning, "found a time ahead of the clock"),
    ];
    check(&[ahead("[]")], &served, false);
    let failed = [
        (Status::Failed, "0 revisions"),
        (Status::Warning, "found a time ahead of the clock"),
        (Status::Failed, "column Treatments: "),
    ];
    check(&[ahead("[{")], &failed, true);
}

#[test]
fn the_latest_time_counts_however_it_is_spelled() {
    let t = row("REVISION@1T07:00:00", &[("FormatVersion", "1")]);
    let rows = [revision('1', "[]"), t];
    let found = "missing in the history only";
    let odd = "read as 2024-09-21 07:00:00.000000";
    let expected = [
        (Status::Ok, ""),
        (Status::Warning, odd),
        (Status::Warning, found),
    ];
    check(&rows, &expected, false);
}

#[test]
fn what_is_odd_and_read_all_the_same_is_a_warning() {
    let list = "[{'OverrideList': [1], 'PercentRollout': 1, 'Value': True}]";
    let found = "08:00:00: Treatments[0].OverrideList: found 1, read as \"1\"";
    let rows = [revision('1', list)];
    check(&rows, &[(Status::Ok, ""), (Status::Warning, found)], false);
}

#[test]
fn only_the_newest_metadata_tells_when_a_flag_should_be_gone() {
    let old = row("FLAG@1 08:00:00", &[("ExpiresOn", "2024-09-30")]);
    let cells = [("ExpiresOn", "2024-09-30"), ("Ticket", "CSR-1")];
    let expired = row("FLAG@2 08:00:00", &cells);
    let today = row("FLAG@3 08:00:00", &[("ExpiresOn", "2024-10-01")]);
    let found = "should have been removed by 2024-09-30, see CSR-1";
    check(
        &[old.clone(), expired.clone()],
        &[(Status::Ok, ""), (Status::Warning, found)],
        false,
    );
    check(&[old, expired, today], &[(Status::Ok, "")], false);
}

#[test]
fn a_project_without_rows_fails() {
    check(&[], &[(Status::Failed, "there are none")], false);
    check(
        &[row("HEAD", &[])],
        &[(Status::Failed, "there are none")],
        false,
    );
}

//! `copy`: what is copied, what is left alone, and what is reported.

use flag_store::{Cells, Columns, ExposureLog as _};

use crate::administering::{logged, on_log, on_store, rows, write};
use crate::world::{Stage, world};
use crate::*;

/// The path of a folder as a store is named.
fn store(dir: &Path) -> String {
    format!("embedded:{}", dir.display())
}

fn copy(from: &Path, to: &Path, options: &[&str]) -> Output {
    let (from, to) = (store(from), store(to));
    let args = [
        "copy",
        "csr-assistant",
        "--from",
        &from,
        "--to",
        &to,
        "-o",
        "json",
    ];
    let nowhere = from.strip_prefix("embedded:").unwrap().to_owned() + "-unused";
    command(Path::new(&nowhere), &[&args, options].concat())
        .output()
        .unwrap()
}

#[test]
fn rows_are_copied_byte_for_byte_and_once() {
    let from = world(Stage::InUse);
    let from = from.path().join("flag-data");
    let to = TempDir::new().unwrap();
    check_done(&flagctl(&to, &["init"]));
    let dry = json(&copy(&from, to.path(), &["--dry-run"]));
    assert_eq!(
        (&dry["flags"]["copied"], &dry["dry_run"]),
        (&6.into(), &true.into())
    );
    assert_eq!(rows(to.path()), []);
    let copied = json(&copy(&from, to.path(), &["--exposures"]));
    assert_eq!(
        (&copied["flags"]["copied"], &copied["exposures"]["copied"]),
        (&6.into(), &2.into())
    );
    assert_eq!(logged(to.path()), logged(&from));
    let is_head = |row: &Row| row.key.ends_with(b"#HEAD");
    let without_head = |dir| {
        let mut rows = rows(dir);
        rows.retain(|row| !is_head(row));
        rows
    };
    assert_eq!(without_head(to.path()), without_head(&from));
    let head = rows(to.path()).into_iter().find(is_head).unwrap();
    let newest = head.cells.get("feature/multi_step_api_router").unwrap();
    assert_eq!(newest, b"2024-10-02 08:00:00.500000");
    let again = json(&copy(&from, to.path(), &["--exposures"]));
    let counts = |table: &str| {
        let counts = &again[table];
        (counts["copied"].clone(), counts["already_there"].clone())
    };
    assert_eq!(counts("flags"), (0.into(), 6.into()));
    assert_eq!(counts("exposures"), (0.into(), 2.into()));
}

#[test]
fn a_row_that_is_there_with_other_cells_is_a_conflict_and_stays() {
    let from = with_revision();
    let to = TempDir::new().unwrap();
    let revision = rows(from.path()).pop().unwrap();
    let key = String::from_utf8(revision.key.clone()).unwrap();
    let other = Row {
        cells: Cells::default().with("Name", "other"),
        key: revision.key,
    };
    write(to.path(), other.clone());
    let copied = copy(from.path(), to.path(), &[]);
    assert_eq!(copied.status.code(), Some(4), "{}", stderr(&copied));
    let copied: Value = serde_json::from_slice(&copied.stdout).unwrap();
    assert_eq!(copied["flags"]["conflicts"], serde_json::json!([key]));
    assert_eq!(
        (&copied["flags"]["copied"], &copied["flags"]["differing"]),
        (&1.into(), &1.into())
    );
    let there = on_store(to.path(), async |store| {
        store.get(&other.key, Columns::All).await.unwrap()
    });
    assert_eq!(there, Some(other));
}

#[test]
fn a_row_that_is_passed_over_makes_no_revision_newer_at_the_other_end() {
    for above in ["zzzz", "9999-12-31 23:59:59.999999"] {
        let from = with_revision();
        write(from.path(), left_behind(above, "[]"));
        let to = TempDir::new().unwrap();
        let copied = copy(from.path(), to.path(), &[]);
        check_done(&copied);
        assert!(!stderr(&copied).contains("newer"), "{}", stderr(&copied));
        check_done(&revise(
            &to,
            "--control true --yes-i-mean multi_step_api_router",
        ));
        let copied = copy(from.path(), to.path(), &[]);
        assert!(stderr(&copied).contains("newer"), "{}", stderr(&copied));
    }
}

#[test]
fn a_newer_revision_at_the_other_end_stays_in_force_and_is_reported() {
    let from = with_revision();
    let to = TempDir::new().unwrap();
    check_done(&copy(from.path(), to.path(), &[]));
    check_done(&revise(
        &to,
        "--control true --yes-i-mean multi_step_api_router",
    ));
    let copied = copy(from.path(), to.path(), &[]);
    check_done(&copied);
    let told =
        "csr-assistant/feature/multi_step_api_router has a newer revision in the embedded store";
    assert!(stderr(&copied).contains(told), "{}", stderr(&copied));
    assert_eq!(
        json(&on_flag(&to, "get", &["-o", "json"]))["revision"]["control"],
        true
    );
}

#[test]
fn pages_of_many_rows_are_copied_whole() {
    let from = TempDir::new().unwrap();
    on_log(from.path(), async |log| {
        let row = |number: usize| Row {
            key: format!("PROJECT#csr-assistant#FLAGTYPE#x#{number:04}").into(),
            cells: Cells::default().with("InstanceID", number.to_string()),
        };
        let rows: Vec<Row> = (0..1_001).map(row).collect();
        for row in rows {
            log.insert_or_compare(&row.into()).await.unwrap();
        }
    });
    let to = TempDir::new().unwrap();
    let copied = json(&copy(from.path(), to.path(), &["--exposures"]));
    assert_eq!(copied["exposures"]["copied"], 1_001);
    assert_eq!(logged(to.path()), logged(from.path()));
}

#[test]
fn what_cannot_be_copied_is_refused() {
    let from = with_revision();
    let same = copy(from.path(), from.path(), &[]);
    check_failed(&same, 2, &["--from and --to are the same embedded store"]);
    let to = TempDir::new().unwrap();
    let args = ["copy", "p", "--from", "sqlite:x", "--to", "embedded:y"];
    check_failed(
        &flagctl(&to, &args),
        2,
        &["expected embedded:DIR or bigtable:"],
    );
    let from = store(from.path());
    let nothing = ["copy", "other", "--from", &from, "--to", &store(to.path())];
    check_failed(
        &flagctl(&to, &nothing),
        3,
        &["project other has no rows in the embedded"],
    );
    let nowhere = ["copy", "p", "--from", "embedded:/nowhere", "--to", &from];
    check_failed(
        &flagctl(&to, &nowhere),
        6,
        &["there is no embedded store in /nowhere"],
    );
}

#[test]
fn a_dry_run_onto_a_store_that_is_not_there_says_what_a_copy_makes() {
    let from = world(Stage::InUse);
    let from = from.path().join("flag-data");
    let parent = TempDir::new().unwrap();
    let to = parent.path().join("new");
    let counts = |output: &Output| {
        let copied = json(output);
        (
            copied["flags"]["copied"].clone(),
            copied["exposures"]["copied"].clone(),
        )
    };
    let dry = copy(&from, &to, &["--dry-run", "--exposures"]);
    let says = "lacks files, which a copy creates first";
    assert!(stderr(&dry).contains(says), "{}", stderr(&dry));
    assert!(!to.exists());
    let copied = copy(&from, &to, &["--exposures"]);
    assert_eq!(counts(&dry), counts(&copied));
    std::fs::remove_file(to.join("exposures.db")).unwrap();
    let dry = copy(&from, &to, &["--dry-run", "--exposures"]);
    assert_eq!(counts(&dry), (0.into(), 2.into()));
    assert!(stderr(&dry).contains(says), "{}", stderr(&dry));
    assert!(!to.join("exposures.db").exists());
}

#[test]
fn a_dry_run_fails_where_the_copy_would() {
    let from = world(Stage::InUse);
    let from = from.path().join("flag-data");
    let parent = TempDir::new().unwrap();
    for left in ["exposures.db", "flags.db-wal", ""] {
        let to = parent.path().join(format!("to-{left}"));
        if left.is_empty() {
            std::fs::write(&to, "a file").unwrap();
        } else {
            std::fs::create_dir(&to).unwrap();
            std::fs::write(to.join(left), "x").unwrap();
        }
        for options in [&["--dry-run"][..], &[]] {
            check_failed(&copy(&from, &to, options), 6, &[]);
        }
    }
}

#[test]
fn flags_are_copied_whatever_is_wrong_with_the_exposures() {
    let from = world(Stage::InUse);
    let from = from.path().join("flag-data");
    let parent = TempDir::new().unwrap();
    let to = parent.path().join("to");
    check_done(&copy(&from, &to, &[]));
    std::fs::write(to.join("exposures.db"), "damaged").unwrap();
    std::fs::remove_file(from.join("exposures.db")).unwrap();
    for options in [&["--dry-run"][..], &[]] {
        check_done(&copy(&from, &to, options));
    }
    check_failed(&copy(&from, &to, &["--exposures"]), 6, &["exposures.db"]);
}

//! `verify --history` finds what was changed by hand.

use flag_store::conformance::put;
use flag_store::{FlagRow, Scan};

use super::*;
use crate::administering::on_store;

/// A flag with this many revisions.
fn revised(revisions: u32) -> TempDir {
    let dir = TempDir::new().unwrap();
    check_done(&add(&dir));
    for percent in 1..=revisions {
        let options = format!("--control false --percent {percent}");
        check_done(&revise(&dir, &options));
    }
    dir
}

fn verify(dir: &TempDir, options: &[&str]) -> Output {
    let verify = ["verify", "csr-assistant", "--history"];
    flagctl(dir, &[&verify, options].concat())
}

/// Changes a cell of the row whose key ends in this, or of the head row.
fn change(dir: &TempDir, time: &str, column: &str, value: &str) {
    on_store(dir.path(), async |store| {
        let mut rows = store.scan(Scan::prefix("")).await.unwrap();
        rows.retain(|row| match time {
            "" => FlagRow::is_head(&row.key),
            time => row.key_text().contains("REVISION") && row.key_text().ends_with(time),
        });
        let changed = Row {
            key: rows[0].key.clone(),
            cells: Cells::default().with(column, value),
        };
        put(store, &[changed]).await;
    });
}

#[test]
fn an_unbroken_history_has_a_hash() {
    let dir = revised(3);
    let shown = json(&verify(&dir, &["-o", "json"]));
    let counts = ["flags", "revisions", "linked", "unlinked"].map(|field| &shown[field]);
    assert_eq!(counts.map(|count| count.as_u64().unwrap()), [1, 3, 3, 0]);
    assert_eq!(
        (&shown["late"], &shown["broken"]),
        (&serde_json::json!([]), &serde_json::json!([]))
    );
    let hash = shown["history_hash"].as_str().unwrap().to_owned();
    assert_eq!(hash.len(), 64);
    let text = verify(&dir, &[NAME]);
    check_done(&text);
    let says =
        "csr-assistant: unbroken; flags: 1, revisions: 3, of which name those before them: 3";
    assert!(stdout(&text).contains(says), "{}", stdout(&text));
    for says in [
        "a change is found: 2",
        "only the history hash shows a change: 1",
    ] {
        assert!(stdout(&text).contains(says), "{}", stdout(&text));
    }
    assert!(stdout(&text).contains(&format!("history hash: {hash}")));
    check_done(&revise(&dir, "--percent 50"));
    assert_ne!(json(&verify(&dir, &["-o", "json"]))["history_hash"], hash);
}

#[test]
fn a_changed_revision_and_a_changed_head_row_are_named() {
    let dir = revised(3);
    let history = on_flag(&dir, "history", &["-o", "name"]);
    let made: Vec<&str> = stdout(&history).lines().collect();
    change(&dir, made[1], "Comment", "changed");
    let broken = verify(&dir, &[]);
    assert_eq!(broken.status.code(), Some(7), "{}", stderr(&broken));
    let says = format!(
        "csr-assistant/feature/{NAME}: r2 of {} has the hash ",
        made[1]
    );
    assert!(stdout(&broken).contains(&says), "{}", stdout(&broken));
    let says = format!("but the revision of {} names ", made[0]);
    assert!(stdout(&broken).contains(&says), "{}", stdout(&broken));
    change(&dir, made[1], "Comment", "why");
    check_done(&verify(&dir, &[]));
    change(&dir, "", &format!("feature/{NAME}"), made[2]);
    let broken = verify(&dir, &["-o", "json"]);
    assert_eq!(broken.status.code(), Some(7), "{}", stderr(&broken));
    let shown: Value = serde_json::from_slice(&broken.stdout).unwrap();
    let found = &shown["broken"][0];
    assert_eq!(
        (&found["revision"], &found["created"]),
        (&"r3".into(), &made[0].into())
    );
    let problem = format!(
        "is newer than the revision of {} that the head row names: the head row was changed",
        made[2]
    );
    assert_eq!(found["problem"], problem);
    // The next revision makes it right.
    check_done(&revise(&dir, "--percent 50"));
    check_done(&verify(&dir, &[]));
}

#[test]
fn revisions_of_other_tooling_break_nothing() {
    let dir = revised(1);
    leave_behind(&dir, "2024-09-25 19:15:28.248896", "[]");
    let shown = json(&verify(&dir, &["-o", "json"]));
    // It came in below the first link, which says that nothing was there.
    assert_eq!(
        (&shown["revisions"], &shown["unlinked"]),
        (&2.into(), &0.into())
    );
    assert_eq!(shown["late"][0]["revision"], "r1");
}

#[test]
fn what_is_not_checked_is_counted() {
    let dir = TempDir::new().unwrap();
    check_done(&add(&dir));
    leave_behind(&dir, "2024-09-25 19:15:28.248896", "[]");
    let shown = json(&verify(&dir, &["-o", "json"]));
    let counts = ["revisions", "linked", "named", "newest_unnamed", "unlinked"];
    let counts = counts.map(|field| shown[field].as_u64().unwrap());
    assert_eq!(counts, [1, 0, 0, 0, 1]);
    let text = verify(&dir, &[]);
    let says = "older than the links, or of flags without one: not checked";
    assert!(stdout(&text).contains(says), "{}", stdout(&text));
}

#[test]
fn what_is_missing_is_said() {
    let dir = TempDir::new().unwrap();
    check_done(&add(&dir));
    check_done(&verify(&dir, &[]));
    check_failed(&verify(&dir, &[NAME]), 3, &["that has a revision"]);
    check_failed(
        &flagctl(&dir, &["verify", "nothing", "--history"]),
        3,
        &["nothing"],
    );
    check_failed(
        &verify(&dir, &["--since", "7d"]),
        2,
        &["cannot be used with"],
    );
}

#[test]
fn a_copy_has_the_same_history() {
    let (dir, copy) = (revised(3), TempDir::new().unwrap());
    let [from, to] = [&dir, &copy].map(|dir| format!("embedded:{}", dir.path().display()));
    let args = ["copy", "csr-assistant", "--from", &from, "--to", &to];
    check_done(&flagctl(&dir, &args));
    let hash = |dir| json(&verify(dir, &["-o", "json"]))["history_hash"].clone();
    assert_eq!(hash(&copy), hash(&dir));
    check_done(&revise(&copy, "--percent 50"));
    check_done(&verify(&copy, &[]));
}

//! `backup` and `restore-backup`, and a file that may not grow.

use crate::*;

fn history(dir: &TempDir) -> String {
    let shown = on_flag(dir, "history", &["-o", "json"]);
    check_done(&shown);
    stdout(&shown).to_owned()
}

#[test]
fn a_backup_is_restored_and_what_it_replaces_is_kept() {
    let dir = with_revision();
    let backup = TempDir::new().unwrap();
    let backup = backup.path().join("backup");
    let backup = backup.to_str().unwrap();
    let written = json(&flagctl(&dir, &["backup", backup, "-o", "json"]));
    let files = ["exposures.db", "flags.db"].map(|name| format!("{backup}/{name}"));
    assert_eq!(written, serde_json::json!({"files": files, "kept": null}));
    check_failed(
        &flagctl(&dir, &["backup", backup]),
        4,
        &[
            "exposures.db exists already",
            "name another folder",
            "remove it if it is an old backup",
        ],
    );
    let then = history(&dir);
    check_done(&revise(&dir, "--percent 10"));
    let now = history(&dir);
    check_failed(
        &flagctl(&dir, &["restore-backup", backup]),
        4,
        &["already", "--replace"],
    );
    assert_eq!(history(&dir), now);
    let restored = json(&flagctl(
        &dir,
        &["restore-backup", backup, "--replace", "-o", "json"],
    ));
    assert_eq!(history(&dir), then);
    let kept = restored["kept"].as_str().unwrap();
    check_done(&flagctl(&dir, &["restore-backup", kept, "--replace"]));
    assert_eq!(history(&dir), now);
}

#[test]
fn what_is_no_backup_is_not_restored() {
    let dir = with_revision();
    let then = history(&dir);
    let nothing = TempDir::new().unwrap();
    let nothing = nothing.path().to_str().unwrap();
    let failed = flagctl(&dir, &["restore-backup", nothing, "--replace"]);
    check_failed(&failed, 6, &["the store was not copied", "there is no"]);
    assert_eq!(history(&dir), then);
}

#[test]
fn tables_are_backed_up_by_bigtable_itself() {
    let dir = TempDir::new().unwrap();
    let refused = flagctl(&dir, &["backup", "x", "--bigtable-instance", "i"]);
    check_failed(&refused, 2, &["gcloud bigtable backups create"]);
}

#[test]
fn a_file_that_may_not_grow_fails_the_write_and_kills_nobody() {
    let dir = TempDir::new().unwrap();
    let limited = Command::new("sh")
        .args([
            "-c",
            "ulimit -f 1; exec \"$0\" init",
            env!("CARGO_BIN_EXE_flagctl"),
        ])
        .env_clear()
        .env("FLAG_DATA_DIR", dir.path())
        .output()
        .unwrap();
    check_failed(&limited, 6, &["cannot open"]);
}

//! Runs `flagctl` as a person or a script does, against the embedded store.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod administering;
mod backups;
mod changing;
mod comparing;
#[cfg(target_os = "linux")]
mod completing;
mod copying;
mod examples;
mod files;
mod finding;
mod following;
mod forgetting;
mod forms;
mod importing;
mod keys;
mod keystrokes;
mod logging;
mod looking;
mod lost_updates;
mod metadata;
mod reading;
mod replacing;
mod restoring;
mod reverting;
mod rolling_back;
mod run_configs;
mod running;
mod seen;
mod short_forms;
#[cfg(target_os = "linux")]
mod terminal;
mod verifying;
mod verifying_history;
mod world;
mod writing;

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use flag_store::{Cells, Clock as _, Row, RowStore, SystemClock};
use flag_store_embedded::EmbeddedStore;
use serde_json::Value;
use tempfile::TempDir;

const NAME: &str = "multi_step_api_router";

/// The program with nothing in its environment but a login name, its store in `dir`.
fn command(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flagctl"));
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("USER", "ann")
        .env("FLAG_DATA_DIR", dir)
        .args(args);
    command
}

/// The folders of programs, that of `flagctl` before them.
fn search_path() -> OsString {
    let program = Path::new(env!("CARGO_BIN_EXE_flagctl"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = [program.parent().unwrap().to_owned()];
    let folders = folders.into_iter().chain(std::env::split_paths(&path));
    std::env::join_paths(folders).unwrap()
}

fn flagctl(dir: &TempDir, args: &[&str]) -> Output {
    command(dir.path(), args).output().unwrap()
}

fn on_flag(dir: &TempDir, subcommand: &str, options: &[&str]) -> Output {
    let flag = [subcommand, "csr-assistant", "feature", NAME];
    flagctl(dir, &[&flag, options].concat())
}

fn add(dir: &TempDir) -> Output {
    on_flag(dir, "add", &["--description", "Multi-step API router"])
}

fn revise(dir: &TempDir, options: &str) -> Output {
    let options: Vec<&str> = options.split_whitespace().collect();
    on_flag(
        dir,
        "revise",
        &[&["--comment", "why"], options.as_slice()].concat(),
    )
}

fn stdout(output: &Output) -> &str {
    str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    str::from_utf8(&output.stderr).unwrap()
}

#[track_caller]
fn check_done(output: &Output) {
    assert_eq!(output.status.code(), Some(0), "{}", stderr(output));
}

/// Checks the exit code, that nothing is on standard output, and that the error says all of this.
#[track_caller]
fn check_failed(output: &Output, code: i32, says: &[&str]) {
    let error = stderr(output);
    assert_eq!(output.status.code(), Some(code), "{error}");
    assert_eq!(stdout(output), "");
    assert!(error.starts_with("error: "), "{error}");
    for part in says {
        assert!(error.contains(part), "{part:?} is not in {error}");
    }
}

#[track_caller]
fn json(output: &Output) -> Value {
    check_done(output);
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A store with a flag that was added and has one revision.
fn with_revision() -> TempDir {
    let dir = TempDir::new().unwrap();
    check_done(&add(&dir));
    check_done(&revise(&dir, "--control false"));
    dir
}

/// A time after that of every row, and near enough to the clock for its row to count.
fn soon() -> String {
    let soon = SystemClock.now().saturating_add(Duration::from_hours(1));
    soon.to_string()
}

/// A revision as the Python framework's tooling wrote it.
fn left_behind(time: &str, treatments: &str) -> Row {
    let cells = Cells::default()
        .with("Name", NAME)
        .with("Type", "FEATURE")
        .with("FormatVersion", "1")
        .with("ControlValue", "False")
        .with("Comment", "left behind")
        .with("CreatedTime", time)
        .with("Treatments", treatments);
    let key = format!(
        "PROJECT#csr-assistant#ROWTYPE#REVISION#FLAGTYPE#feature#FLAGNAME#{NAME}#TIME#{time}"
    );
    Row {
        key: key.into(),
        cells,
    }
}

/// Leaves such a revision in the store, without metadata and without the head row.
fn leave_behind(dir: &TempDir, time: &str, treatments: &str) {
    leave_behind_in(dir.path(), time, treatments);
}

fn leave_behind_in(dir: &Path, time: &str, treatments: &str) {
    let row = left_behind(time, treatments);
    administering::write(dir, row);
}

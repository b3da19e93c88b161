//! Several processes on the same files, and processes that are killed.
//!
//! The children are this test binary again: a test named `child_…` does nothing unless [`DIRECTORY`] is set.
#![cfg(unix)]

use std::env;
use std::io::{self, BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{self, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use flag_store::{Cells, Columns, CompareAndSet, Expected, Insert, Row, RowStore, Scan};
use flag_store_embedded::{EmbeddedLog, EmbeddedStore};
use tempfile::TempDir;

/// Tells a child where its store is.
const DIRECTORY: &str = "FLAG_TEST_DIRECTORY";
/// Starts a line of a child's output that is meant for its parent.
const REPORT: &str = "report: ";

/// A process of our own, killed when it is no longer wanted.
pub(crate) struct Child {
    process: process::Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Child {
    /// Starts the test of that name in a process of its own.
    fn start(test: &str, directory: &Path) -> Self {
        Self::start_test(&format!("processes::{test}"), directory)
    }

    /// Starts a test of any module in a process of its own.
    pub(crate) fn start_test(test: &str, directory: &Path) -> Self {
        let mut process = Command::new(env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture"])
            .env(DIRECTORY, directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = process.stdin.take().unwrap();
        let stdout = process.stdout.take().unwrap();
        Self {
            process,
            stdin,
            lines: BufReader::new(stdout).lines(),
        }
    }

    /// The next report, `None` when there will be no more.
    pub(crate) fn report(&mut self) -> Option<String> {
        self.lines.find_map(|line| {
            let line = line.unwrap();
            let (_, report) = line.split_once(REPORT)?;
            Some(report.to_owned())
        })
    }

    fn go(&mut self) {
        self.stdin.write_all(b"go\n").unwrap();
    }

    /// The end of a process that nothing can delay or tidy up (SIGKILL).
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    fn has_ended(&mut self) -> bool {
        self.process.try_wait().unwrap().is_some()
    }

    fn finish(mut self) {
        assert!(self.process.wait().unwrap().success());
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The directory, if this process is a child.
pub(crate) fn directory_of_child() -> Option<PathBuf> {
    env::var_os(DIRECTORY).map(PathBuf::from)
}

pub(crate) fn report(text: &str) {
    println!("{REPORT}{text}");
}

pub(crate) fn wait_for_go() {
    io::stdin().read_line(&mut String::new()).unwrap();
}

fn row(key: &str) -> Row {
    Row {
        key: key.into(),
        cells: Cells::default().with("Name", key),
    }
}

/// Flags and exposures of one directory.
fn both(directory: &Path) -> (EmbeddedStore, EmbeddedLog) {
    let flags = EmbeddedStore::open(directory).unwrap();
    (flags, EmbeddedLog::open(directory).unwrap())
}

/// The counter, zero if there is none yet.
async fn count(store: &EmbeddedStore) -> u32 {
    let row = store
        .get(b"counter", Columns::Only(&["Count"]))
        .await
        .unwrap();
    row.map_or(0, |row| text(&row, "Count").parse().unwrap())
}

fn text(row: &Row, column: &str) -> String {
    String::from_utf8(row.cells.get(column).unwrap().to_vec()).unwrap()
}

#[tokio::test]
async fn child_appends() {
    let Some(directory) = directory_of_child() else {
        return;
    };
    let (flags, log) = both(&directory);
    for n in 0..1_000 {
        let key = format!("{}#{n:04}", process::id());
        for rows in [&flags as &dyn RowStore, log.rows()] {
            let insert = rows.insert_if_absent(&row(&key)).await.unwrap();
            assert_eq!(insert, Insert::Inserted);
        }
        report(&key);
    }
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill() {
    let directory = TempDir::new().unwrap();
    let mut acknowledged = Vec::new();
    for round in 1..=5 {
        let mut child = Child::start("child_appends", directory.path());
        for _ in 0..round * 17 {
            acknowledged.push(child.report().unwrap());
        }
        child.kill();
        while let Some(key) = child.report() {
            acknowledged.push(key);
        }
        let (flags, log) = both(directory.path());
        for key in &acknowledged {
            for rows in [&flags as &dyn RowStore, log.rows()] {
                let read = rows.get(key.as_bytes(), Columns::All).await;
                assert_eq!(read.unwrap(), Some(row(key)), "round {round}");
            }
        }
        let after = row(&format!("after#{round}"));
        flags.insert_if_absent(&after).await.unwrap();
        log.rows().close().await;
        flags.close().await;
    }
    assert!(acknowledged.len() >= 255);
}

#[tokio::test]
async fn child_increments() {
    let Some(directory) = directory_of_child() else {
        return;
    };
    let store = EmbeddedStore::open(&directory).unwrap();
    // On a busy machine a writer may wait long for the other one.
    let store = store.with_timeout(Duration::from_mins(1));
    report("ready");
    wait_for_go();
    let mut done = 0;
    while done < 400 {
        let old = count(&store).await;
        let value = (old > 0).then(|| old.to_string());
        let expected = Expected {
            column: "Count",
            value: value.as_deref().map(str::as_bytes),
        };
        let cells = Cells::default().with("Count", (old + 1).to_string());
        let set = store
            .compare_and_set(b"counter", expected, &cells)
            .await
            .unwrap();
        done += u32::from(set == CompareAndSet::Set);
    }
    report("done");
}

#[tokio::test]
async fn increments_from_two_processes_are_all_counted() {
    let directory = TempDir::new().unwrap();
    let mut children = [0, 1].map(|_| Child::start("child_increments", directory.path()));
    for child in &mut children {
        assert_eq!(child.report().as_deref(), Some("ready"));
    }
    children.iter_mut().for_each(Child::go);
    let store = EmbeddedStore::open(directory.path()).unwrap();
    let mut seen = 0;
    while seen < 800 && !children.iter_mut().all(Child::has_ended) {
        let now = count(&store).await;
        assert!(now >= seen, "a reader never sees the past");
        seen = now;
    }
    children.into_iter().for_each(Child::finish);
    assert_eq!(count(&store).await, 800);
}

#[tokio::test]
async fn child_opens() {
    let Some(directory) = directory_of_child() else {
        return;
    };
    report("ready");
    wait_for_go();
    let (flags, log) = both(&directory);
    let key = process::id().to_string();
    for rows in [&flags as &dyn RowStore, log.rows()] {
        rows.insert_if_absent(&row(&key)).await.unwrap();
    }
    report("done");
}

#[tokio::test]
async fn two_processes_can_create_the_same_directory() {
    for _ in 0..20 {
        let parent = TempDir::new().unwrap();
        let directory = parent.path().join("flag-data");
        let mut children = [0, 1].map(|_| Child::start("child_opens", &directory));
        for child in &mut children {
            assert_eq!(child.report().as_deref(), Some("ready"));
        }
        children.iter_mut().for_each(Child::go);
        for child in &mut children {
            assert_eq!(child.report().as_deref(), Some("done"));
        }
        children.into_iter().for_each(Child::finish);
        let (flags, log) = both(&directory);
        for rows in [&flags as &dyn RowStore, log.rows()] {
            let rows = rows.scan(Scan::prefix("")).await.unwrap();
            assert_eq!(rows.len(), 2);
        }
    }
}

//! Old exposures: which go, and what the file gives back.

use std::fs;
use std::path::Path;

use flag_model::ProjectName;
use flag_store::{
    BatchId, CellFormat, Cells, ExposureBatch, ExposureLog, ExposureScope, Row, Scan, TimeRange,
};
use flag_store_embedded::{EmbeddedLog, EmbeddedStore, remove_exposures_before};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::upgrading::exposure;

const BETWEEN: &str = "2026-10-01 00:00:00.000000";

async fn append(log: &EmbeddedLog, batch: u128, exposures: i64) {
    let number = i64::try_from(batch).unwrap() * 1_000;
    let served: Vec<_> = (number..number + exposures)
        .map(|number| exposure("f", number))
        .collect();
    let batch = ExposureBatch::of(BatchId(batch), CellFormat::Json, &served);
    let appended = log.append(&batch).await;
    assert!(appended.iter().all(Result::is_ok));
}

/// Sends one as a caller does, which is kept as a row.
async fn send(log: &EmbeddedLog, number: i64) {
    let record = exposure("f", number).to_record(CellFormat::Json).unwrap();
    log.insert_or_compare(&record).await.unwrap();
}

fn execute(directory: &Path, statements: &str) {
    let [_, file] = EmbeddedStore::files(directory);
    let connection = Connection::open(file).unwrap();
    connection.execute_batch(statements).unwrap();
}

async fn count(log: &EmbeddedLog) -> usize {
    let project = ProjectName::new("p").unwrap();
    let page = log.page(
        ExposureScope::Project(&project),
        TimeRange::ALL,
        None,
        1_000_000,
    );
    page.await.unwrap().records.len()
}

async fn remove(directory: &Path) -> usize {
    remove_exposures_before(directory, BETWEEN).await.unwrap()
}

#[tokio::test]
async fn blocks_and_rows_go_by_the_same_rule() {
    let directory = TempDir::new().unwrap();
    let log = EmbeddedLog::open(directory.path()).unwrap();
    for batch in 1..=4 {
        append(&log, batch, 10).await;
        send(&log, 100_000 + i64::try_from(batch).unwrap()).await;
    }
    assert_eq!(remove(directory.path()).await, 0, "written just now");
    // On the second, and a second before: of both kinds the latter alone is old enough.
    let at = |table: &str, seconds: i64, which: &str| {
        format!("UPDATE {table} SET written = unixepoch('2026-10-01') + {seconds} WHERE {which};")
    };
    let aged = [
        at("blocks", 0, "id = 1"),
        at("blocks", -1, "id IN (2, 4)"),
        at("rows", 0, "instr(key, '000186a1') > 0"),
        at(
            "rows",
            -1,
            "instr(key, '000186a2') + instr(key, '000186a4') > 0",
        ),
    ];
    execute(directory.path(), &aged.concat());
    assert_eq!(remove(directory.path()).await, 22);
    assert_eq!(count(&log).await, 22);
    assert_eq!(remove(directory.path()).await, 0);
    log.close().await;
}

#[tokio::test]
async fn the_file_shrinks_while_a_service_goes_on() {
    let directory = TempDir::new().unwrap();
    let log = EmbeddedLog::open(directory.path()).unwrap();
    for batch in 1..=120 {
        append(&log, batch, 500).await;
    }
    for number in 0..50 {
        send(&log, 1_000_000 + number).await;
    }
    execute(
        directory.path(),
        "UPDATE blocks SET written = 0; UPDATE rows SET written = 0; PRAGMA wal_checkpoint",
    );
    let [_, file] = EmbeddedStore::files(directory.path());
    let before = fs::metadata(&file).unwrap().len();
    let (removed, ()) = tokio::join!(remove(directory.path()), async {
        for batch in 1_001..=1_005 {
            append(&log, batch, 2).await;
        }
    });
    assert_eq!(removed, 60_050);
    assert_eq!(count(&log).await, 10);
    log.close().await;
    let after = fs::metadata(&file).unwrap().len();
    assert!(after * 10 < before, "{before} bytes before, {after} after");
}

/// Those of the clock that was fast have the lower numbers, and are more than are looked at once.
#[tokio::test]
async fn a_clock_that_was_fast_holds_up_no_removal() {
    let directory = TempDir::new().unwrap();
    let log = EmbeddedLog::open(directory.path()).unwrap();
    for batch in 1..=70 {
        append(&log, batch, 1).await;
    }
    let clock = "UPDATE blocks SET written = unixepoch('2199-01-01') WHERE id <= 60;
        UPDATE blocks SET written = 0 WHERE id > 60";
    execute(directory.path(), clock);
    assert_eq!(remove(directory.path()).await, 10);
    assert_eq!(count(&log).await, 60);
    let corrected = "UPDATE blocks SET written = 0";
    execute(directory.path(), corrected);
    assert_eq!(remove(directory.path()).await, 60);
    log.close().await;
}

#[tokio::test]
async fn a_report_goes_when_it_was_not_written_again_for_long() {
    let directory = TempDir::new().unwrap();
    let log = EmbeddedLog::open(directory.path()).unwrap();
    let rows = ["a", "b"].map(|key| Row {
        key: key.into(),
        cells: Cells::default().with("Name", "1"),
    });
    log.write_reports(&rows).await.unwrap();
    execute(directory.path(), "UPDATE rows SET written = 0");
    log.write_reports(&rows[1..]).await.unwrap();
    assert_eq!(remove(directory.path()).await, 1);
    let left = log.reports(Scan::prefix("")).await.unwrap();
    let left: Vec<_> = left.into_iter().map(|report| report.row).collect();
    assert_eq!(left, rows[1..]);
    log.close().await;
}

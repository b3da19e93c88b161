//! Removes exposures by age, a few rows at a time, so that no writer waits for long.
//!
//! Bigtable does this by a rule of the table, by the time of writing of a row; for files this
//! module does it, by the same time.

use std::path::Path;
use std::time::Duration;

use flag_store::{ExposureLog as _, StoreError};
use rusqlite::{Connection, TransactionBehavior, params};
use tokio::time::sleep;

use crate::database::Database;
use crate::exposure_log::EmbeddedLog;
use crate::failure::Failure;
use crate::idle_priority::WriterPriority;
use crate::{blocks, schema};

/// The rows read in one transaction, which takes a few milliseconds.
const SLICE: u32 = 1_000;

/// The pause after a transaction, so that others can write.
const PAUSE: Duration = Duration::from_millis(20);

/// The last key of the next rows after a key.
const LAST_OF_SLICE: &str = "SELECT max(key) FROM
    (SELECT key FROM rows WHERE key > ?1 ORDER BY key LIMIT ?2)";
/// The oldest blocks, as far as they are old enough; a block of a clock that was fast holds up no other.
const OLD_BLOCKS: &str = "SELECT id FROM blocks
    WHERE written < unixepoch(CAST(?2 AS TEXT)) ORDER BY written LIMIT ?1";
/// The oldest counts likewise.
const REMOVE_COUNTS: &str = "DELETE FROM counts WHERE id IN (SELECT id FROM counts
    WHERE written < unixepoch(CAST(?2 AS TEXT)) ORDER BY written LIMIT ?1)";
const EXPOSURES: &str = "SELECT exposures FROM blocks WHERE id = ?1";

/// How many blocks are removed in one transaction.
const BLOCKS_AT_ONCE: u32 = 50;

/// How many pages are given back to the disk after a transaction.
const PAGES_AT_ONCE: u32 = 1_000;

const REMOVE: &str =
    "DELETE FROM rows WHERE key > ?1 AND key <= ?2 AND written < unixepoch(CAST(?3 AS TEXT))";

/// In files from before rows had a time of their own: by the time in their keys, text of the same width.
const REMOVE_BY_KEY: &str = "DELETE FROM rows WHERE key > ?1 AND key <= ?2
    AND length(key) >= length(?3) AND substr(key, -length(?3)) < ?3";

/// Removes every exposure that was written before `time`, `YYYY-MM-DD HH:MM:SS.ffffff` in UTC; returns their number.
///
/// Reads all keys once, and shares the file with other processes. Creates no store.
pub async fn remove_exposures_before(directory: &Path, time: &str) -> Result<usize, StoreError> {
    let log = opened(directory).await?;
    let mut removed = 0;
    loop {
        let time = time.as_bytes().to_vec();
        let exposures = log
            .write(move |database| remove_blocks(database, &time))
            .await?;
        let Some(exposures) = exposures else { break };
        removed += exposures;
        sleep(PAUSE).await;
    }
    let mut from = Vec::new();
    loop {
        let (after, time) = (from, time.as_bytes().to_vec());
        let slice = log
            .write(move |database| remove_slice(database, &after, &time))
            .await?;
        let Some((to, rows)) = slice else { break };
        removed += rows;
        from = to;
        sleep(PAUSE).await;
    }
    log.close().await;
    Ok(removed)
}

/// Removes the counts that were written before `time`, likewise; returns the number of their minutes.
pub async fn remove_counts_before(directory: &Path, time: &str) -> Result<usize, StoreError> {
    let log = opened(directory).await?;
    let mut removed = 0;
    loop {
        let time = time.as_bytes().to_vec();
        let minutes = log
            .write(move |database| remove_counts(database, &time))
            .await?;
        if minutes == 0 {
            break;
        }
        removed += minutes;
        sleep(PAUSE).await;
    }
    log.close().await;
    Ok(removed)
}

async fn opened(directory: &Path) -> Result<EmbeddedLog, StoreError> {
    let directory = directory.to_owned();
    let existing = move || EmbeddedLog::existing_at(WriterPriority::Idle, &directory);
    let opening = tokio::task::spawn_blocking(existing);
    let unavailable = |source: flag_store::BoxError| StoreError::Unavailable { source };
    let opened = opening.await.map_err(|error| unavailable(error.into()))?;
    opened.map_err(|error| unavailable(error.into()))
}

/// Removes some counts, and gives back their pages; how many.
fn remove_counts(database: &mut Database, time: &[u8]) -> Result<usize, Failure> {
    if !schema::has_block_and_count_tables(database.connection())? {
        return Ok(0);
    }
    let connection = database.connection();
    let removed = connection
        .prepare_cached(REMOVE_COUNTS)?
        .execute(params![SLICE, time])?;
    give_back(connection)?;
    Ok(removed)
}

/// Removes some blocks, and gives back their pages; how many exposures they had, `None` if none is old enough.
fn remove_blocks(database: &mut Database, time: &[u8]) -> Result<Option<usize>, Failure> {
    if !schema::has_block_and_count_tables(database.connection())? {
        return Ok(None);
    }
    let connection = database.connection_mut();
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let old: Vec<i64> = transaction
        .prepare_cached(OLD_BLOCKS)?
        .query_map(params![BLOCKS_AT_ONCE, time], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    if old.is_empty() {
        return Ok(None);
    }
    let mut removed = 0;
    for block in old {
        let exposures: i64 = transaction
            .prepare_cached(EXPOSURES)?
            .query_row([block], |row| row.get(0))?;
        removed += usize::try_from(exposures).unwrap_or_default();
        blocks::remove(&transaction, block)?;
    }
    transaction.commit()?;
    give_back(connection)?;
    Ok(Some(removed))
}

/// Gives some pages without content back to the disk, and returns how many; only files that were made with `auto_vacuum`
/// do.
pub(crate) fn give_back(connection: &Connection) -> Result<u32, Failure> {
    let count = || connection.pragma_query_value(None, "page_count", |row| row.get::<_, u32>(0));
    let before = count()?;
    let mut vacuum = connection.prepare(&format!("PRAGMA incremental_vacuum({PAGES_AT_ONCE})"))?;
    let mut pages = vacuum.query([])?;
    while pages.next()?.is_some() {}
    Ok(before.saturating_sub(count()?))
}

/// Expires the next rows after a key; returns the last key and the number of removed rows.
fn remove_slice(
    database: &mut Database,
    after: &[u8],
    time: &[u8],
) -> Result<Option<(Vec<u8>, usize)>, Failure> {
    let connection = database.connection_mut();
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let last: Option<Vec<u8>> = transaction
        .prepare_cached(LAST_OF_SLICE)?
        .query_row(params![after, SLICE], |row| row.get(0))?;
    let Some(last) = last else { return Ok(None) };
    let has_times = schema::has_times(&transaction)?;
    let remove = if has_times { REMOVE } else { REMOVE_BY_KEY };
    let removed = transaction
        .prepare_cached(remove)?
        .execute(params![after, last, time])?;
    transaction.commit()?;
    give_back(connection)?;
    Ok(Some((last, removed)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use flag_model::FlagKey;
    use flag_store::conformance::put;
    use flag_store::{Cells, CountKey, CountsWriterId, Minute, MinuteCounts, Row, RowStore, Scan};
    use tempfile::TempDir;

    use super::*;
    use crate::store::EmbeddedStore;

    const OLD: &str = "2026-08-01 00:00:00.000000";
    const NEW: &str = "2026-11-01 00:00:00.000000";

    fn row(key: String) -> Row {
        let cells = Cells::default().with("Name", "f");
        Row {
            key: key.into(),
            cells,
        }
    }

    const BETWEEN: &str = "2026-10-01 00:00:00.000000";

    /// Rows of which every third says that it is old, in both files.
    async fn log_with_rows(directory: &TempDir) -> (EmbeddedLog, EmbeddedStore, Vec<Row>) {
        let flags = EmbeddedStore::open(directory.path()).unwrap();
        let log = EmbeddedLog::open(directory.path()).unwrap();
        let time = |at| if at % 3 == 0 { OLD } else { NEW };
        let rows: Vec<Row> = (0..=2 * SLICE)
            .map(|at| row(format!("I#{at:06}#TIME#{}", time(at))))
            .chain([row("short".to_owned())])
            .collect();
        write(&log, &rows).await;
        put(&Arc::new(flags.clone()), &rows).await;
        (log, flags, rows)
    }

    async fn write(log: &EmbeddedLog, rows: &[Row]) {
        for row in rows {
            log.insert_if_absent(&row.clone().into()).await.unwrap();
        }
    }

    async fn run(log: &EmbeddedLog, statements: String) {
        let run =
            move |database: &mut Database| Ok(database.connection().execute_batch(&statements)?);
        log.write(run).await.unwrap();
    }

    async fn keys(rows: &dyn RowStore) -> Vec<Vec<u8>> {
        rows.keys(Scan::prefix("")).await.unwrap()
    }

    #[tokio::test]
    async fn what_was_written_long_ago_goes_and_nothing_else() {
        let directory = TempDir::new().unwrap();
        let (log, flags, rows) = log_with_rows(&directory).await;
        let removed = remove_exposures_before(directory.path(), BETWEEN).await;
        assert_eq!(removed.unwrap(), 0, "written just now");
        let aged = format!("UPDATE rows SET written = unixepoch('{OLD}') WHERE key LIKE 'I#%7#%'");
        run(&log, aged).await;
        let removed = remove_exposures_before(directory.path(), BETWEEN).await;
        assert_eq!(removed.unwrap(), 200);
        let left = keys(log.rows()).await;
        assert_eq!(left.len(), rows.len() - 200);
        assert!(!left.iter().any(|key| key.get(7) == Some(&b'7')));
        assert_eq!(keys(&flags).await.len(), rows.len());
        let again = remove_exposures_before(directory.path(), BETWEEN).await;
        assert_eq!(again.unwrap(), 0);
    }

    #[tokio::test]
    async fn counts_that_were_written_long_ago_go_and_nothing_else() {
        let directory = TempDir::new().unwrap();
        let log = EmbeddedLog::open(directory.path()).unwrap();
        let flag: FlagKey = "p/feature/f".parse().unwrap();
        let minutes = (0..2_500).map(|minute| {
            let mut counts = MinuteCounts::new(flag.clone(), Minute::from_number(minute));
            counts.add(&CountKey::Others, 1);
            counts
        });
        let counts: Vec<_> = minutes.collect();
        log.write_counts(CountsWriterId(1), &counts).await.unwrap();
        let remove = async || remove_counts_before(directory.path(), BETWEEN).await;
        assert_eq!(remove().await.unwrap(), 0, "written just now");
        let aged = format!("UPDATE counts SET written = unixepoch('{OLD}') WHERE minute < 2400");
        run(&log, aged).await;
        // Written again, it is new.
        log.write_counts(CountsWriterId(1), &counts[..1])
            .await
            .unwrap();
        assert_eq!(remove().await.unwrap(), 2_399);
        let all = Minute::from_number(0)..Minute::from_number(9_999);
        let left = log.counts(&flag, all).await.unwrap();
        assert_eq!(left.len(), 101);
        assert_eq!(left.first(), counts.first());
    }

    #[tokio::test]
    async fn a_row_that_is_written_again_is_as_old_as_before() {
        let directory = TempDir::new().unwrap();
        let (log, _, rows) = log_with_rows(&directory).await;
        run(
            &log,
            format!("UPDATE rows SET written = unixepoch('{OLD}')"),
        )
        .await;
        write(&log, &rows).await;
        let removed = remove_exposures_before(directory.path(), BETWEEN).await;
        assert_eq!(removed.unwrap(), rows.len());
    }

    #[tokio::test]
    async fn rows_without_a_time_of_their_own_go_by_the_time_in_their_keys() {
        let directory = TempDir::new().unwrap();
        let (log, _, rows) = log_with_rows(&directory).await;
        let older = "ALTER TABLE rows RENAME TO newer;
            CREATE TABLE rows (key BLOB PRIMARY KEY, cells BLOB NOT NULL) WITHOUT ROWID;
            INSERT INTO rows SELECT key, cells FROM newer; DROP TABLE newer";
        run(&log, older.to_owned()).await;
        let removed = remove_exposures_before(directory.path(), BETWEEN).await;
        assert_eq!(removed.unwrap(), 667);
        let left = keys(log.rows()).await;
        assert_eq!(left.len(), rows.len() - 667);
        assert!(!left.iter().any(|key| key.ends_with(OLD.as_bytes())));
    }

    #[tokio::test]
    async fn no_store_is_made_where_there_is_none() {
        let parent = TempDir::new().unwrap();
        let missing = parent.path().join("flag-data");
        remove_exposures_before(&missing, OLD).await.unwrap_err();
        assert!(!missing.exists());
    }
}

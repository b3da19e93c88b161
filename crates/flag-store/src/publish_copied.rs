//! Publishes rows that were copied from another store, which are written without a claim.

use flag_model::{FlagKey, Timestamp};
use tokio::time::sleep;

use crate::append::pause;
use crate::flags::FlagStore;
use crate::head::{change_id_cell, claimed_row, head_column};
use crate::row_key::{RowType, head_key};
use crate::rows::{Columns, Expected};
use crate::store_error::StoreError;
use crate::stored::LATEST_CHANGE;

/// How often writing the head row is attempted.
const ATTEMPTS: u32 = 4;

impl FlagStore {
    /// Publishes the newest metadata and the newest revision of a flag in the head row, unless they are published already.
    ///
    /// A claim stays as it is, and a concurrent append wins: the rows are the truth. Safe to repeat.
    /// Returns the time of the newest revision.
    pub async fn publish_newest(&self, flag: &FlagKey) -> Result<Option<Timestamp>, StoreError> {
        self.publish_newest_of(RowType::Metadata, flag).await?;
        self.publish_newest_of(RowType::Revision, flag).await
    }

    /// Whatever became of an attempt that failed, the next one begins by reading.
    async fn publish_newest_of(
        &self,
        row_type: RowType,
        flag: &FlagKey,
    ) -> Result<Option<Timestamp>, StoreError> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            match self.publish_once(row_type, flag).await {
                Err(error) if error.is_transient() && attempt < ATTEMPTS => {
                    sleep(pause(attempt)).await;
                }
                published => return published,
            }
        }
    }

    async fn publish_once(
        &self,
        row_type: RowType,
        flag: &FlagKey,
    ) -> Result<Option<Timestamp>, StoreError> {
        let (key, column) = (head_key(&flag.project), head_column(row_type, flag));
        let columns = [column.as_str()];
        // In this order: an append between the two reads makes the comparison below fail.
        let row = self.rows.get(key.as_bytes(), Columns::Only(&columns));
        let row = row.await?;
        let head_cell = row.as_ref().and_then(|row| row.cells.get(&column));
        let Some(created) = self.newest_created(row_type, flag).await? else {
            return Ok(None);
        };
        let newest = created.to_string();
        if head_cell == Some(newest.as_bytes()) {
            return Ok(Some(created));
        }
        let mut cells = change_id_cell().with(LATEST_CHANGE, self.clock.now().to_string());
        if claimed_row(head_cell).is_none() {
            cells.set(column.as_str(), newest);
        }
        let expected = Expected {
            column: &column,
            value: head_cell,
        };
        self.rows
            .compare_and_set(key.as_bytes(), expected, &cells)
            .await?;
        Ok(Some(created))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::clock::{Clock, SystemClock};
    use crate::memory::MemoryStore;
    use crate::row_key::flag_prefix;
    use crate::rows::{Cells, Row, RowStore};
    use crate::stored::CHANGE_ID;

    const TIME: &str = "2024-09-25 19:15:28.248896";

    fn flag() -> FlagKey {
        "p/feature/f".parse().unwrap()
    }

    fn row(key: String, cells: Cells) -> Row {
        let key = key.into();
        Row { key, cells }
    }

    /// The head row after a revision was copied into a store whose head row had these cells.
    async fn head(before: Cells) -> Option<Cells> {
        let rows = Arc::new(MemoryStore::default());
        if !before.is_empty() {
            rows.put([row(head_key(&flag().project), before)]);
        }
        let key = flag_prefix(RowType::Revision, &flag()) + TIME;
        rows.put([row(key, Cells::default().with("Name", "f"))]);
        let store = FlagStore::new(rows.clone(), Arc::new(SystemClock));
        store.publish_newest(&flag()).await.unwrap();
        let key = head_key(&flag().project);
        let row = rows.get(key.as_bytes(), Columns::All).await;
        row.unwrap().map(|row| row.cells)
    }

    #[tokio::test(start_paused = true)]
    async fn the_head_row_learns_of_rows_that_were_copied() {
        let cells = head(Cells::default()).await.unwrap();
        assert_eq!(cells.get("feature/f"), Some(TIME.as_bytes()));
        assert!(cells.get(LATEST_CHANGE).is_some());
        assert!(cells.get(CHANGE_ID).is_some());
        assert_eq!(cells.len(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_row_that_knows_stays_as_it_is() {
        let before = Cells::default().with("feature/f", TIME);
        assert_eq!(head(before.clone()).await, Some(before));
    }

    #[tokio::test(start_paused = true)]
    async fn a_claim_stays_while_readers_are_notified() {
        let claim = crate::head::encode_claim(SystemClock.now(), 7, None);
        let before = Cells::default().with("feature/f", claim.as_str());
        let cells = head(before).await.unwrap();
        assert_eq!(cells.get("feature/f"), Some(claim.as_bytes()));
        assert!(cells.get(LATEST_CHANGE).is_some());
    }
}

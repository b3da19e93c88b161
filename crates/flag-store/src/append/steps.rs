//! The steps of an append, each safe to be the last one that its writer takes.

use std::time::Duration;

use flag_model::{FlagKey, Invalid, Timestamp};
use tokio::time::{Instant, sleep};

use super::watch::pause;
use super::{AppendError, Base};
use crate::flags::FlagStore;
use crate::port::{Cells, Columns, CompareAndSet, Expected, Insert, Row, Scan, StoreError, Table};
use crate::row_key::{FlagRowKey, RowType, flag_prefix};
use crate::stored::LATEST_CHANGE;

/// How long after its claim a writer may still begin to insert: with the longest deadline of a backend's write, well
/// below [`super::CLAIM_HOLDS`].
const INSERT_WITHIN: Duration = Duration::from_secs(15);

/// One append under way.
pub(super) struct Append<'a> {
    pub(super) store: &'a FlagStore,
    pub(super) row_type: RowType,
    pub(super) flag: &'a FlagKey,
    /// The key of the project's head row.
    pub(super) key: String,
    /// The flag's column in it.
    pub(super) column: String,
}

impl Append<'_> {
    pub(super) async fn head(&self) -> Result<Option<Vec<u8>>, StoreError> {
        let columns = [self.column.as_str()];
        let row = self
            .store
            .rows
            .get(Table::Flags, self.key.as_bytes(), Columns::Only(&columns))
            .await?;
        Ok(row.and_then(|row| row.cells.get(&self.column).map(<[u8]>::to_vec)))
    }

    /// The time of the newest row.
    pub(super) async fn newest(&self) -> Result<Option<Timestamp>, AppendError> {
        let row = self
            .store
            .newest_row(flag_prefix(self.row_type, self.flag))
            .await?;
        Ok(row
            .map(|row| FlagRowKey::decode(&row.key))
            .transpose()?
            .map(|key| key.created))
    }

    /// Now, or a microsecond after the latest time that is taken.
    pub(super) fn next_time(&self, taken: Option<Timestamp>) -> Result<Timestamp, AppendError> {
        let now = self.store.clock.now();
        let Some(taken) = taken else { return Ok(now) };
        let end = || {
            Invalid::new(
                "CreatedTime",
                taken.to_string(),
                "a time before the end of year 9999",
            )
        };
        Ok(now.max(taken.next().ok_or_else(end)?))
    }

    /// Claims the next row; false if the head cell has changed. Recognises its own claim after a lost reply.
    pub(super) async fn claim(&self, head: Option<&[u8]>, claim: &str) -> Result<bool, StoreError> {
        let cells = Cells::default().with(self.column.as_str(), claim);
        let mut attempt = 0;
        loop {
            let error = match self.compare_and_set(head, &cells).await {
                Ok(done) => return Ok(done == CompareAndSet::Set),
                Err(error) if !error.is_transient() || attempt == 3 => return Err(error),
                Err(error) => error,
            };
            sleep(pause(attempt)).await;
            attempt += 1;
            match self.head().await {
                Ok(now) if now.as_deref() == Some(claim.as_bytes()) => return Ok(true),
                Ok(now) if now.as_deref() != head => return Ok(false),
                Ok(_) => {}
                Err(_) if attempt < 3 => {}
                Err(_) => return Err(error),
            }
        }
    }

    async fn compare_and_set(
        &self,
        head: Option<&[u8]>,
        cells: &Cells,
    ) -> Result<CompareAndSet, StoreError> {
        let expected = Expected {
            column: &self.column,
            value: head,
        };
        self.store
            .rows
            .compare_and_set(Table::Flags, self.key.as_bytes(), expected, cells)
            .await
    }

    /// Inserts the row that was claimed. After a lost reply it finds its own row there, and is content.
    pub(super) async fn insert(
        &self,
        row: &Row,
        at: Timestamp,
        newest: Option<Timestamp>,
        claimed_at: Instant,
    ) -> Result<(), AppendError> {
        let mut attempt = 0;
        loop {
            if claimed_at.elapsed() > INSERT_WITHIN && attempt == 0 {
                return Err(AppendError::Claimed {
                    flag: self.flag.clone(),
                });
            }
            match self.store.rows.insert_if_absent(Table::Flags, row).await {
                Ok(Insert::Inserted) => return Ok(()),
                Ok(Insert::AlreadyThere) => return self.recognise(row, at, newest).await,
                Err(source) if !source.is_transient() || claimed_at.elapsed() > INSERT_WITHIN => {
                    return Err(AppendError::Unknown {
                        flag: self.flag.clone(),
                        at,
                        source,
                    });
                }
                Err(_) => sleep(pause(attempt)).await,
            }
            attempt += 1;
        }
    }

    async fn recognise(
        &self,
        row: &Row,
        at: Timestamp,
        newest: Option<Timestamp>,
    ) -> Result<(), AppendError> {
        let there = self
            .store
            .rows
            .get(Table::Flags, &row.key, Columns::All)
            .await;
        match there {
            Ok(there) if there.as_ref() == Some(row) => Ok(()),
            Ok(_) => Err(AppendError::Conflict {
                flag: self.flag.clone(),
                base: Base::on(newest),
                found: Some(at),
            }),
            Err(source) => Err(AppendError::Unknown {
                flag: self.flag.clone(),
                at,
                source,
            }),
        }
    }

    /// Tells the head row. The row is in already: if this fails, the next writer sees that, and so do readers.
    pub(super) async fn publish(&self, claim: &str, at: Timestamp) -> CompareAndSet {
        let cells = Cells::default()
            .with(self.column.as_str(), at.to_string())
            .with(LATEST_CHANGE, at.to_string());
        for attempt in 0..3 {
            match self.compare_and_set(Some(claim.as_bytes()), &cells).await {
                Ok(done) => return done,
                Err(error) if error.is_transient() => sleep(pause(attempt)).await,
                Err(_) => break,
            }
        }
        CompareAndSet::Set
    }

    /// Says which row is newest after this writer was held up for so long that its claim was taken over.
    pub(super) async fn overtaken(&self, at: Timestamp) -> AppendError {
        match self.newest().await {
            Ok(newest) => AppendError::Overtaken {
                flag: self.flag.clone(),
                appended: at,
                other: newest.unwrap_or(at),
            },
            Err(error) => error,
        }
    }

    /// Looks whether the row follows the one that it stands on, or one that was written without a claim.
    pub(super) async fn check_follows(
        &self,
        at: Timestamp,
        newest: Option<Timestamp>,
    ) -> Result<(), AppendError> {
        let prefix = flag_prefix(self.row_type, self.flag);
        let before = format!("{prefix}{at}");
        let scan = Scan {
            end: Some(before.into()),
            ..Scan::prefix(prefix)
        }
        .descending()
        .limit(1);
        // The row is in whatever happens here: a store that fails now is not worth an error.
        let Ok(mut rows) = self.store.rows.scan(Table::Flags, scan).await else {
            return Ok(());
        };
        let before = rows
            .pop()
            .and_then(|row| FlagRowKey::decode(&row.key).ok())
            .map(|key| key.created);
        match before {
            Some(other) if before != newest => Err(AppendError::Overtaken {
                flag: self.flag.clone(),
                appended: at,
                other,
            }),
            _ => Ok(()),
        }
    }
}

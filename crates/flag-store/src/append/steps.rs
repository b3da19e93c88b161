//! The steps of an append. A writer may die after any of them without harm.

use std::time::Duration;

use flag_model::{FlagKey, Invalid, Timestamp};
use tokio::time::sleep;

use super::claim_wait::{ElapsedTime, pause};
use super::{AppendError, Base};
use crate::flags::FlagStore;
use crate::head::{HeadCell, change_id_cell, claimed_row, encode_claim};
use crate::row_key::{FlagRowKey, RowType};
use crate::rows::{Cells, Columns, CompareAndSet, Expected, Insert, Row};
use crate::store_error::StoreError;
use crate::stored::{Link, MAX_LINKED, covers_rows_below};

/// How long after its claim a writer may still begin to insert: half of the time after which it may be taken over.
const INSERT_WITHIN: Duration = Duration::from_secs(15);

/// How long a claim with an unknown outcome is retried, so that there is time left to insert.
const CLAIM_WITHIN: Duration = Duration::from_secs(5);

/// A claim of ours on the next row.
pub(super) struct Claim {
    /// The time of that row.
    pub(super) at: Timestamp,
    /// The text of the head cell.
    pub(super) cell: String,
    /// How long ago it was made.
    pub(super) age: ElapsedTime,
}

/// One append under way.
pub(super) struct Append<'a> {
    pub(super) store: &'a FlagStore,
    pub(super) row_type: RowType,
    pub(super) flag: &'a FlagKey,
    /// The key of the project's head row.
    pub(super) head_key: String,
    /// The flag's column in it.
    pub(super) head_column: String,
}

impl Append<'_> {
    pub(super) async fn head_cell(&self) -> Result<Option<Vec<u8>>, StoreError> {
        let columns = [self.head_column.as_str()];
        let row = self
            .store
            .rows
            .get(self.head_key.as_bytes(), Columns::Only(&columns))
            .await?;
        Ok(row.and_then(|row| row.cells.get(&self.head_column).map(<[u8]>::to_vec)))
    }

    /// The time of the row that is in force; `None` if no key has a valid time.
    pub(super) async fn newest_time(&self) -> Result<Option<Timestamp>, StoreError> {
        self.store.newest_created(self.row_type, self.flag).await
    }

    /// Refuses a row that would lie below an appended one: if this clock is behind, that one is in force for other readers.
    pub(super) async fn ensure_clock_not_behind(
        &self,
        head_cell: Option<&[u8]>,
    ) -> Result<(), AppendError> {
        let cell = head_cell.and_then(HeadCell::decode);
        let cell = cell
            .into_iter()
            .flat_map(|cell| [Some(cell.time()), cell.published()]);
        for appended in cell.flatten().filter(|at| self.is_too_far_ahead(*at)) {
            if self.row_exists(appended).await? {
                return Err(AppendError::ClockBehind {
                    flag: self.flag.clone(),
                    appended,
                    now: self.store.clock.now(),
                });
            }
        }
        Ok(())
    }

    /// Links the row to those before it; false if another row has come in since the newest time was read.
    ///
    /// Reads one row, and up to a hundred if that one has no link. Rows never change, so they can be read before the claim,
    /// which fails if another writer appends in between.
    pub(super) async fn link(
        &self,
        row: &mut Row,
        newest: Option<Timestamp>,
    ) -> Result<bool, StoreError> {
        let mut before = Vec::new();
        if newest.is_some() {
            let last = self.store.newest_row(self.row_type, self.flag).await?;
            if last.created() != newest {
                return Ok(false);
            }
            before.extend(last.row);
        }
        // Few rows at first: after a rollback the linked one is among them, and rows can be large.
        for limit in [4, 16, MAX_LINKED] {
            if before.is_empty() || before.iter().any(covers_rows_below) {
                break;
            }
            let rows = self
                .store
                .rows_newest_first(self.row_type, self.flag, limit)
                .await?;
            if rows.first() != before.first() {
                return Ok(false);
            }
            before = rows;
            if before.len() < limit {
                break;
            }
        }
        Link::following(&before).write(&mut row.cells);
        Ok(true)
    }

    /// Now, or a microsecond after the latest time in use. A time that readers pass over does not count: a row after it
    /// would be passed over too.
    pub(super) fn next_time(
        &self,
        taken: [Option<Timestamp>; 2],
    ) -> Result<Timestamp, AppendError> {
        let now = self.store.clock.now();
        let taken = taken.into_iter().flatten();
        let Some(taken) = taken.filter(|at| !self.is_too_far_ahead(*at)).max() else {
            return Ok(now);
        };
        let end = || {
            Invalid::new(
                "CreatedTime",
                taken.to_string(),
                "a time before the end of year 9999",
            )
        };
        Ok(now.max(taken.next().ok_or_else(end)?))
    }

    fn is_too_far_ahead(&self, at: Timestamp) -> bool {
        at > self.store.latest_time_in_force()
    }

    /// The time of the row that another writer has claimed and not written yet, if there is such a claim.
    pub(super) async fn unwritten_claim(
        &self,
        head_cell: Option<&[u8]>,
        newest: Option<Timestamp>,
    ) -> Result<Option<Timestamp>, StoreError> {
        let Some(at) = claimed_row(head_cell) else {
            return Ok(None);
        };
        // A later row that was written without a claim may be the newest although the claimed row exists.
        let may_be_hidden = Some(at) < newest || self.is_too_far_ahead(at);
        let exists = Some(at) == newest || (may_be_hidden && self.row_exists(at).await?);
        Ok((!exists).then_some(at))
    }

    async fn row_exists(&self, at: Timestamp) -> Result<bool, StoreError> {
        let key = FlagRowKey {
            row_type: self.row_type,
            flag: self.flag.clone(),
            created: at,
        }
        .encode();
        Ok(self
            .store
            .rows
            .get(key.as_bytes(), Columns::All)
            .await?
            .is_some())
    }

    /// Claims, inserts and publishes the row once; false if another writer claimed first, and nothing was written.
    pub(super) async fn try_once(
        &self,
        head_cell: Option<&[u8]>,
        newest: Option<Timestamp>,
        at: Timestamp,
        row: &Row,
    ) -> Result<bool, AppendError> {
        let cell = encode_claim(at, fastrand::u64(..), head_cell);
        let claim = Claim {
            at,
            cell,
            age: ElapsedTime::new(&self.store.clock),
        };
        if !self.claim(head_cell, &claim).await? {
            return Ok(false);
        }
        self.insert(row, &claim, newest).await?;
        self.finish(&claim, newest).await?;
        Ok(true)
    }

    /// Claims the next row; false if the head cell has changed. Recognises its own claim after a lost reply.
    async fn claim(&self, head_cell: Option<&[u8]>, claim: &Claim) -> Result<bool, StoreError> {
        let mut cells = match self.row_type {
            // If the writer dies after the insert, the change mark makes readers look for the row.
            RowType::Revision => change_id_cell(),
            RowType::Metadata => Cells::default(),
        };
        cells.set(self.head_column.as_str(), claim.cell.as_str());
        let mut attempt = 0;
        loop {
            let error = match self.compare_and_set(head_cell, &cells).await {
                Ok(CompareAndSet::Set) => return Ok(true),
                Ok(CompareAndSet::Differs) if attempt == 0 => return Ok(false),
                // An earlier attempt may have been carried out after all.
                Ok(CompareAndSet::Differs) => {
                    return Ok(self.head_cell().await?.as_deref() == Some(claim.cell.as_bytes()));
                }
                Err(error) if !error.is_transient() => return Err(error),
                Err(error) if claim.age.get() >= CLAIM_WITHIN => return Err(error),
                Err(error) => error,
            };
            sleep(pause(attempt)).await;
            attempt += 1;
            match self.head_cell().await {
                Ok(now) if now.as_deref() == Some(claim.cell.as_bytes()) => return Ok(true),
                Ok(now) if now.as_deref() != head_cell => return Ok(false),
                Ok(_) => {}
                Err(_) if claim.age.get() < CLAIM_WITHIN => {}
                Err(_) => return Err(error),
            }
        }
    }

    /// Compares the flag's cell in the head row, and sets these cells of it.
    pub(super) async fn compare_and_set(
        &self,
        head_cell: Option<&[u8]>,
        cells: &Cells,
    ) -> Result<CompareAndSet, StoreError> {
        let expected = Expected {
            column: &self.head_column,
            value: head_cell,
        };
        self.store
            .rows
            .compare_and_set(self.head_key.as_bytes(), expected, cells)
            .await
    }

    /// Inserts the row that was claimed. Finding the same row after a lost reply is a success.
    async fn insert(
        &self,
        row: &Row,
        claim: &Claim,
        newest: Option<Timestamp>,
    ) -> Result<(), AppendError> {
        let mut failed = None;
        for attempt in 0.. {
            let after = claim.age.get();
            if after > INSERT_WITHIN {
                let late = StoreError::TimedOut { after };
                return Err(failed.map_or(late.into(), |source| self.unknown(claim, source)));
            }
            match self.store.rows.insert_if_absent(row).await {
                Ok(Insert::Inserted) => break,
                Ok(Insert::AlreadyThere) => return self.recognise(row, claim, newest).await,
                Err(source) if !source.is_transient() => return Err(self.unknown(claim, source)),
                Err(source) => failed = Some(source),
            }
            sleep(pause(attempt)).await;
        }
        Ok(())
    }

    async fn recognise(
        &self,
        row: &Row,
        claim: &Claim,
        newest: Option<Timestamp>,
    ) -> Result<(), AppendError> {
        let there = self.store.rows.get(&row.key, Columns::All).await;
        match there {
            Ok(there) if there.as_ref() == Some(row) => Ok(()),
            Ok(_) => Err(AppendError::Conflict {
                flag: self.flag.clone(),
                base: Base::on(newest),
                found: Some(claim.at),
            }),
            Err(source) => Err(self.unknown(claim, source)),
        }
    }

    /// The row may be written, or not.
    pub(super) fn unknown(&self, claim: &Claim, source: StoreError) -> AppendError {
        AppendError::Unknown {
            flag: self.flag.clone(),
            at: claim.at,
            source,
        }
    }
}

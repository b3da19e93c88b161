//! Appending a row so that nothing is lost silently: claim, insert, publish.
//!
//! Two people may revise one flag at once, clocks may be wrong, a writer may die half-way, a reply may be lost. The
//! steps, and why they are safe, are in `docs/decisions/0003-append-protocol.md`. In short: the flag's cell in the
//! head row is read before the newest row and compared again when the claim is made, so whoever appended in between
//! makes the claim fail; a claim is taken over only by who has watched it unchanged for [`CLAIM_HOLDS`], and a
//! writer gives up well before its own claim is that old.

use std::fmt;
use std::time::Duration;

use flag_model::{
    FlagKey, Invalid, InvalidRevision, Metadata, MetadataParts, Revision, RevisionParts, Timestamp,
};
use tokio::time::{Instant, sleep};

use crate::flags::FlagStore;
use crate::head::{Head, encode_claim, head_column};
use crate::port::{Cells, Columns, CompareAndSet, Expected, Insert, Row, Scan, StoreError, Table};
use crate::row_key::{FlagRowKey, RowType, flag_prefix, head_key};
use crate::stored::{LATEST_CHANGE, encode_metadata, encode_revision};

/// How long a claim is left alone whose row doesn't appear.
pub const CLAIM_HOLDS: Duration = Duration::from_secs(30);

/// How long after its claim a writer may still begin to insert.
const INSERT_WITHIN: Duration = Duration::from_secs(15);

/// How long an append may take in all, waiting for others included.
const PATIENCE: Duration = Duration::from_mins(1);

/// Which row an append stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// On none: the flag must not have such a row yet.
    Nothing,
    /// On the row made at this time: it must still be the newest.
    Row(Timestamp),
    /// On whatever is newest.
    Newest,
}

impl Base {
    /// The base of a change that was planned on the newest row, or on there being none.
    pub fn on(newest: Option<Timestamp>) -> Self {
        newest.map_or(Self::Nothing, Self::Row)
    }

    /// Whether a change that stands on this may follow the newest row.
    fn allows(self, newest: Option<Timestamp>) -> bool {
        match self {
            Self::Nothing => newest.is_none(),
            Self::Row(created) => newest == Some(created),
            Self::Newest => true,
        }
    }
}

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing"),
            Self::Row(created) => created.fmt(f),
            Self::Newest => f.write_str("whatever is newest"),
        }
    }
}

/// Why an append failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// The newest row isn't the one that the caller started from; nothing was written. Read again and decide.
    #[error("conflict on {flag}: started from {base}, but the newest is {}", time_or_none(*.found))]
    Conflict {
        /// The flag.
        flag: FlagKey,
        /// What the caller started from.
        base: Base,
        /// What is newest.
        found: Option<Timestamp>,
    },
    /// The row was written, but another row, written without a claim, came between it and the one it stands on.
    #[error(
        "{flag} was appended at {appended}, but a row of {other} came in between, written without a claim"
    )]
    Overtaken {
        /// The flag.
        flag: FlagKey,
        /// The row that was written.
        appended: Timestamp,
        /// The row that it doesn't know of.
        other: Timestamp,
    },
    /// Another writer has claimed the flag and didn't finish in time; nothing was written. Retrying may help.
    #[error("{flag} is claimed by another writer")]
    Claimed {
        /// The flag.
        flag: FlagKey,
    },
    /// The row cannot be stored. Retrying cannot help.
    #[error(transparent)]
    Refused(#[from] Invalid),
    /// The revision cannot be. Retrying cannot help.
    #[error(transparent)]
    Invalid(#[from] InvalidRevision),
    /// The store failed before anything was written. Retrying is safe.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store failed in the middle: the row made at that time may be in the history, or not.
    #[error("whether {flag} was appended at {at} is not known: look at its history")]
    Unknown {
        /// The flag.
        flag: FlagKey,
        /// The row that may be there.
        at: Timestamp,
        /// What the store said last.
        #[source]
        source: StoreError,
    },
}

fn time_or_none(time: Option<Timestamp>) -> String {
    time.map_or_else(|| "nothing".to_owned(), |time| time.to_string())
}

impl FlagStore {
    /// Appends a revision and gives it back with its time; from then on it is in force.
    ///
    /// Waits while another writer's claim is fresh, at most a minute in all.
    pub async fn append_revision(
        &self,
        base: Base,
        parts: RevisionParts,
    ) -> Result<Revision, AppendError> {
        let flag = parts.flag.clone();
        let revision = |at| Revision::new(at, parts.clone());
        let encode = |at| Ok(encode_revision(&revision(at)?)?);
        let at = self.append(RowType::Revision, &flag, base, &encode).await?;
        Ok(revision(at)?)
    }

    /// Appends metadata and gives it back with its time.
    ///
    /// Waits while another writer's claim is fresh, at most a minute in all.
    pub async fn append_metadata(
        &self,
        base: Base,
        parts: MetadataParts,
    ) -> Result<Metadata, AppendError> {
        let flag = parts.flag.clone();
        let metadata = |at| Metadata::new(at, parts.clone());
        let encode = |at| Ok(encode_metadata(&metadata(at)?));
        let at = self.append(RowType::Flag, &flag, base, &encode).await?;
        Ok(metadata(at)?)
    }

    async fn append(
        &self,
        row_type: RowType,
        flag: &FlagKey,
        base: Base,
        encode: &(dyn Fn(Timestamp) -> Result<Row, AppendError> + Send + Sync),
    ) -> Result<Timestamp, AppendError> {
        // What cannot be stored is refused before anything is claimed.
        encode(self.clock.now())?;
        let append = Append {
            store: self,
            row_type,
            flag,
            key: head_key(&flag.project),
            column: head_column(row_type, flag),
        };
        let started = Instant::now();
        let mut watch = Watch::default();
        loop {
            let head = append.head().await?;
            let newest = append.newest().await?;
            if !base.allows(newest) {
                return Err(AppendError::Conflict {
                    flag: flag.clone(),
                    base,
                    found: newest,
                });
            }
            let claimed = match Head::decode(head.as_deref()) {
                Head::Claimed(at) if Some(at) != newest => Some(at),
                Head::Claimed(_) | Head::Free => None,
            };
            if claimed.is_some() && !watch.may_take_over(head.as_deref()) {
                if started.elapsed() > PATIENCE {
                    return Err(AppendError::Claimed { flag: flag.clone() });
                }
                sleep(watch.pause()).await;
                continue;
            }
            let at = append.next_time(newest.max(claimed))?;
            let row = encode(at)?;
            let claim = encode_claim(at, fastrand::u64(..));
            let claimed_at = Instant::now();
            if append.claim(head.as_deref(), &claim).await? {
                append.insert(&row, at, newest, claimed_at).await?;
                if append.publish(&claim, at).await == CompareAndSet::Differs
                    && claimed_at.elapsed() >= CLAIM_HOLDS
                {
                    return Err(append.overtaken(at).await);
                }
                append.check_follows(at, newest).await?;
                return Ok(at);
            }
        }
    }
}

/// Watches another writer's claim, by this machine's monotonic clock alone: nobody's wall clock matters.
#[derive(Default)]
struct Watch {
    cell: Option<Vec<u8>>,
    since: Option<Instant>,
    pauses: u32,
}

impl Watch {
    /// Whether the claim has stood unchanged for long enough.
    fn may_take_over(&mut self, cell: Option<&[u8]>) -> bool {
        if self.cell.as_deref() != cell {
            *self = Self {
                cell: cell.map(<[u8]>::to_vec),
                ..Self::default()
            };
        }
        self.since.get_or_insert_with(Instant::now).elapsed() >= CLAIM_HOLDS
    }

    /// How long to wait before looking again: 2 ms doubling to 250 ms, with jitter.
    fn pause(&mut self) -> Duration {
        let pause = pause(self.pauses);
        self.pauses += 1;
        pause
    }
}

fn pause(attempt: u32) -> Duration {
    let millis = (2_u64 << attempt.min(7)).min(250);
    Duration::from_millis(millis).mul_f64(0.5 + fastrand::f64() / 2.0)
}

/// One append under way.
struct Append<'a> {
    store: &'a FlagStore,
    row_type: RowType,
    flag: &'a FlagKey,
    key: String,
    column: String,
}

impl Append<'_> {
    async fn head(&self) -> Result<Option<Vec<u8>>, StoreError> {
        let columns = [self.column.as_str()];
        let row = self
            .store
            .rows
            .get(Table::Flags, self.key.as_bytes(), Columns::Only(&columns))
            .await?;
        Ok(row.and_then(|row| row.cells.get(&self.column).map(<[u8]>::to_vec)))
    }

    /// The time of the newest row.
    async fn newest(&self) -> Result<Option<Timestamp>, AppendError> {
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
    fn next_time(&self, taken: Option<Timestamp>) -> Result<Timestamp, AppendError> {
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
    async fn claim(&self, head: Option<&[u8]>, claim: &str) -> Result<bool, StoreError> {
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
    async fn insert(
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
    async fn publish(&self, claim: &str, at: Timestamp) -> CompareAndSet {
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
    async fn overtaken(&self, at: Timestamp) -> AppendError {
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
    async fn check_follows(
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

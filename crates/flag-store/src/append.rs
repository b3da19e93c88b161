//! Appending a row so that nothing is lost silently: claim, insert, publish.
//!
//! Two people may revise one flag at once, clocks may be wrong, a writer may die half-way, a reply may be lost. The
//! steps, and why they are safe, are in `docs/decisions/0003-append-protocol.md`. In short: the flag's cell in the
//! head row is read before the newest row and compared again when the claim is made, so an append in between
//! makes the claim fail; a claim is taken over only by a writer that has watched it unchanged for `CLAIM_HOLDS`, and a writer
//! begins no insert when its own claim is half as old.

mod claim_wait;
mod finish;
mod steps;

use std::fmt;
use std::time::Duration;

use flag_model::{
    FlagKey, FormatVersion, Invalid, InvalidRevision, Metadata, MetadataParts, Revision,
    RevisionParts, Timestamp,
};
use tokio::time::{Instant, sleep};

use self::claim_wait::ClaimWait;
pub(crate) use self::claim_wait::pause;
use self::steps::Append;
use crate::flags::FlagStore;
use crate::head::head_column;
use crate::row_key::{RowType, head_key};
use crate::rows::Row;
use crate::store_error::StoreError;
use crate::stored::{encode_metadata, encode_revision, encode_rollback};

/// How long a claim is respected while its row is missing.
const CLAIM_HOLDS: Duration = Duration::from_secs(30);

/// How long an append may take in all, waiting for others included.
const APPEND_TIMEOUT: Duration = Duration::from_mins(1);

/// The newest row that a change was planned on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// No row: the flag must not have such a row yet.
    Nothing,
    /// The row created at this time: it must still be the newest.
    Row(Timestamp),
    /// Any: the change follows whatever is newest.
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

/// Whether the appended row names the rows before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WriteLink {
    /// It does.
    Yes,
    /// It does not.
    No,
}

/// Why an append failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// The newest row isn't the one that the caller started from; no row was written. Read again and decide.
    #[error("conflict on {flag}: started from {base}, but the newest is {}", time_or_none(*.found))]
    Conflict {
        /// The flag.
        flag: FlagKey,
        /// What the caller started from.
        base: Base,
        /// What is newest.
        found: Option<Timestamp>,
    },
    /// The row was written, but so was another writer's that does not stand on the same row: it came without a claim, or its writer
    /// took the claim over.
    #[error(
        "{flag} was appended at {appended}, but another writer appended {other} at the same time: look at its history"
    )]
    Overtaken {
        /// The flag.
        flag: FlagKey,
        /// The row that was written.
        appended: Timestamp,
        /// Somebody else's.
        other: Timestamp,
    },
    /// Another writer has claimed the flag and didn't finish in time; nothing was written. Retrying may help.
    #[error("{flag} is claimed by another writer")]
    Claimed {
        /// The flag.
        flag: FlagKey,
    },
    /// An appended row lies too far ahead of the clock to be in force: one of two clocks is wrong. Nothing was written.
    #[error(
        "{flag} was appended at {appended}, too far ahead of this machine's clock, which reads {now}: check the clock"
    )]
    ClockBehind {
        /// The flag.
        flag: FlagKey,
        /// The row.
        appended: Timestamp,
        /// This machine's time.
        now: Timestamp,
    },
    /// The row cannot be stored. Retrying cannot help.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The revision is invalid. Retrying cannot help.
    #[error(transparent)]
    InvalidRevision(#[from] InvalidRevision),
    /// The store failed before a row was written. Retrying is safe, but may wait for our own claim to be taken over.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store failed in the middle: the row created at that time may be in the history, or not.
    #[error("whether {flag} was appended at {at} is not known: look at its history")]
    Unknown {
        /// The flag.
        flag: FlagKey,
        /// The row that may be there.
        at: Timestamp,
        /// The last error of the store.
        #[source]
        source: StoreError,
    },
}

fn time_or_none(time: Option<Timestamp>) -> String {
    time.map_or_else(|| "nothing".to_owned(), |time| time.to_string())
}

impl FlagStore {
    /// Appends a revision, which is in force from then on; returns it with its time and its row.
    ///
    /// The newest revision may be unreadable: the base still names its time. A rollback copies the columns and fields of
    /// the older row that this release does not know. Waits for another writer's claim, at most a minute in all.
    pub async fn append_revision(
        &self,
        base: Base,
        parts: RevisionParts,
    ) -> Result<(Revision, Row), AppendError> {
        let old = match parts.rollback_of {
            Some(at) => {
                self.newest_row_at(RowType::Revision, &parts.flag, at)
                    .await?
            }
            None => None,
        };
        let encode = |at| {
            let revision = Revision::new(at, parts.clone())?;
            let row = match &old {
                Some(old) => encode_rollback(&revision, &self.options, old)?,
                None => encode_revision(&revision, &self.options)?,
            };
            Ok((revision, row))
        };
        let links = match parts.scheme.version() {
            FormatVersion::V2 => WriteLink::Yes,
            // The Python framework reads these rows, and should find nothing new in them.
            FormatVersion::V1 => WriteLink::No,
        };
        self.append(RowType::Revision, &parts.flag, base, links, &encode)
            .await
    }

    /// Appends metadata; returns it with its time and its row.
    ///
    /// Waits for another writer's claim, at most a minute in all.
    pub async fn append_metadata(
        &self,
        base: Base,
        parts: MetadataParts,
    ) -> Result<(Metadata, Row), AppendError> {
        let encode = |at| {
            let metadata = Metadata::new(at, parts.clone())?;
            let row = encode_metadata(&metadata);
            Ok((metadata, row))
        };
        self.append(RowType::Metadata, &parts.flag, base, WriteLink::No, &encode)
            .await
    }

    /// Appends the row that `encode` makes for its time; returns the result and the row.
    async fn append<T: Send>(
        &self,
        row_type: RowType,
        flag: &FlagKey,
        base: Base,
        write_link: WriteLink,
        encode: &(dyn Fn(Timestamp) -> Result<(T, Row), AppendError> + Send + Sync),
    ) -> Result<(T, Row), AppendError> {
        let append = Append {
            store: self,
            row_type,
            flag,
            head_key: head_key(&flag.project),
            head_column: head_column(row_type, flag),
        };
        let started = Instant::now();
        let mut wait = ClaimWait::default();
        while started.elapsed() <= APPEND_TIMEOUT {
            // In this order: an append between the two reads makes the claim fail.
            let head_cell = append.head_cell().await?;
            let newest = append.newest_time().await?;
            if !base.allows(newest) {
                return Err(AppendError::Conflict {
                    flag: flag.clone(),
                    base,
                    found: newest,
                });
            }
            let unwritten = append.unwritten_claim(head_cell.as_deref(), newest).await?;
            append.ensure_clock_not_behind(head_cell.as_deref()).await?;
            if unwritten.is_none() || wait.may_take_over(head_cell.as_deref()) {
                let at = append.next_time([newest, unwritten])?;
                // A row that cannot be stored is refused before anything is claimed.
                let (result, mut row) = encode(at)?;
                let may_append = match write_link {
                    WriteLink::Yes => append.link(&mut row, newest).await?,
                    WriteLink::No => true,
                };
                if may_append
                    && append
                        .try_once(head_cell.as_deref(), newest, at, &row)
                        .await?
                {
                    return Ok((result, row));
                }
            }
            sleep(wait.pause()).await;
        }
        Err(AppendError::Claimed { flag: flag.clone() })
    }
}

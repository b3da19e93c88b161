//! Rows on their way into the store, together.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use flag_model::Timestamp;
use flag_store::{ExposureStore, Row, StoreError};
use futures_util::FutureExt as _;
use tokio::time::Instant;

use super::chunk::Chunk;
use super::form::Form;

/// The longest pause after a first failure.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause of all; a longer one would find a store that is back late.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Rows that are written together; made once, so that each attempt writes the same ones.
#[derive(Debug)]
pub(crate) struct Batch {
    rows: Vec<Row>,
    /// When the exposure of each row was served.
    created: Vec<Timestamp>,
    attempts: u32,
    /// Not to be written before.
    due: Instant,
}

/// What an attempt to write a batch gave.
#[derive(Debug)]
pub(crate) struct Attempt {
    /// When the exposures that the store has now were served.
    pub(crate) written: Vec<Timestamp>,
    /// How many rows the store won't take, and why one of them.
    pub(crate) refused: Option<(usize, StoreError)>,
    /// The rows to be written again, and why one of them was not written.
    pub(crate) failed: Option<(Batch, StoreError)>,
}

impl Batch {
    /// The rows of a chunk, and how many of its exposures cannot be rows.
    pub(crate) fn encode(chunk: &Chunk, form: &Form) -> (Self, usize) {
        let mut rows = Vec::with_capacity(chunk.len());
        let mut created = Vec::with_capacity(chunk.len());
        for exposure in chunk.exposures().flatten() {
            let served = exposure.created;
            if let Ok(row) = form.row(exposure) {
                rows.push(row);
                created.push(served);
            }
        }
        let invalid = chunk.len() - rows.len();
        let batch = Self {
            rows,
            created,
            attempts: 0,
            due: Instant::now(),
        };
        (batch, invalid)
    }

    /// How many rows it has.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether its pause is over.
    pub(crate) fn is_due(&self) -> bool {
        self.due <= Instant::now()
    }

    /// Lets it be written at the next opportunity.
    pub(crate) fn hurry(&mut self) {
        self.due = self.due.min(Instant::now() + FIRST_PAUSE);
    }

    /// Adds the rows of another batch.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.rows.extend(other.rows);
        self.created.extend(other.created);
        self.attempts = self.attempts.max(other.attempts);
    }

    /// Writes the rows once.
    pub(crate) async fn write(self, store: &ExposureStore) -> Attempt {
        let Self {
            rows,
            created,
            attempts,
            ..
        } = self;
        let written = AssertUnwindSafe(store.write_rows(&rows))
            .catch_unwind()
            .await;
        let results = written.unwrap_or_else(|_| rows.iter().map(|_| Err(panicked())).collect());
        let mut attempt = Attempt {
            written: Vec::with_capacity(rows.len()),
            refused: None,
            failed: None,
        };
        for ((row, created), result) in rows.into_iter().zip(created).zip(results) {
            match result {
                Ok(()) => attempt.written.push(created),
                Err(error) if error.is_transient() => attempt.fail(row, created, error),
                Err(error) => attempt.refused.get_or_insert((0, error)).0 += 1,
            }
        }
        if let Some((failed, _)) = &mut attempt.failed {
            failed.attempts = attempts + 1;
            failed.due = Instant::now() + jittered(longest_pause(attempts));
        }
        attempt
    }
}

impl Attempt {
    fn fail(&mut self, row: Row, created: Timestamp, error: StoreError) {
        let none = || Batch {
            rows: Vec::new(),
            created: Vec::new(),
            attempts: 0,
            due: Instant::now(),
        };
        let (failed, _) = self.failed.get_or_insert_with(|| (none(), error));
        failed.rows.push(row);
        failed.created.push(created);
    }
}

fn panicked() -> StoreError {
    StoreError::Broken {
        source: "the adapter of the store panicked".into(),
    }
}

/// The longest pause after so many attempts, one more not counted.
fn longest_pause(attempts: u32) -> Duration {
    (FIRST_PAUSE * (1 << attempts.min(16))).min(LONGEST_PAUSE)
}

/// Half of the pause or more, so that replicas that failed together don't come back together.
fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(0.5 + fastrand::f64() / 2.0)
}

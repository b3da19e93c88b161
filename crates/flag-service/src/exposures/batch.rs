//! Rows on their way into the store, together.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use flag_model::{Backoff, Jitter, Timestamp};
use flag_store::{ExposureStore, Row, StoreError};
use futures_util::FutureExt as _;
use tokio::time::Instant;

use super::chunk::Chunk;
use super::form::Form;

/// Pauses between attempts. With longer ones a batch would notice late that the store is back.
const BACKOFF: Backoff = Backoff {
    first: Duration::from_millis(100),
    most: Duration::from_secs(2),
    jitter: Jitter::between(0.5, 1.0),
};

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
        self.due = self.due.min(Instant::now() + BACKOFF.first);
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
            failed.due = Instant::now() + BACKOFF.delay(attempts, fastrand::f64());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_from_100_ms_to_2_s_and_half_of_each_is_random() {
        let millis =
            |random| [0, 1, 4, 5, 40].map(|attempts| BACKOFF.delay(attempts, random).as_millis());
        assert_eq!(millis(1.0), [100, 200, 1_600, 2_000, 2_000]);
        assert_eq!(millis(0.0), [50, 100, 800, 1_000, 1_000]);
    }
}

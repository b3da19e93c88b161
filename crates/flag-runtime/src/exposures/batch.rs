//! Batches of exposures that are written together.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use flag_model::{Backoff, Jitter, Timestamp};
use flag_store::{Appended, ExposureLog, StoreError, WriteExposureError};
use futures_util::FutureExt as _;
use tokio::time::Instant;

use super::chunk::Chunk;
use super::format::ExposureFormat;

/// Pauses between attempts. Longer pauses would delay the recovery.
const BACKOFF: Backoff = Backoff {
    first: Duration::from_millis(100),
    most: Duration::from_secs(2),
    jitter: Jitter::between(0.5, 1.0),
};

/// Exposures that are written together.
#[derive(Debug)]
pub(crate) struct Batch {
    chunk: Chunk,
    attempts: u32,
    /// The earliest time of the next attempt.
    due: Instant,
}

/// The result of one attempt to write a batch.
#[derive(Debug, Default)]
pub(crate) struct Attempt {
    /// Times of the exposures that were written.
    pub(crate) written: Vec<Timestamp>,
    /// How many were invalid, and never sent.
    pub(crate) invalid: usize,
    /// How many the store refused, and why it refused the first of them.
    pub(crate) refused: Option<(usize, StoreError)>,
    /// The exposures to write again, and why the first of them failed.
    pub(crate) failed: Option<(Batch, StoreError)>,
}

impl Batch {
    /// Creates a batch that was not attempted yet.
    pub(crate) fn new(chunk: Chunk) -> Self {
        Self {
            chunk,
            attempts: 0,
            due: Instant::now(),
        }
    }

    /// Returns the number of exposures.
    pub(crate) fn len(&self) -> usize {
        self.chunk.len()
    }

    /// Whether its pause is over.
    pub(crate) fn is_due(&self) -> bool {
        self.due <= Instant::now()
    }

    /// Shortens the pause to the first one of the backoff.
    pub(crate) fn shorten_pause(&mut self) {
        self.due = self.due.min(Instant::now() + BACKOFF.first);
    }

    /// Adds the exposures of another batch.
    pub(crate) fn append(&mut self, other: Self) {
        let all = 0..other.len();
        self.chunk.append(other.chunk, all);
        self.attempts = self.attempts.max(other.attempts);
    }

    /// Attempts to write the exposures once.
    pub(crate) async fn write(self, log: &dyn ExposureLog, format: &ExposureFormat) -> Attempt {
        let (indices, results) = append_all(&self.chunk, log, format).await;
        let mut attempt = Attempt {
            invalid: self.len() - indices.len(),
            ..Attempt::default()
        };
        let (mut failed, mut problem) = (Vec::new(), None);
        for (index, result) in indices.into_iter().zip(results) {
            match result {
                Ok(()) => attempt.written.extend(self.chunk.created(index)),
                Err(WriteExposureError::Store(error)) if error.is_transient() => {
                    failed.push(index);
                    problem.get_or_insert(error);
                }
                Err(WriteExposureError::Store(error)) => {
                    attempt.refused.get_or_insert((0, error)).0 += 1;
                }
                Err(_) => attempt.invalid += 1,
            }
        }
        attempt.failed = problem.map(|problem| (self.retry(failed), problem));
        attempt
    }

    /// Returns the exposures with these indices as a batch that is due after the next pause.
    fn retry(self, indices: Vec<usize>) -> Self {
        let mut chunk = Chunk::default();
        chunk.append(self.chunk, indices);
        Self {
            chunk,
            attempts: self.attempts + 1,
            due: Instant::now() + BACKOFF.delay(self.attempts, fastrand::f64()),
        }
    }
}

/// Appends the valid exposures; returns their indices in the chunk, and their results.
async fn append_all(
    chunk: &Chunk,
    log: &dyn ExposureLog,
    format: &ExposureFormat,
) -> (Vec<usize>, Vec<Appended>) {
    let exposures = chunk.exposures().enumerate();
    let exposures = exposures.filter_map(|(index, exposure)| Some((index, format.name(exposure?))));
    let (indices, exposures): (Vec<_>, Vec<_>) = exposures.unzip();
    let appended = AssertUnwindSafe(async { log.append(&exposures, format.booleans).await });
    let results = appended.catch_unwind().await;
    let panicked = |_| exposures.iter().map(|_| Err(panicked().into())).collect();
    (indices, results.unwrap_or_else(panicked))
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

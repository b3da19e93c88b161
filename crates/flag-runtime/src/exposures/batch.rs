//! Batches of exposures that are written together.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use flag_model::{Backoff, Jitter, Timestamp};
use flag_store::{
    AppendResult, BatchId, Clock as _, ExposureBatch, ExposureLog, StoreError, SystemClock,
    WriteExposureError,
};
use futures_util::FutureExt as _;
use tokio::time::Instant;

use super::chunk::Chunk;
use super::format::ExposureFormat;

/// Pauses between attempts. Longer pauses would delay the recovery.
const BACKOFF: Backoff = Backoff {
    first: Duration::from_millis(100),
    max: Duration::from_secs(2),
    jitter: Jitter::between(0.5, 1.0),
};

/// A batch of exposures that is not written yet, with its attempts and the time of the next one.
#[derive(Debug)]
pub(crate) struct PendingBatch {
    exposures: ExposureBatch,
    /// How many were invalid before the first attempt, and are not counted yet.
    invalid: usize,
    /// Whether it is what is left of batches that were written in part; only such may be joined, since a log recognizes a
    /// whole batch by its id.
    is_rest: bool,
    attempts: u32,
    /// The earliest time of the next attempt.
    due: Instant,
}

/// The result of one attempt to write a batch.
#[derive(Debug, Default)]
pub(crate) struct Attempt {
    /// How many exposures were written.
    pub(crate) written: usize,
    /// When the first of them was served. Others may be older if batches were joined.
    pub(crate) served_at_of_first_written: Option<Timestamp>,
    /// How many were invalid, and never sent.
    pub(crate) invalid: usize,
    /// How many the store refused, and why it refused the first of them.
    pub(crate) refused_by_store: Option<(usize, StoreError)>,
    /// The exposures to write again, and why the first of them failed.
    pub(crate) failed: Option<(PendingBatch, StoreError)>,
}

impl PendingBatch {
    /// Creates a batch that was not attempted yet.
    pub(crate) fn new(chunk: &Chunk, format: &ExposureFormat) -> Self {
        let (exposures, invalid) = chunk.batch(new_id(), format);
        Self {
            exposures,
            invalid,
            is_rest: false,
            attempts: 0,
            due: Instant::now(),
        }
    }

    /// Returns the exposures as the log takes them.
    pub(crate) fn exposures(&self) -> &ExposureBatch {
        &self.exposures
    }

    /// Returns the number of exposures.
    pub(crate) fn len(&self) -> usize {
        self.exposures.len()
    }

    /// Whether its pause is over.
    pub(crate) fn is_due(&self) -> bool {
        self.due <= Instant::now()
    }

    /// Shortens the pause to the first one of the backoff.
    pub(crate) fn shorten_pause(&mut self) {
        self.due = self.due.min(Instant::now() + BACKOFF.first);
    }

    /// Whether another batch may be added: both are remainders of batches that were written in part, and together they have at
    /// most this many exposures.
    pub(crate) fn may_append(&self, other: &Self, limit: usize) -> bool {
        self.is_rest && other.is_rest && self.len() + other.len() <= limit
    }

    /// Adds the exposures of another batch.
    pub(crate) fn append(&mut self, other: Self) {
        self.exposures.absorb(other.exposures);
        self.attempts = self.attempts.max(other.attempts);
    }

    /// Attempts to write the exposures once.
    pub(crate) async fn write(mut self, log: &dyn ExposureLog) -> Attempt {
        let results = append_all(&self.exposures, log).await;
        let mut attempt = Attempt {
            invalid: std::mem::take(&mut self.invalid),
            ..Attempt::default()
        };
        let (mut failed, mut problem) = (Vec::new(), None);
        for (index, result) in results.into_iter().enumerate() {
            match result {
                Ok(()) => {
                    attempt.written += 1;
                    attempt.served_at_of_first_written = attempt
                        .served_at_of_first_written
                        .or_else(|| self.exposures.created(index));
                }
                Err(WriteExposureError::Store(error @ StoreError::Refused { .. })) => {
                    attempt.refused_by_store.get_or_insert((0, error)).0 += 1;
                }
                // An operator can correct the set-up, and repair files: the exposure is valid.
                Err(WriteExposureError::Store(error)) => {
                    failed.push(index);
                    problem.get_or_insert(error);
                }
                Err(_) => attempt.invalid += 1,
            }
        }
        let is_rest = attempt.written > 0;
        attempt.failed = problem.map(|problem| (self.retry(&failed, is_rest), problem));
        attempt
    }

    /// Returns the exposures with these indices as a batch that is due after the next pause. If nothing was written, it keeps its
    /// id: the exposure log may have it nevertheless.
    fn retry(self, indices: &[usize], is_rest: bool) -> Self {
        let id = if is_rest {
            new_id()
        } else {
            self.exposures.id()
        };
        Self {
            is_rest: self.is_rest || is_rest,
            exposures: if indices.len() == self.len() {
                self.exposures
            } else {
                self.exposures.select(id, indices)
            },
            invalid: 0,
            attempts: self.attempts + 1,
            due: Instant::now() + BACKOFF.delay(self.attempts, fastrand::f64()),
        }
    }
}

/// An id that no other batch has; later ones are greater while the clock goes forward.
fn new_id() -> BatchId {
    id_at(SystemClock.now(), fastrand::u64(..))
}

fn id_at(now: Timestamp, random: u64) -> BatchId {
    let micros = now.unix_micros().cast_unsigned();
    BatchId((u128::from(micros) << 64) + u128::from(random))
}

/// Appends the exposures; returns their results in their order.
async fn append_all(exposures: &ExposureBatch, log: &dyn ExposureLog) -> Vec<AppendResult> {
    let appended = AssertUnwindSafe(async { log.append(exposures).await });
    let results = appended.catch_unwind().await;
    let panicked = |_| {
        (0..exposures.len())
            .map(|_| Err(panicked().into()))
            .collect()
    };
    results.unwrap_or_else(panicked)
}

/// The exposures are dropped: they would panic again, and hold up others.
fn panicked() -> StoreError {
    StoreError::Refused {
        source: "the adapter of the store panicked".into(),
    }
}

#[cfg(test)]
mod tests {
    use flag_store::scripted::{ScriptedLog, Step};
    use tokio::time::advance;

    use super::*;
    use crate::exposures::chunk::ServedDecision;
    use crate::exposures::tests::{batch_of, decided, format, rest_of, served};

    /// A log that fails these exposures of each batch, by their places.
    fn failing(places: &'static [usize]) -> ScriptedLog {
        let log = ScriptedLog::default();
        log.script(move |_| async move {
            let last = places.iter().max().map_or(0, |last| last + 1);
            let fails = |place| places.contains(&place);
            let error = |place| {
                fails(place).then(|| StoreError::Unavailable {
                    source: "for the test".into(),
                })
            };
            Step::FailOf((0..last).map(error).collect())
        });
        log
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_that_failed_as_a_whole_keeps_its_id_and_is_no_rest() {
        let batch = batch_of(2);
        let id = batch.exposures.id();
        let attempt = batch.write(&failing(&[0, 1])).await;
        let (batch, _) = attempt.failed.unwrap();
        assert_eq!(
            (attempt.written, attempt.served_at_of_first_written),
            (0, None)
        );
        assert_eq!((batch.len(), batch.exposures.id()), (2, id));
        assert!(!batch.is_rest && !batch.is_due());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_left_of_a_batch_is_a_rest_with_another_id_until_it_is_written() {
        let batch = batch_of(3);
        let id = batch.exposures.id();
        let attempt = batch.write(&failing(&[0, 2])).await;
        let served = Timestamp::parse("2026-11-22 10:00:00").unwrap();
        assert_eq!(
            (attempt.written, attempt.served_at_of_first_written),
            (1, Some(served))
        );
        let (rest, _) = attempt.failed.unwrap();
        let of_rest = rest.exposures.id();
        assert_ne!(of_rest, id);
        let (rest, _) = rest.write(&failing(&[0, 1])).await.failed.unwrap();
        assert_eq!((rest.len(), rest.exposures.id()), (2, of_rest));
        assert!(rest.is_rest);
        let attempt = rest.write(&failing(&[])).await;
        assert_eq!(attempt.written, 2);
        assert!(attempt.failed.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_be_stored_is_counted_once_as_invalid() {
        let flag = decided();
        let valid = served(&flag, "A");
        let (nobody, endless) = ("", "x".repeat(5_000));
        let mut chunk = Chunk::new();
        for instance in [nobody, "A", nobody] {
            chunk.push(ServedDecision { instance, ..valid });
        }
        for request_id in [&*endless, &*endless] {
            chunk.push(ServedDecision {
                request_id,
                ..valid
            });
        }
        let attempt = PendingBatch::new(&chunk, &format())
            .write(&failing(&[0]))
            .await;
        assert_eq!((attempt.written, attempt.invalid), (0, 4));
        let (batch, _) = attempt.failed.unwrap();
        let attempt = batch.write(&failing(&[])).await;
        assert_eq!((attempt.written, attempt.invalid), (1, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn only_rests_are_joined_and_only_while_they_fit() {
        let (two, three) = (rest_of(2).await, rest_of(3).await);
        let whole = batch_of(2);
        assert!(two.may_append(&three, 5));
        assert!(!two.may_append(&three, 4) && !three.may_append(&two, 4));
        assert!(!two.may_append(&whole, 5) && !whole.may_append(&two, 5));
        assert!(!whole.may_append(&batch_of(2), 5));
    }

    #[tokio::test(start_paused = true)]
    async fn joined_rests_have_the_exposures_of_both_and_the_longer_pause() {
        let (mut one, mut other) = (rest_of(2).await, rest_of(3).await);
        for _ in 0..4 {
            other = other.write(&failing(&[0, 1, 2])).await.failed.unwrap().0;
        }
        one.append(other);
        assert_eq!(one.len(), 5);
        let began = Instant::now();
        let (failed, _) = one.write(&failing(&[0, 1, 2, 3, 4])).await.failed.unwrap();
        assert!(
            failed.due >= began + Duration::from_secs(1),
            "the pause after five attempts"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_is_due_after_its_pause_and_its_pause_can_be_shortened() {
        let mut batch = batch_of(1);
        assert!(batch.is_due());
        for _ in 0..6 {
            batch = batch.write(&failing(&[0])).await.failed.unwrap().0;
        }
        advance(Duration::from_millis(999)).await;
        assert!(!batch.is_due(), "half of two seconds");
        batch.due = Instant::now() + Duration::from_mins(1);
        batch.shorten_pause();
        advance(Duration::from_millis(99)).await;
        assert!(!batch.is_due());
        advance(Duration::from_millis(1)).await;
        assert!(batch.is_due());
        batch.shorten_pause();
        assert!(batch.is_due(), "it never becomes longer");
    }

    #[test]
    fn ids_follow_the_clock_and_differ_within_a_moment() {
        let [now, later] = [5, 6].map(|micros| Timestamp::from_unix_micros(micros).unwrap());
        assert!(id_at(now, 0).0 < id_at(now, 1).0);
        assert!(id_at(now, 1).0 < id_at(now, u64::MAX).0);
        assert!(id_at(now, u64::MAX).0 < id_at(later, 0).0);
    }

    #[test]
    fn pauses_double_from_100_ms_to_2_s_and_half_of_each_is_random() {
        let millis =
            |random| [0, 1, 4, 5, 40].map(|attempts| BACKOFF.delay(attempts, random).as_millis());
        assert_eq!(millis(1.0), [100, 200, 1_600, 2_000, 2_000]);
        assert_eq!(millis(0.0), [50, 100, 800, 1_000, 1_000]);
    }
}

//! The queue of exposures: requests append, the writer takes chunks.
//!
//! One short lock protects exposures and counts, so that this law always holds, as the test of that name checks:
//! - `produced_is_written_and_dropped_and_pending`

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::chunk::{Chunk, ServedDecision};

/// The mean bytes of texts per exposure; times the capacity, the limit of the queue in bytes.
const TEXT_BYTES: usize = 200;

/// The result of appending an exposure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// It waits to be written.
    Waits,
    /// The queue was full.
    Dropped,
}

/// Why an exposure was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dropped {
    /// The queue was full.
    QueueFull,
    /// It is invalid.
    Invalid,
    /// The store refused it for good.
    Refused,
}

impl Dropped {
    /// Every reason.
    pub(crate) const ALL: [Self; 3] = [Self::QueueFull, Self::Invalid, Self::Refused];

    /// Returns its label in metrics.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::Invalid => "invalid",
            Self::Refused => "refused",
        }
    }
}

/// Counts of exposures at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Served decisions to log.
    pub(crate) produced: u64,
    /// Those that were written.
    pub(crate) written: u64,
    /// Those that were dropped.
    pub(crate) dropped: DroppedCounts,
    /// Those that wait or are being written.
    pub(crate) pending: usize,
}

/// Counts of dropped exposures by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct DroppedCounts {
    /// See [`Dropped::QueueFull`].
    pub(crate) queue_full: u64,
    /// See [`Dropped::Invalid`].
    pub(crate) invalid: u64,
    /// See [`Dropped::Refused`].
    pub(crate) refused: u64,
}

impl DroppedCounts {
    /// Returns the count of a reason.
    pub(crate) fn of(&self, reason: Dropped) -> u64 {
        match reason {
            Dropped::QueueFull => self.queue_full,
            Dropped::Invalid => self.invalid,
            Dropped::Refused => self.refused,
        }
    }
}

/// How many exposures of a batch were written, and how many dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct BatchResult {
    /// How many were written.
    pub(crate) written: u64,
    /// How many are invalid.
    pub(crate) invalid: u64,
    /// How many the store refused.
    pub(crate) refused: u64,
}

/// Which chunks the writer takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DrainMode {
    /// Only full chunks.
    Full,
    /// Also the growing chunk.
    Any,
}

/// The queue of exposures, bounded in number and bytes.
#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    capacity: usize,
    has_full: Notify,
}

#[derive(Debug)]
struct State {
    growing: Chunk,
    full: VecDeque<Chunk>,
    /// The exposures in `full`.
    queued: usize,
    /// The bytes of texts in `full`.
    text_bytes: usize,
    /// The exposures that the writer has taken and not finished.
    taken: usize,
    produced: u64,
    written: u64,
    dropped: DroppedCounts,
}

impl State {
    fn pending(&self) -> usize {
        self.growing.len() + self.queued + self.taken
    }

    fn has_capacity(&self, capacity: usize, bytes: usize) -> bool {
        let texts = self.text_bytes + self.growing.text_bytes() + bytes;
        self.pending() < capacity && texts <= capacity.saturating_mul(TEXT_BYTES).max(bytes)
    }
}

impl Queue {
    /// Creates a queue for at most `capacity` pending exposures.
    pub(crate) fn new(capacity: usize) -> Self {
        let state = State {
            growing: Chunk::new(),
            full: VecDeque::new(),
            queued: 0,
            text_bytes: 0,
            taken: 0,
            produced: 0,
            written: 0,
            dropped: DroppedCounts::default(),
        };
        Self {
            state: Mutex::new(state),
            capacity,
            has_full: Notify::new(),
        }
    }

    /// Returns the most pending exposures.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Appends an exposure, or drops it if the queue is full. Never waits for the writer.
    pub(crate) fn push(&self, served: ServedDecision<'_>) -> Pushed {
        let mut state = self.state();
        state.produced += 1;
        if !state.has_capacity(self.capacity, served.text_bytes()) {
            state.dropped.queue_full += 1;
            return Pushed::Dropped;
        }
        state.growing.push(served);
        if state.growing.is_full() {
            state.seal(Chunk::new());
            drop(state);
            self.has_full.notify_one();
        }
        Pushed::Waits
    }

    /// Takes the oldest chunk. The writer must [`finish`](Self::finish) each of its exposures.
    pub(crate) fn take(&self, mode: DrainMode) -> Option<Chunk> {
        // Allocated before the lock is taken, as the writer runs at idle priority.
        let fresh = (mode == DrainMode::Any).then(Chunk::new);
        let mut state = self.state();
        if let Some(fresh) = fresh
            && state.full.is_empty()
            && state.growing.len() > 0
        {
            state.seal(fresh);
        }
        let chunk = state.full.pop_front()?;
        state.queued -= chunk.len();
        state.text_bytes -= chunk.text_bytes();
        state.taken += chunk.len();
        Some(chunk)
    }

    /// Notes the result of exposures that were taken.
    pub(crate) fn finish(&self, result: BatchResult) {
        let BatchResult {
            written,
            invalid,
            refused,
        } = result;
        let mut state = self.state();
        state.written += written;
        state.dropped.invalid += invalid;
        state.dropped.refused += refused;
        let finished = usize::try_from(written + invalid + refused).unwrap_or(usize::MAX);
        state.taken = state.taken.saturating_sub(finished);
    }

    /// Waits until a chunk has become full since the last call.
    pub(crate) async fn chunk_full(&self) {
        self.has_full.notified().await;
    }

    /// Returns the counts of all exposures.
    pub(crate) fn counts(&self) -> Counts {
        let state = self.state();
        Counts {
            produced: state.produced,
            written: state.written,
            dropped: state.dropped,
            pending: state.pending(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Moves the growing chunk to the full ones, and begins another.
    fn seal(&mut self, fresh: Chunk) {
        let chunk = std::mem::replace(&mut self.growing, fresh);
        self.queued += chunk.len();
        self.text_bytes += chunk.text_bytes();
        self.full.push_back(chunk);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use flag_store::BatchId;

    use super::*;
    use crate::exposures::tests::{decided, format, served};

    /// What was written, dropped and pending, together.
    fn accounted(counts: Counts) -> u64 {
        let dropped: u64 = Dropped::ALL
            .map(|reason| counts.dropped.of(reason))
            .iter()
            .sum();
        counts.written + dropped + counts.pending as u64
    }

    #[test]
    fn produced_is_written_and_dropped_and_pending() {
        const PRODUCERS: usize = 3;
        const EACH: u64 = 30_000;
        let queue = Queue::new(2_000);
        let decided = decided();
        let is_over = AtomicBool::new(false);
        thread::scope(|threads| {
            let producers: Vec<_> = (0..PRODUCERS)
                .map(|_| {
                    threads.spawn(|| {
                        for _ in 0..EACH {
                            queue.push(served(&decided, "A12345"));
                        }
                    })
                })
                .collect();
            threads.spawn(|| {
                while !is_over.load(Ordering::Relaxed) || queue.counts().pending > 0 {
                    let Some(chunk) = queue.take(DrainMode::Any) else {
                        continue;
                    };
                    let taken = chunk.len() as u64;
                    let (invalid, refused) = (taken / 7, taken / 5);
                    queue.finish(BatchResult {
                        invalid,
                        ..BatchResult::default()
                    });
                    queue.finish(BatchResult {
                        written: taken - invalid - refused,
                        invalid: 0,
                        refused,
                    });
                }
            });
            threads.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    let counts = queue.counts();
                    assert_eq!(counts.produced, accounted(counts), "{counts:?}");
                    assert!(counts.pending <= 2_000);
                }
            });
            for producer in producers {
                producer.join().unwrap();
            }
            is_over.store(true, Ordering::Relaxed);
        });
        let counts = queue.counts();
        assert_eq!(counts.produced, EACH * PRODUCERS as u64);
        assert_eq!((counts.produced, counts.pending), (accounted(counts), 0));
    }

    #[test]
    fn a_full_queue_drops_what_comes_and_keeps_what_waits() {
        let queue = Queue::new(2);
        let decided = decided();
        for instance in ["A1", "A2", "A3"] {
            queue.push(served(&decided, instance));
        }
        let counts = queue.counts();
        assert_eq!((counts.pending, counts.dropped.queue_full), (2, 1));
        let chunk = queue.take(DrainMode::Any).unwrap();
        let (batch, _) = chunk.batch(BatchId(1), &format());
        let kept: Vec<&str> = batch.entries().map(|entry| entry.instance).collect();
        assert_eq!(kept, ["A1", "A2"]);
        queue.push(served(&decided, "A4"));
        assert_eq!(
            queue.counts().dropped.queue_full,
            2,
            "what was taken counts"
        );
        queue.finish(BatchResult {
            written: 2,
            ..BatchResult::default()
        });
        queue.push(served(&decided, "A5"));
        assert_eq!(queue.counts().pending, 1);
    }

    #[test]
    fn long_texts_fill_a_queue_too() {
        let queue = Queue::new(1_000);
        let decided = decided();
        let long = "x".repeat(512);
        for _ in 0..1_000 {
            queue.push(served(&decided, &long));
        }
        let counts = queue.counts();
        assert!(counts.dropped.queue_full > 500, "{counts:?}");
        assert!(counts.pending * 512 <= 1_000 * TEXT_BYTES);
    }

    #[tokio::test]
    async fn a_full_chunk_wakes_the_writer() {
        let queue = Arc::new(Queue::new(10_000));
        let decided = decided();
        for _ in 0..super::super::chunk::CHUNK {
            assert!(queue.take(DrainMode::Full).is_none());
            queue.push(served(&decided, "A12345"));
        }
        queue.chunk_full().await;
        assert!(queue.take(DrainMode::Full).is_some());
    }
}

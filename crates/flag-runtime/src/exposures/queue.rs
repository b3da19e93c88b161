//! The queue of exposures: requests append, the writer takes chunks.
//!
//! One short lock protects exposures and counts, so that this law always holds, as the test of that name checks:
//! - `produced_is_written_and_dropped_and_pending`
//!
//! A request that waits for room hands its exposure over, and the writer moves it into the queue once there is room. So the
//! order of arrival is kept, no request is woken in vain, and none takes the lock to look again.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::timeout;

use super::chunk::{Chunk, ServedDecision};
use super::overflow::Overflow;
use super::waiting::{OwnedServedDecision, Ticket, WaitingExposure, WaitingQueue};

/// How many bytes of texts an exposure may have on average: the queue holds at most this times its capacity.
const TEXT_BYTES: usize = 200;

/// The result of appending an exposure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// It will be written.
    Accepted,
    /// The queue was full, and it is dropped.
    Dropped,
    /// The queue was full, and its request must wait for room; it is not counted.
    NoRoom,
}

/// Why an exposure was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DropReason {
    /// The queue was full.
    QueueFull,
    /// It is invalid.
    Invalid,
    /// The store refused it for good.
    RefusedByStore,
}

impl DropReason {
    /// Every reason.
    pub(crate) const ALL: [Self; 3] = [Self::QueueFull, Self::Invalid, Self::RefusedByStore];

    /// Returns its label in metrics.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::Invalid => "invalid",
            Self::RefusedByStore => "refused",
        }
    }
}

/// Counts of exposures at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct QueueTotals {
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
    /// See [`DropReason::QueueFull`].
    pub(crate) queue_full: u64,
    /// See [`DropReason::Invalid`].
    pub(crate) invalid: u64,
    /// See [`DropReason::RefusedByStore`].
    pub(crate) refused_by_store: u64,
}

impl DroppedCounts {
    /// Returns the count of a reason.
    pub(crate) fn of(&self, reason: DropReason) -> u64 {
        match reason {
            DropReason::QueueFull => self.queue_full,
            DropReason::Invalid => self.invalid,
            DropReason::RefusedByStore => self.refused_by_store,
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
    pub(crate) refused_by_store: u64,
}

/// Which chunks the writer takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TakeChunk {
    /// Only sealed chunks.
    SealedOnly,
    /// Also the open chunk.
    AlsoOpen,
}

/// The queue of exposures, bounded in number and bytes.
#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    capacity: usize,
    overflow: Overflow,
    sealed_notify: Notify,
}

#[derive(Debug)]
struct State {
    open: Chunk,
    sealed: VecDeque<Chunk>,
    /// The exposures in `sealed`.
    sealed_exposures: usize,
    /// The bytes of texts in `sealed`.
    sealed_text_bytes: usize,
    /// The exposures that the writer has taken and not finished.
    taken: usize,
    /// Not counted before they are accepted.
    waiting: WaitingQueue,
    produced: u64,
    written: u64,
    dropped: DroppedCounts,
}

impl Queue {
    /// Creates a queue for at most `capacity` pending exposures.
    pub(crate) fn new(capacity: usize, overflow: Overflow) -> Self {
        let state = State {
            open: Chunk::new(),
            sealed: VecDeque::new(),
            sealed_exposures: 0,
            sealed_text_bytes: 0,
            taken: 0,
            waiting: WaitingQueue::default(),
            produced: 0,
            written: 0,
            dropped: DroppedCounts::default(),
        };
        Self {
            state: Mutex::new(state),
            capacity,
            overflow,
            sealed_notify: Notify::new(),
        }
    }

    /// Returns the most pending exposures.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Returns how many requests wait for room.
    pub(crate) fn waiting(&self) -> usize {
        self.state().waiting.len()
    }

    /// Appends an exposure if there is room. Never waits for the writer.
    pub(crate) fn push(&self, served: ServedDecision<'_>) -> Pushed {
        let mut state = self.state();
        if state.has_room(self.capacity, &served) {
            self.append(state, served);
            return Pushed::Accepted;
        }
        match self.overflow {
            Overflow::Wait(_) => Pushed::NoRoom,
            Overflow::Drop => {
                state.produced += 1;
                state.dropped.queue_full += 1;
                Pushed::Dropped
            }
        }
    }

    /// Appends an exposure once there is room, after those that wait already; returns whether there was room in time.
    ///
    /// If the future is dropped, the exposure waits no longer; it is logged if it was accepted before.
    pub(crate) async fn push_waiting(&self, decision: OwnedServedDecision) -> bool {
        let max = match self.overflow {
            Overflow::Wait(max) => max,
            Overflow::Drop => Duration::ZERO,
        };
        let Some((mut place, acceptance)) = self.append_or_enqueue(decision) else {
            return true;
        };
        let _ = timeout(max, acceptance).await;
        !place.leave()
    }

    /// Adds an exposure to those that wait; `None` if it was accepted at once.
    fn append_or_enqueue(
        &self,
        decision: OwnedServedDecision,
    ) -> Option<(Place<'_>, oneshot::Receiver<()>)> {
        let mut state = self.state();
        if state.has_room(self.capacity, &decision.as_served()) {
            self.append(state, decision.as_served());
            return None;
        }
        let (ticket, acceptance) = state.waiting.add(decision);
        // Otherwise a queue that is smaller than a chunk would wait for the next flush.
        let has_sealed = state.sealed.is_empty() && state.seal(Chunk::new());
        drop(state);
        self.wake_writer(has_sealed);
        let place = Place {
            queue: self,
            ticket: Some(ticket),
        };
        Some((place, acceptance))
    }

    fn append(&self, mut state: MutexGuard<'_, State>, served: ServedDecision<'_>) {
        let has_sealed = state.append(served);
        drop(state);
        self.wake_writer(has_sealed);
    }

    fn wake_writer(&self, has_sealed: bool) {
        if has_sealed {
            self.sealed_notify.notify_one();
        }
    }

    /// Takes the oldest chunk. The writer must [`finish`](Self::finish) each of its exposures.
    pub(crate) fn take(&self, mode: TakeChunk) -> Option<Chunk> {
        // Allocated before the lock is taken, as the writer may run at idle priority.
        let fresh = (mode == TakeChunk::AlsoOpen).then(Chunk::new);
        let mut state = self.state();
        if let Some(fresh) = fresh
            && state.sealed.is_empty()
        {
            state.seal(fresh);
        }
        let chunk = state.sealed.pop_front()?;
        state.sealed_exposures -= chunk.len();
        state.sealed_text_bytes -= chunk.text_bytes();
        state.taken += chunk.len();
        // There may be room in bytes now.
        self.accept_waiting(state);
        Some(chunk)
    }

    /// Notes the result of exposures that were taken.
    pub(crate) fn finish(&self, result: BatchResult) {
        let BatchResult {
            written,
            invalid,
            refused_by_store,
        } = result;
        let mut state = self.state();
        state.written += written;
        state.dropped.invalid += invalid;
        state.dropped.refused_by_store += refused_by_store;
        let finished = usize::try_from(written + invalid + refused_by_store).unwrap_or(usize::MAX);
        state.taken = state.taken.saturating_sub(finished);
        self.accept_waiting(state);
    }

    /// Appends waiting exposures while there is room, and notifies their requests.
    fn accept_waiting(&self, mut state: MutexGuard<'_, State>) {
        let mut has_sealed = false;
        let mut notifiers = Vec::new();
        while let Some(WaitingExposure {
            decision, notifier, ..
        }) = state.next_with_room(self.capacity)
        {
            has_sealed |= state.append(decision.as_served());
            notifiers.push(notifier);
        }
        // What requests wait for must not wait for a chunk to become full.
        if !state.waiting.is_empty() && state.sealed.is_empty() {
            has_sealed |= state.seal(Chunk::new());
        }
        drop(state);
        self.wake_writer(has_sealed);
        for notifier in notifiers {
            // The request may be gone by now.
            let _ = notifier.send(());
        }
    }

    /// Waits until a chunk has been sealed since the last call.
    pub(crate) async fn chunk_sealed(&self) {
        self.sealed_notify.notified().await;
    }

    /// Returns the counts of all exposures.
    pub(crate) fn totals(&self) -> QueueTotals {
        let state = self.state();
        QueueTotals {
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
    fn pending(&self) -> usize {
        self.open.len() + self.sealed_exposures + self.taken
    }

    /// Whether there is room for an exposure, and none waits for it.
    fn has_room(&self, capacity: usize, served: &ServedDecision<'_>) -> bool {
        self.fits(capacity, served) && self.waiting.is_empty()
    }

    fn fits(&self, capacity: usize, served: &ServedDecision<'_>) -> bool {
        let bytes = served.text_bytes();
        let texts = self.sealed_text_bytes + self.open.text_bytes() + bytes;
        self.pending() < capacity && texts <= capacity.saturating_mul(TEXT_BYTES).max(bytes)
    }

    /// Takes the first waiting exposure if there is room for it.
    fn next_with_room(&mut self, capacity: usize) -> Option<WaitingExposure> {
        let mut waiting = std::mem::take(&mut self.waiting);
        let first = waiting.take_first_if(|served| self.fits(capacity, served));
        self.waiting = waiting;
        first
    }

    /// Appends an exposure, and counts it; whether a chunk was sealed.
    fn append(&mut self, served: ServedDecision<'_>) -> bool {
        self.produced += 1;
        self.open.push(served);
        self.open.is_full() && self.seal(Chunk::new())
    }

    /// Seals the open chunk, unless it is empty, and begins another; whether it did.
    fn seal(&mut self, fresh: Chunk) -> bool {
        if self.open.len() == 0 {
            return false;
        }
        let chunk = std::mem::replace(&mut self.open, fresh);
        self.sealed_exposures += chunk.len();
        self.sealed_text_bytes += chunk.text_bytes();
        self.sealed.push_back(chunk);
        true
    }
}

/// The place of a waiting exposure, which it leaves when this is dropped.
struct Place<'a> {
    queue: &'a Queue,
    ticket: Option<Ticket>,
}

impl Place<'_> {
    /// Leaves the place; whether the exposure still waited.
    fn leave(&mut self) -> bool {
        let ticket = self.ticket.take();
        ticket.is_some_and(|ticket| self.queue.state().waiting.remove(ticket))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.leave();
    }
}

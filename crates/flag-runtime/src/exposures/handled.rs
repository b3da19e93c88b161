//! The proof that the exposure of an answer was handled, so that the answer may be given.

#[cfg(test)]
mod tests;

use super::ExposureRecorder;
use super::dedup::DedupEntry;
use super::waiting::OwnedServedDecision;

/// Proof that an answer may be given: its exposure is accepted, dropped and counted, or left out as a duplicate; or it needs none.
#[derive(Debug)]
#[must_use = "an answer needs it"]
pub struct ExposureHandled(());

/// There was no room for an exposure in time, so its answer must not be given. It is not counted as produced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no room for the exposure")]
pub struct QueueFull;

/// An exposure that must wait for room in the queue before its answer may be given.
#[derive(Debug)]
pub struct WaitForRoom<'a>(Box<Waiting<'a>>);

#[derive(Debug)]
struct Waiting<'a> {
    recorder: &'a ExposureRecorder,
    decision: OwnedServedDecision,
    /// What deduplication remembers then.
    dedup_entry: Option<DedupEntry>,
}

impl ExposureHandled {
    /// For an answer that needs no exposure: to a HEAD request, or while exposures are not logged.
    pub const NONE_NEEDED: Self = Self(());

    /// For an exposure that is accepted, dropped or deduplicated.
    pub(super) const DONE: Self = Self(());
}

impl<'a> WaitForRoom<'a> {
    pub(super) fn new(
        recorder: &'a ExposureRecorder,
        decision: OwnedServedDecision,
        dedup_entry: Option<DedupEntry>,
    ) -> Self {
        Self(Box::new(Waiting {
            recorder,
            decision,
            dedup_entry,
        }))
    }

    /// Waits for room in the queue, as long as the settings allow.
    ///
    /// Dropping the future gives up the place, and the exposure if it is not accepted by then.
    pub async fn wait(self) -> Result<ExposureHandled, QueueFull> {
        let Waiting {
            recorder,
            decision,
            dedup_entry,
        } = *self.0;
        if !recorder.queue.push_waiting(decision).await {
            recorder.metrics.wait_timed_out.inc();
            return Err(QueueFull);
        }
        recorder.metrics.accepted_after_wait.inc();
        if let (Some(dedup), Some(entry)) = (&recorder.dedup, dedup_entry) {
            dedup.remember(entry);
        }
        Ok(ExposureHandled::DONE)
    }
}

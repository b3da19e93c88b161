//! The event stream of a client: the service announces changes, and what has changed expires in the cache.
//!
//! The stream only shortens what the cache would do by itself: without it lifetimes count.

mod apply_event;
pub(crate) mod change;
pub(crate) mod following;
pub(crate) mod pauses;
pub(crate) mod recent_changes;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::atomic_instant::AtomicInstant;
use crate::failure::Failure;
use crate::push::recent_changes::RecentChanges;
use crate::status::StreamState;

/// A stream without a byte for this long is dead: two and a half heartbeats of the service.
pub(crate) const SILENCE: Duration = Duration::from_secs(50);

/// Within which time prefetched flags that changed are fetched again, unless the application says otherwise.
pub(crate) const REFETCH_WITHIN: Duration = Duration::from_secs(2);

/// Whether a client opens a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PushMode {
    /// It does; prefetched flags that changed are fetched again at random within this time.
    On {
        /// How long at most.
        refetch_within: Duration,
    },
    /// It doesn't.
    Off,
}

/// The state of the stream, shared by the worker that reads it and the callers.
#[derive(Debug)]
pub(crate) struct Push {
    pub(crate) mode: PushMode,
    pub(crate) recent_changes: RecentChanges,
    is_started: AtomicBool,
    /// Until when the stream counts as good.
    trusted_until: AtomicInstant,
    progress: Mutex<StreamProgress>,
}

/// How far the stream has come.
#[derive(Clone, Debug)]
pub(crate) struct StreamProgress {
    pub(crate) stream: StreamState,
    /// The digest of the last event that the cache has applied.
    pub(crate) digest: Option<String>,
    pub(crate) last_received: Option<Instant>,
}

impl Push {
    pub(crate) fn new(mode: PushMode) -> Self {
        Self::with(mode, RecentChanges::default(), None)
    }

    /// The same for a forked process, which has no stream yet, but the cached values that correspond to the digest.
    pub(crate) fn after_fork(&self) -> Self {
        let digest = self
            .progress
            .try_lock()
            .ok()
            .and_then(|progress| progress.digest.clone());
        Self::with(self.mode, self.recent_changes.after_fork(), digest)
    }

    fn with(mode: PushMode, recent_changes: RecentChanges, digest: Option<String>) -> Self {
        let stream = match mode {
            PushMode::On { .. } => StreamState::Idle,
            PushMode::Off => StreamState::Off,
        };
        Self {
            mode,
            recent_changes,
            is_started: AtomicBool::new(false),
            trusted_until: AtomicInstant::passed(),
            progress: Mutex::new(StreamProgress {
                stream,
                digest,
                last_received: None,
            }),
        }
    }

    /// Claims the start of the stream, once for each process; returns whether the caller has to start it.
    pub(crate) fn claim_start(&self) -> bool {
        self.mode != PushMode::Off
            && !self.is_started.load(Ordering::Relaxed)
            && !self.is_started.swap(true, Ordering::Relaxed)
    }

    /// Records that the stream could not be started; the next call tries again.
    pub(crate) fn could_not_start(&self, failure: Failure) {
        self.lost(failure);
        self.is_started.store(false, Ordering::Relaxed);
    }

    /// Whether a stream is open that would have announced a change, as long as its replica reaches the store. Waits for no lock
    /// and allocates nothing.
    pub(crate) fn is_trusted(&self, now: Instant) -> bool {
        self.trusted_until.is_after(now)
    }

    /// Records that a stream is being opened; returns the digest to begin with.
    pub(crate) fn connecting(&self) -> Option<String> {
        let mut progress = self.progress();
        progress.stream = StreamState::Connecting;
        progress.digest.clone()
    }

    /// Records that the service has sent something.
    pub(crate) fn note_received(&self, now: Instant) {
        let mut progress = self.progress();
        progress.last_received = Some(now);
        progress.stream = StreamState::Open;
        // The digest comes with the first event. Without it the cache may be older than the stream.
        if progress.digest.is_some() {
            self.trusted_until.set(now + SILENCE);
        }
    }

    /// Records the state that the cache now corresponds to.
    pub(crate) fn set_digest(&self, digest: &str) {
        if !digest.is_empty() {
            self.progress().digest = Some(digest.to_owned());
        }
    }

    /// Records that there is no stream, for this reason.
    pub(crate) fn lost(&self, failure: Failure) {
        let mut progress = self.progress();
        progress.stream = StreamState::Closed(failure);
        self.trusted_until.clear();
    }

    pub(crate) fn progress(&self) -> MutexGuard<'_, StreamProgress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds the locks.
    #[cfg(test)]
    pub(crate) fn hold(&self) -> impl Sized + '_ {
        (self.progress(), self.recent_changes.hold())
    }
}

//! A subscription to the events of a project.

use std::mem::replace;
use std::sync::Arc;

use flag_store::ProjectDigest;
use tokio::sync::watch;

use super::event::Event;
use super::metrics::EventMetrics;
use super::topic::LatestEvent;

/// A subscription to the events of a project. It holds no event: a subscriber that missed an event learns that any flag may
/// have changed.
#[derive(Debug)]
pub struct Subscription {
    latest: watch::Receiver<Option<Arc<LatestEvent>>>,
    /// The digest that the subscriber knew at the start.
    last_event_digest: Option<ProjectDigest>,
    /// The number of the last event that it saw; 0 for none.
    seen: u64,
    metrics: Arc<EventMetrics>,
}

impl Subscription {
    pub(super) fn new(
        latest: watch::Receiver<Option<Arc<LatestEvent>>>,
        last_event_digest: Option<ProjectDigest>,
        metrics: Arc<EventMetrics>,
    ) -> Self {
        Self {
            latest,
            last_event_digest,
            seen: 0,
            metrics,
        }
    }

    /// Waits until the state of the project is known: if the subscriber has another one, an event is there then. False if the
    /// process stops before that.
    pub async fn wait_until_known(&mut self) -> bool {
        self.latest.wait_for(Option::is_some).await.is_ok()
    }

    /// Waits for the next event; `None` after the last one, when the process is about to stop. Loses no event if it is
    /// cancelled.
    pub async fn next(&mut self) -> Option<Arc<Event>> {
        loop {
            let latest = self.latest.borrow_and_update().clone();
            if let Some(event) = latest.and_then(|latest| self.take(&latest)) {
                self.metrics.sent.inc();
                return Some(event);
            }
            self.latest.changed().await.ok()?;
        }
    }

    fn take(&mut self, latest: &LatestEvent) -> Option<Arc<Event>> {
        let seen = replace(&mut self.seen, latest.number);
        if seen == 0 {
            let resync = &latest.resync;
            let is_news = self.last_event_digest != Some(resync.digest);
            return is_news.then(|| Arc::clone(resync));
        }
        match latest.number - seen {
            0 => None,
            1 => Some(Arc::clone(&latest.event)),
            _ => {
                self.metrics.missed.inc();
                Some(Arc::clone(&latest.resync))
            }
        }
    }
}

//! Writes counts each minute, and when the service stops.

use std::sync::Arc;
use std::time::Duration;

use flag_model::{Backoff, Jitter};
use flag_store::{Clock, CountsWriterId, ExposureLog, MinuteCounts, StoreError};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{info, warn};

use super::{CountsMetrics, MinuteCounter, WriteResult};
use crate::causes::causes;

/// How often counts are written. A killed service loses those of this time.
const PERIOD: Duration = Duration::from_mins(1);

/// Pauses after failures.
const BACKOFF: Backoff = Backoff {
    first: Duration::from_secs(1),
    max: PERIOD,
    jitter: Jitter::between(0.5, 1.0),
};

/// The pause after a failure while the service stops.
const LAST_PAUSE: Duration = Duration::from_millis(200);

/// The most counts in one write.
const PART: usize = 500;

/// Writes the counts of a replica.
#[derive(Debug)]
pub(crate) struct CountsWriter {
    counts: Arc<MinuteCounter>,
    log: Arc<dyn ExposureLog>,
    clock: Arc<dyn Clock>,
    metrics: CountsMetrics,
    /// How many writes have failed in a row.
    failures: u32,
}

impl CountsWriter {
    /// Creates a writer; call `run`.
    pub(crate) fn new(
        counts: Arc<MinuteCounter>,
        log: Arc<dyn ExposureLog>,
        clock: Arc<dyn Clock>,
        metrics: CountsMetrics,
    ) -> Self {
        Self {
            counts,
            log,
            clock,
            metrics,
            failures: 0,
        }
    }

    /// Writes each minute until `close` is sent or dropped, and then until everything is written. Replicas write at
    /// different moments of the minute.
    pub(crate) async fn run(mut self, mut close: oneshot::Receiver<()>) {
        let mut due = Instant::now() + Jitter::FULL.apply(PERIOD, fastrand::f64());
        loop {
            tokio::select! {
                () = sleep_until(due) => {}
                _ = &mut close => break,
            }
            self.write_all().await;
            let pause = match self.failures.checked_sub(1) {
                None => PERIOD,
                Some(failures) => BACKOFF.delay(failures, fastrand::f64()),
            };
            due = Instant::now() + pause;
        }
        self.drain().await;
    }

    /// Writes until everything is written.
    pub(crate) async fn drain(mut self) {
        self.write_all().await;
        while self.failures > 0 {
            sleep(LAST_PAUSE).await;
            self.write_all().await;
        }
    }

    /// Writes all counts that are not written, or up to the first failure.
    async fn write_all(&mut self) {
        while let Some((writer, part)) = self.counts.take(PART) {
            self.write(writer, &part).await;
            if self.failures > 0 {
                break;
            }
        }
        self.counts.forget(self.clock.now());
        self.metrics.lost.inc_by(self.counts.take_lost());
    }

    async fn write(&mut self, writer: CountsWriterId, part: &[MinuteCounts]) {
        match self.log.write_counts(writer, part).await {
            Ok(()) => {
                self.counts.finish(part, WriteResult::Yes);
                self.metrics.written.inc();
                if self.failures > 0 {
                    info!("counts of exposures are written again");
                }
                self.failures = 0;
            }
            Err(error) => {
                self.metrics.failed.inc();
                self.counts.finish(part, WriteResult::No);
                self.note_failure(&error);
            }
        }
    }

    /// Logs once when writes begin to fail.
    fn note_failure(&mut self, error: &StoreError) {
        if self.failures == 0 {
            warn!(problem = %error, cause = causes(error), "counts of exposures cannot be written; they are kept and written later");
        }
        self.failures = self.failures.saturating_add(1);
    }
}

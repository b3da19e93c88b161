//! Waiting for another writer, and how long one has been waited for oneself.

use std::sync::Arc;
use std::time::Duration;

use flag_model::Timestamp;
use tokio::time::Instant;

use super::CLAIM_HOLDS;
use crate::clock::Clock;

/// How long ago something was, by whichever clock says more: the monotonic one stands still while a machine sleeps.
pub(super) struct Age {
    since: Instant,
    wall: Timestamp,
    clock: Arc<dyn Clock>,
}

impl Age {
    /// Begins now.
    pub(super) fn new(clock: &Arc<dyn Clock>) -> Self {
        Self {
            since: Instant::now(),
            wall: clock.now(),
            clock: Arc::clone(clock),
        }
    }

    /// How long ago that was.
    pub(super) fn get(&self) -> Duration {
        let micros = self
            .clock
            .now()
            .unix_micros()
            .saturating_sub(self.wall.unix_micros());
        self.since
            .elapsed()
            .max(Duration::from_micros(u64::try_from(micros).unwrap_or(0)))
    }
}

/// Watches another writer's claim, by this machine's monotonic clock alone: nobody's wall clock matters.
#[derive(Default)]
pub(super) struct Watch {
    cell: Option<Vec<u8>>,
    since: Option<Instant>,
    pauses: u32,
}

impl Watch {
    /// Whether the claim has stood unchanged for long enough.
    pub(super) fn may_take_over(&mut self, cell: Option<&[u8]>) -> bool {
        if self.cell.as_deref() != cell {
            *self = Self {
                cell: cell.map(<[u8]>::to_vec),
                ..Self::default()
            };
        }
        self.since.get_or_insert_with(Instant::now).elapsed() >= CLAIM_HOLDS
    }

    /// How long to wait before looking again: 2 ms doubling to 250 ms, with jitter.
    pub(super) fn pause(&mut self) -> Duration {
        let pause = pause(self.pauses);
        self.pauses += 1;
        pause
    }
}

/// How long to wait before another attempt.
pub(crate) fn pause(attempt: u32) -> Duration {
    let millis = (2_u64 << attempt.min(7)).min(250);
    Duration::from_millis(millis).mul_f64(0.5 + fastrand::f64() / 2.0)
}

//! Waiting for another writer.

use std::time::Duration;

use tokio::time::Instant;

use super::CLAIM_HOLDS;

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
pub(super) fn pause(attempt: u32) -> Duration {
    let millis = (2_u64 << attempt.min(7)).min(250);
    Duration::from_millis(millis).mul_f64(0.5 + fastrand::f64() / 2.0)
}

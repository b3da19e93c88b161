//! Waiting for another writer, and the age of an own claim.

use std::sync::Arc;
use std::time::Duration;

use flag_model::{Backoff, Jitter, Timestamp};
use tokio::time::Instant;

use super::CLAIM_HOLDS;
use crate::clock::Clock;

/// Pauses between two looks at another writer's claim, and between two attempts of one's own.
const BACKOFF: Backoff = Backoff {
    first: Duration::from_millis(2),
    max: Duration::from_millis(250),
    jitter: Jitter::between(0.5, 1.0),
};

/// The time since an event, by whichever clock shows more: the monotonic one stops while a machine sleeps.
pub(super) struct ElapsedTime {
    since: Instant,
    wall: Timestamp,
    clock: Arc<dyn Clock>,
}

impl ElapsedTime {
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
        let by_the_wall = self.clock.now().since(self.wall);
        self.since.elapsed().max(by_the_wall)
    }
}

/// Watches another writer's claim, by the monotonic clock of this machine only; wall clocks don't matter.
#[derive(Default)]
pub(super) struct ClaimWait {
    cell: Option<Vec<u8>>,
    since: Option<Instant>,
    pauses: u32,
}

impl ClaimWait {
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

    /// How long to wait before looking again.
    pub(super) fn pause(&mut self) -> Duration {
        let pause = pause(self.pauses);
        self.pauses += 1;
        pause
    }
}

/// How long to wait before another attempt.
pub(crate) fn pause(attempt: u32) -> Duration {
    BACKOFF.delay(attempt, fastrand::f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_from_2_to_250_ms_and_half_of_each_is_random() {
        let millis =
            |random| [0, 1, 6, 7, 40].map(|attempt| BACKOFF.delay(attempt, random).as_millis());
        assert_eq!(millis(1.0), [2, 4, 128, 250, 250]);
        assert_eq!(millis(0.0), [1, 2, 64, 125, 125]);
    }
}

//! How long answers came from a revision after a newer one was created.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Parts of a power of two: percentiles are exact to 1/32.
const PARTS_LOG2: u32 = 5;

/// Durations, as a histogram: percentiles are rounded up by at most 3 %, the longest is exact.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lag {
    counts: BTreeMap<u64, u64>,
    worst: u64,
    count: u64,
}

impl Lag {
    /// Adds one.
    pub(crate) fn add(&mut self, lag: Duration) {
        let micros = u64::try_from(lag.as_micros()).unwrap_or(u64::MAX);
        *self.counts.entry(ceiling(micros)).or_default() += 1;
        self.worst = self.worst.max(micros);
        self.count += 1;
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The longest.
    pub fn worst(&self) -> Duration {
        Duration::from_micros(self.worst)
    }

    /// The given percentile.
    pub fn percentile(&self, percent: u64) -> Duration {
        let rank = u128::from(self.count) * u128::from(percent);
        let mut below = 0_u128;
        for (ceiling, count) in &self.counts {
            below += u128::from(*count) * 100;
            if below >= rank {
                return Duration::from_micros((*ceiling).min(self.worst));
            }
        }
        self.worst()
    }
}

/// The end of the part that a number of microseconds is in.
fn ceiling(micros: u64) -> u64 {
    let bits = u64::BITS - micros.leading_zeros();
    let dropped = bits.saturating_sub(PARTS_LOG2 + 1);
    let rest = (1_u64 << dropped) - 1;
    micros | rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_rounded_up_by_three_percent_at_most() {
        let mut lag = Lag::default();
        for millis in 1..=1_000 {
            lag.add(Duration::from_millis(millis));
        }
        for (percent, exact) in [(50, 500), (99, 990), (100, 1_000)] {
            let exact = Duration::from_millis(exact);
            let found = lag.percentile(percent);
            assert!(found >= exact && found <= exact.mul_f64(1.032), "{found:?}");
        }
        assert_eq!(lag.worst(), Duration::from_secs(1));
        assert_eq!(lag.count(), 1_000);
    }

    #[test]
    fn short_lags_are_exact() {
        let mut lag = Lag::default();
        lag.add(Duration::ZERO);
        lag.add(Duration::from_micros(63));
        assert_eq!(lag.percentile(50), Duration::ZERO);
        assert_eq!(lag.percentile(99), Duration::from_micros(63));
        assert_eq!(Lag::default().percentile(50), Duration::ZERO);
    }
}

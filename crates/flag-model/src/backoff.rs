//! How long to wait before another attempt.
//!
//! Knows no clock and no randomness: the caller brings a random number and does the waiting.
use std::time::Duration;

/// A range of factors, one of which changes a duration at random, so that many callers do not act at the same time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Jitter {
    /// The smallest factor.
    pub least: f64,
    /// The largest factor.
    pub max: f64,
}

/// Delays between attempts: the first delay, then twice as long after each further failure, up to a limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    /// The delay after the first failure, before jitter.
    pub first: Duration,
    /// The longest delay, before jitter.
    pub max: Duration,
    /// What changes each delay at random.
    pub jitter: Jitter,
}

impl Jitter {
    /// No change at all.
    pub const NONE: Self = Self::between(1.0, 1.0);

    /// Anything from nothing to the whole duration.
    pub const FULL: Self = Self::between(0.0, 1.0);

    /// A factor from `least` to `max`.
    pub const fn between(least: f64, max: f64) -> Self {
        Self { least, max }
    }

    /// Changes the duration by the factor that a random number from 0 to 1 selects.
    #[inline]
    pub fn apply(&self, duration: Duration, random: f64) -> Duration {
        let factor = self.least + (self.max - self.least) * random;
        Duration::try_from_secs_f64(duration.as_secs_f64() * factor).unwrap_or(Duration::MAX)
    }
}

impl Backoff {
    /// The delay after the first attempt has failed and `retries` further ones, for a random number from 0 to 1.
    pub fn delay(&self, retries: u32, random: f64) -> Duration {
        let doubled = 2_u32
            .checked_pow(retries)
            .and_then(|factor| self.first.checked_mul(factor));
        let delay = doubled.unwrap_or(Duration::MAX).min(self.max);
        self.jitter.apply(delay, random)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff = Backoff {
        first: Duration::from_millis(8),
        max: Duration::from_millis(250),
        jitter: Jitter::between(0.5, 1.0),
    };

    #[test]
    fn delays_double_up_to_a_limit() {
        let millis = [0, 1, 2, 4, 5, 31, 32, u32::MAX]
            .map(|retries| BACKOFF.delay(retries, 1.0).as_millis());
        assert_eq!(millis, [8, 16, 32, 128, 250, 250, 250, 250]);
    }

    #[test]
    fn the_random_number_selects_a_factor_of_the_range() {
        let delays = [0.0, 0.5, 1.0].map(|random| BACKOFF.delay(0, random).as_millis());
        assert_eq!(delays, [4, 6, 8]);
    }

    #[test]
    fn without_jitter_a_duration_stays_as_it_is() {
        let duration = Duration::from_millis(123);
        assert_eq!(Jitter::NONE.apply(duration, 0.7), duration);
    }

    #[test]
    fn a_delay_that_is_too_long_for_a_duration_is_the_longest_one() {
        let longer = Jitter::between(1.0, 1.2);
        assert_eq!(longer.apply(Duration::MAX, 1.0), Duration::MAX);
    }
}

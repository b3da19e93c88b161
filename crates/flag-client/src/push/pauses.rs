//! When to open a stream again after one has ended.
//!
//! Knows no clock and no randomness.

use std::time::Duration;

use flag_model::{Backoff, Jitter};

use crate::failure::Failure;

/// A stream that lasted for this long was good: the failures before it no longer count.
const GOOD: Duration = Duration::from_mins(1);

const FAILED: Backoff = Backoff {
    first: Duration::from_secs(1),
    max: Duration::from_secs(30),
    jitter: Jitter::FULL,
};

/// The range within which the service may spread clients whose streams it has ended. Changes are missed meanwhile, so
/// the end is short.
const SPREAD: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(4));

/// The pause after an API key was refused.
const REFUSED: Duration = Duration::from_mins(5);

/// The pause after a service, or what is in front of it, turned out to have no streams.
const MISSING: Duration = Duration::from_mins(10);

/// Long pauses take up to a fifth longer, so that clients do not all come back at once.
const LONGER: Jitter = Jitter::between(1.0, 1.2);

/// How a stream ended, or why there was none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StreamEnd {
    /// The service closed it, as it does from time to time.
    Closed,
    /// It could not be opened, was cut, or fell silent. The service may have said when to come back.
    Failed(Failure, Option<Duration>),
    /// The service does not accept the API key for it.
    Refused(Failure),
    /// The service has none: an older one, or one where they are switched off; or the answer is not of the service.
    Missing(Failure),
}

/// Decides when to open the next stream.
#[derive(Debug, Default)]
pub(crate) struct Pauses {
    /// In a row, since the last good stream.
    failures: u32,
}

impl Pauses {
    /// The pause after a stream that lasted this long, for a random number from 0 to 1. `retry` is what the service
    /// wants.
    pub(crate) fn after(
        &mut self,
        end: &StreamEnd,
        lasted: Duration,
        retry: Option<Duration>,
        random: f64,
    ) -> Duration {
        let wanted = match end {
            StreamEnd::Refused(_) => return LONGER.apply(REFUSED, random),
            StreamEnd::Missing(_) => return LONGER.apply(MISSING, random),
            StreamEnd::Failed(_, Some(wanted)) => LONGER.apply((*wanted).min(MISSING), random),
            StreamEnd::Failed(_, None) | StreamEnd::Closed => Duration::ZERO,
        };
        if lasted >= GOOD {
            self.failures = 0;
            let (least, max) = SPREAD;
            return Jitter::FULL.apply(retry.unwrap_or(least).clamp(least, max), random);
        }
        let delay = FAILED.delay(self.failures, random);
        self.failures = self.failures.saturating_add(1);
        delay.max(wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_secs(59);
    const LONG: Duration = Duration::from_mins(1);

    fn failed(wanted: Option<u64>) -> StreamEnd {
        StreamEnd::Failed(Failure::TimedOut, wanted.map(Duration::from_secs))
    }

    #[track_caller]
    fn check(ends: &[StreamEnd], lasted: Duration, retry: Option<u64>, expected: &[u64]) {
        let mut pauses = Pauses::default();
        let retry = retry.map(Duration::from_secs);
        let longest = ends
            .iter()
            .map(|end| pauses.after(end, lasted, retry, 1.0).as_secs());
        assert_eq!(longest.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn failures_in_a_row_double_the_pause_up_to_thirty_seconds() {
        check(
            &vec![failed(None); 8],
            SHORT,
            None,
            &[1, 2, 4, 8, 16, 30, 30, 30],
        );
        check(&vec![StreamEnd::Closed; 3], SHORT, Some(9), &[1, 2, 4]);
    }

    #[test]
    fn any_pause_up_to_that_is_possible() {
        let mut pauses = Pauses::default();
        for _ in 0..10 {
            assert_eq!(
                pauses.after(&failed(None), SHORT, None, 0.0),
                Duration::ZERO
            );
        }
    }

    #[test]
    fn a_good_stream_ends_the_failures() {
        let mut pauses = Pauses::default();
        for _ in 0..10 {
            pauses.after(&failed(None), SHORT, None, 1.0);
        }
        let mut after = |lasted| pauses.after(&failed(None), lasted, None, 1.0).as_secs();
        assert_eq!(
            [after(SHORT), after(LONG), after(SHORT), after(SHORT)],
            [30, 1, 1, 2]
        );
    }

    #[test]
    fn after_a_good_stream_the_service_spreads_its_clients() {
        check(&[StreamEnd::Closed], LONG, None, &[1]);
        check(&[StreamEnd::Closed], LONG, Some(0), &[1]);
        check(&[StreamEnd::Closed], LONG, Some(3), &[3]);
        check(&[StreamEnd::Closed], LONG, Some(10), &[4]);
        check(&[failed(None)], LONG, Some(3), &[3]);
    }

    #[test]
    fn a_refused_key_is_tried_again_after_five_minutes_and_a_missing_stream_after_ten() {
        let refused = StreamEnd::Refused(Failure::TimedOut);
        let missing = StreamEnd::Missing(Failure::TimedOut);
        let mut pauses = Pauses::default();
        let mut range = |end| {
            [0.0, 1.0].map(|random| pauses.after(end, Duration::ZERO, None, random).as_secs())
        };
        assert_eq!(range(&refused), [300, 360]);
        assert_eq!(range(&missing), [600, 720]);
    }

    #[test]
    fn a_service_that_says_when_to_come_back_is_obeyed_within_reason() {
        let mut pauses = Pauses::default();
        let mut least = |wanted| {
            pauses
                .after(&failed(Some(wanted)), SHORT, None, 0.0)
                .as_secs()
        };
        assert_eq!([least(0), least(7), least(100_000)], [0, 7, 600]);
    }
}

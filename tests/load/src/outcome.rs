//! The result of a load.
use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::connection::Answer;

/// The answers to a load, or to a second of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Latencies in microseconds, up to a minute, to two digits.
    pub latencies: Histogram<u32>,
    /// Answers by status; 0 counts the requests without an answer.
    pub statuses: BTreeMap<u16, u64>,
    /// Answers with the status that was expected.
    pub expected: u64,
    /// Answers with another status, and requests without an answer.
    pub failed: u64,
    /// Answers with the header `cache-status: stale`.
    pub stale: u64,
    /// Time from the start of the load to the last answer.
    pub lasted: Duration,
}

/// A second of a load.
#[derive(Debug)]
pub struct Second {
    /// Its number: the first one that counts is 0, those of the warm-up are negative.
    pub at: i64,
    /// Its answers.
    pub outcome: Outcome,
}

impl Outcome {
    /// No answers yet.
    ///
    /// # Errors
    ///
    /// None with the fixed bounds of the histogram; its constructor is fallible.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            latencies: Histogram::new_with_bounds(1, 60_000_000, 2).map_err(io::Error::other)?,
            statuses: BTreeMap::new(),
            expected: 0,
            failed: 0,
            stale: 0,
            lasted: Duration::ZERO,
        })
    }

    /// Adds the answers of a later part of the same load.
    ///
    /// # Errors
    ///
    /// None, as all outcomes have the same bounds.
    pub fn add(&mut self, other: &Self) -> io::Result<()> {
        let added = self.latencies.add(&other.latencies);
        added.map_err(io::Error::other)?;
        for (status, count) in &other.statuses {
            *self.statuses.entry(*status).or_default() += count;
        }
        self.expected += other.expected;
        self.failed += other.failed;
        self.stale += other.stale;
        self.lasted = self.lasted.max(other.lasted);
        Ok(())
    }

    /// Answers with this status; 0 stands for no answer.
    pub fn count(&self, status: u16) -> u64 {
        self.statuses.get(&status).copied().unwrap_or(0)
    }

    /// Requests that were not answered with this status.
    pub fn other_than(&self, status: u16) -> u64 {
        self.statuses.values().sum::<u64>() - self.count(status)
    }

    /// The latency that this share of the answers did not exceed; `0.99` for the 99th percentile.
    pub fn percentile(&self, share: f64) -> Duration {
        Duration::from_micros(self.latencies.value_at_quantile(share))
    }

    /// Requests per second.
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    pub fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.lasted.as_secs_f64()
    }

    /// Records the answer to a request that was due then, in a load that began then.
    pub(crate) fn record(
        &mut self,
        began: Instant,
        due: Instant,
        answer: Option<Answer>,
        expected: u16,
    ) {
        let now = Instant::now();
        let micros = u64::try_from((now - due).as_micros()).unwrap_or(u64::MAX);
        self.latencies.saturating_record(micros.max(1));
        let Answer { status, is_stale } = answer.unwrap_or_default();
        *self.statuses.entry(status).or_default() += 1;
        self.stale += u64::from(is_stale);
        if status == expected {
            self.expected += 1;
        } else {
            self.failed += 1;
        }
        self.lasted = now - began;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_add_up() {
        let began = Instant::now();
        let answer = |status, is_stale| Some(Answer { status, is_stale });
        let mut first = Outcome::new().unwrap();
        first.record(began, began, answer(200, true), 200);
        first.record(began, began, None, 200);
        let mut second = Outcome::new().unwrap();
        second.record(began, began, answer(404, false), 404);
        second.record(began, began, answer(500, false), 200);
        first.add(&second).unwrap();
        assert_eq!((first.expected, first.failed, first.stale), (2, 2, 1));
        assert_eq!(
            first.statuses,
            [(0, 1), (200, 1), (404, 1), (500, 1)].into()
        );
        assert_eq!((first.count(200), first.other_than(200)), (1, 3));
        assert_eq!((first.latencies.len(), first.lasted), (4, second.lasted));
    }
}

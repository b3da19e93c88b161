//! The valid times of exposures that clients send.
//!
//! A time out of these bounds comes from a wrong clock or is invented. Readers of the exposure log by time would miss such
//! a row, and it would expire too early or too late.

use std::time::Duration;

use flag_model::{Invalid, Timestamp};

/// How far the time of an exposure may be from the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CreatedBounds {
    /// How far it may lie in the past.
    pub max_age: Duration,
    /// How far it may lie in the future.
    pub max_ahead: Duration,
}

impl CreatedBounds {
    /// Returns the time if it is within the bounds.
    pub fn check(&self, created: Timestamp, now: Timestamp) -> Result<Timestamp, Invalid> {
        let from = now.saturating_sub(self.max_age);
        let to = now.saturating_add(self.max_ahead);
        if (from..=to).contains(&created) {
            return Ok(created);
        }
        let found = format!("{:?}", created.to_string());
        let expected = format!("a time from {from} to {to}");
        Err(Invalid::new("", found, expected))
    }
}

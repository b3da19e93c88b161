//! Between which times an exposure may have been served, if its client says when that was.
//!
//! Outside of them a clock is wrong or a caller makes times up: the row would be out of reach of those who read the log
//! by time, and would not expire with its neighbours.

use std::time::Duration;

use flag_model::{Invalid, Timestamp};

/// How far the time of an exposure may be from the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CreatedBounds {
    /// How long ago it may be.
    pub(crate) max_age: Duration,
    /// How far ahead it may be.
    pub(crate) max_ahead: Duration,
}

impl CreatedBounds {
    /// The time, if it is within the bounds.
    pub(crate) fn check(&self, created: Timestamp, now: Timestamp) -> Result<Timestamp, Invalid> {
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

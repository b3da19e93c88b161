//! A rate limit with a burst.

use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

/// A bucket of tokens that is filled at a steady rate.
#[derive(Debug)]
pub(super) struct TokenBucket {
    capacity: f64,
    level: Mutex<Level>,
}

#[derive(Debug)]
struct Level {
    tokens: f64,
    at: Instant,
}

impl TokenBucket {
    /// Creates a full bucket of `capacity` tokens.
    pub(super) fn new(capacity: u32) -> Self {
        let capacity = f64::from(capacity);
        Self {
            capacity,
            level: Mutex::new(Level {
                tokens: capacity,
                at: Instant::now(),
            }),
        }
    }

    /// Takes a token, after adding `per_second` for the time since the last call; `false` if there is none.
    pub(super) fn take(&self, per_second: f64) -> bool {
        let mut level = self.level.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let since = now.saturating_duration_since(level.at).as_secs_f64();
        level.at = now;
        level.tokens = (level.tokens + since * per_second).min(self.capacity);
        let has_token = level.tokens >= 1.0;
        if has_token {
            level.tokens -= 1.0;
        }
        has_token
    }

    /// Returns a token.
    pub(super) fn give_back(&self) {
        let mut level = self.level.lock().unwrap_or_else(PoisonError::into_inner);
        level.tokens = (level.tokens + 1.0).min(self.capacity);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::*;

    fn taken(bucket: &TokenBucket) -> usize {
        (0..100).take_while(|_| bucket.take(10.0)).count()
    }

    #[tokio::test(start_paused = true)]
    async fn tokens_come_at_a_steady_rate_up_to_a_limit() {
        let bucket = TokenBucket::new(5);
        assert_eq!(taken(&bucket), 5);
        advance(Duration::from_millis(250)).await;
        assert_eq!(taken(&bucket), 2);
        advance(Duration::from_mins(1)).await;
        assert_eq!(taken(&bucket), 5);
        bucket.give_back();
        assert_eq!(taken(&bucket), 1);
    }
}

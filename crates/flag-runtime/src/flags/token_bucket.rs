//! A rate limit with a burst.

use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

/// A bucket of tokens that fills at a steady rate.
#[derive(Debug)]
pub(super) struct TokenBucket {
    most: f64,
    level: Mutex<Level>,
}

#[derive(Debug)]
struct Level {
    tokens: f64,
    at: Instant,
}

impl TokenBucket {
    /// Creates a full bucket of `most` tokens.
    pub(super) fn new(most: u32) -> Self {
        let most = f64::from(most);
        Self {
            most,
            level: Mutex::new(Level {
                tokens: most,
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
        level.tokens = (level.tokens + since * per_second).min(self.most);
        let is_there = level.tokens >= 1.0;
        if is_there {
            level.tokens -= 1.0;
        }
        is_there
    }

    /// Returns a token.
    pub(super) fn give_back(&self) {
        let mut level = self.level.lock().unwrap_or_else(PoisonError::into_inner);
        level.tokens = (level.tokens + 1.0).min(self.most);
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
    async fn tokens_come_at_a_steady_rate_and_never_pile_up() {
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

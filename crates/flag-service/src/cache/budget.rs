//! How often something may be done: so often at once, and then at a steady rate.

use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

/// A bucket of tokens that fills at a steady rate.
#[derive(Debug)]
pub(super) struct Budget {
    most: f64,
    bucket: Mutex<Bucket>,
}

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Budget {
    /// A full bucket of so many tokens.
    pub(super) fn new(most: u32) -> Self {
        let most = f64::from(most);
        Self {
            most,
            bucket: Mutex::new(Bucket {
                tokens: most,
                at: Instant::now(),
            }),
        }
    }

    /// Takes a token, where so many came each second since the last time; `false` if there is none.
    pub(super) fn take(&self, per_second: f64) -> bool {
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let since = now.saturating_duration_since(bucket.at).as_secs_f64();
        bucket.at = now;
        bucket.tokens = (bucket.tokens + since * per_second).min(self.most);
        let is_there = bucket.tokens >= 1.0;
        if is_there {
            bucket.tokens -= 1.0;
        }
        is_there
    }

    /// Gives a token back.
    pub(super) fn give_back(&self) {
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        bucket.tokens = (bucket.tokens + 1.0).min(self.most);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::*;

    fn taken(budget: &Budget) -> usize {
        (0..100).take_while(|_| budget.take(10.0)).count()
    }

    #[tokio::test(start_paused = true)]
    async fn tokens_come_at_a_steady_rate_and_never_pile_up() {
        let budget = Budget::new(5);
        assert_eq!(taken(&budget), 5);
        advance(Duration::from_millis(250)).await;
        assert_eq!(taken(&budget), 2);
        advance(Duration::from_mins(1)).await;
        assert_eq!(taken(&budget), 5);
        budget.give_back();
        assert_eq!(taken(&budget), 1);
    }
}

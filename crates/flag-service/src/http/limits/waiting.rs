//! Limits the requests of each route that wait for the store, for room in the queue of exposures, or for their own body.
//! Further ones are refused at once.
//!
//! An answer from the cache is ready at once, and refusing it would cost almost as much as sending it
//! (docs/decisions/0007); so it is not limited. Waiting requests occupy memory.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::error::LimitError;
use crate::http::{ApiError, Route};

/// The limits of all routes.
#[derive(Debug)]
pub(super) struct WaitingLimits {
    max: usize,
    /// In the order of [`Route::ALL`].
    counts: Vec<(Route, WaitingCount)>,
}

/// The waiting requests of a route.
#[derive(Debug)]
struct WaitingCount {
    waiting: AtomicUsize,
    gauge: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WaitingLabels {
    route: &'static str,
}

/// Permission to wait, until it is dropped.
struct Permit<'a>(&'a WaitingCount);

impl WaitingLimits {
    pub(super) fn new(max: usize, registry: &mut Registry) -> Self {
        let gauges = Family::<WaitingLabels, Gauge>::default();
        registry.register(
            "requests_waiting",
            "Requests that wait for the store, for room in the queue of exposures, or for their body, by route",
            gauges.clone(),
        );
        let counts = Route::ALL.iter().map(|&route| {
            let labels = WaitingLabels {
                route: route.path(),
            };
            let count = WaitingCount {
                waiting: AtomicUsize::new(0),
                gauge: gauges.get_or_create(&labels).clone(),
            };
            (route, count)
        });
        Self {
            max,
            counts: counts.collect(),
        }
    }

    /// Waits for an answer. If it is not ready at once and too many requests wait already, refuses the request; the future is
    /// then dropped after its first poll.
    pub(super) async fn wait<T>(
        &self,
        route: Route,
        answer: impl Future<Output = Result<T, ApiError>>,
    ) -> Result<T, ApiError> {
        let mut answer = pin!(answer);
        let mut permit = None;
        poll_fn(|context| {
            let polled = answer.as_mut().poll(context);
            if polled.is_pending() && permit.is_none() {
                permit = self.acquire(route);
                if permit.is_none() {
                    return Poll::Ready(Err(LimitError::Overloaded.into()));
                }
            }
            polled
        })
        .await
    }

    fn acquire(&self, route: Route) -> Option<Permit<'_>> {
        let (_, count) = self.counts.iter().find(|(of, _)| *of == route)?;
        if count.waiting.fetch_add(1, Ordering::Relaxed) >= self.max {
            count.waiting.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        count.gauge.inc();
        Some(Permit(count))
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
        self.0.gauge.dec();
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    const SOON: Duration = Duration::from_millis(1);

    /// Whether a request that would wait for ever is refused.
    async fn is_refused(limits: &WaitingLimits, route: Route) -> bool {
        let answer = limits.wait(route, pending::<Result<(), ApiError>>());
        match timeout(SOON, answer).await {
            Ok(Err(ApiError::Limit(LimitError::Overloaded))) => true,
            Ok(answer) => panic!("{answer:?}"),
            Err(_) => false,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_beyond_the_limit_is_refused_and_the_others_wait_on() {
        let limits = WaitingLimits::new(1, &mut Registry::default());
        let first = limits.wait(Route::GetFeatureFlag, pending::<Result<(), ApiError>>());
        let mut first = Box::pin(first);
        assert!(timeout(SOON, first.as_mut()).await.is_err());
        assert!(is_refused(&limits, Route::GetFeatureFlag).await);
        drop(first);
        assert!(!is_refused(&limits, Route::GetFeatureFlag).await);
        assert!(
            !is_refused(&limits, Route::GetFeatureFlag).await,
            "a permit was not returned"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_ready_answer_and_another_route_are_not_limited() {
        let limits = WaitingLimits::new(1, &mut Registry::default());
        let first = limits.wait(Route::GetFeatureFlag, pending::<Result<(), ApiError>>());
        let mut first = pin!(first);
        assert!(timeout(SOON, first.as_mut()).await.is_err());
        let answer = limits.wait(Route::GetFeatureFlag, ready(Ok(7))).await;
        assert_eq!(answer.unwrap(), 7);
        assert!(!is_refused(&limits, Route::Readyz).await);
    }
}

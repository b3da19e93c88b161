//! Requests that wait for the store or for their own body. Beyond a limit they are refused at once.
//!
//! An answer from the cache is ready at once; refusing it would cost almost as much as sending it (docs/decisions/0007), so
//! it needs no place. Waiting requests pile up and hold memory, so each route has a limit of its own.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::http::Route;
use crate::http::{ApiError, Refusal};

/// A waiting room for each route.
#[derive(Debug)]
pub(super) struct WaitingRoom {
    most: usize,
    /// In the order of [`Route::ALL`].
    rooms: Vec<(Route, Room)>,
}

#[derive(Debug)]
struct Room {
    waiting: AtomicUsize,
    gauge: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Waits {
    route: &'static str,
}

/// A place in a room until it is dropped.
struct Place<'a>(&'a Room);

impl WaitingRoom {
    pub(super) fn new(most: usize, registry: &mut Registry) -> Self {
        let gauges = Family::<Waits, Gauge>::default();
        registry.register(
            "requests_waiting",
            "Requests that wait for the store or for their body, by route",
            gauges.clone(),
        );
        let rooms = Route::ALL.iter().map(|&route| {
            let labels = Waits {
                route: route.path(),
            };
            let room = Room {
                waiting: AtomicUsize::new(0),
                gauge: gauges.get_or_create(&labels).clone(),
            };
            (route, room)
        });
        Self {
            most,
            rooms: rooms.collect(),
        }
    }

    /// Waits for an answer; refuses the request if there is no place. The future is then polled once only.
    pub(super) async fn wait<T>(
        &self,
        route: Route,
        answer: impl Future<Output = Result<T, ApiError>>,
    ) -> Result<T, ApiError> {
        let mut answer = pin!(answer);
        let mut place = None;
        poll_fn(|context| {
            let polled = answer.as_mut().poll(context);
            if polled.is_pending() && place.is_none() {
                place = self.enter(route);
                if place.is_none() {
                    return Poll::Ready(Err(Refusal::Overloaded.into()));
                }
            }
            polled
        })
        .await
    }

    fn enter(&self, route: Route) -> Option<Place<'_>> {
        let (_, room) = self.rooms.iter().find(|(of, _)| *of == route)?;
        if room.waiting.fetch_add(1, Ordering::Relaxed) >= self.most {
            room.waiting.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        room.gauge.inc();
        Some(Place(room))
    }
}

impl Drop for Place<'_> {
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
    async fn is_refused(room: &WaitingRoom, route: Route) -> bool {
        let answer = room.wait(route, pending::<Result<(), ApiError>>());
        match timeout(SOON, answer).await {
            Ok(Err(ApiError::Refused(Refusal::Overloaded))) => true,
            Ok(answer) => panic!("{answer:?}"),
            Err(_) => false,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_finds_no_room_is_refused_and_the_others_wait_on() {
        let room = WaitingRoom::new(1, &mut Registry::default());
        let first = room.wait(Route::GetFeatureFlag, pending::<Result<(), ApiError>>());
        let mut first = Box::pin(first);
        assert!(timeout(SOON, first.as_mut()).await.is_err());
        assert!(is_refused(&room, Route::GetFeatureFlag).await);
        drop(first);
        assert!(!is_refused(&room, Route::GetFeatureFlag).await);
        assert!(
            !is_refused(&room, Route::GetFeatureFlag).await,
            "a place was not left"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_there_and_another_path_need_no_room() {
        let room = WaitingRoom::new(1, &mut Registry::default());
        let first = room.wait(Route::GetFeatureFlag, pending::<Result<(), ApiError>>());
        let mut first = pin!(first);
        assert!(timeout(SOON, first.as_mut()).await.is_err());
        let answer = room.wait(Route::GetFeatureFlag, ready(Ok(7))).await;
        assert_eq!(answer.unwrap(), 7);
        assert!(!is_refused(&room, Route::Readyz).await);
    }
}

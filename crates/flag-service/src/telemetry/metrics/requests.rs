//! Metrics of requests.

use std::sync::OnceLock;
use std::time::Duration;

use actix_web::http::StatusCode;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::latencies::Latencies;
use crate::http::Route;
use crate::openapi::statuses;

/// The statuses of responses, frequent ones first: the counter of each is looked up once.
const STATUSES: [u16; 14] = [
    200, 404, 400, 500, 503, 504, 401, 403, 405, 408, 413, 415, 429, 431,
];

/// Requests by route and status, durations by route, and requests in flight.
#[derive(Debug)]
pub(crate) struct RequestMetrics {
    ended: Family<Ended, Counter>,
    under_way: Gauge,
    /// In the order of [`Route::ALL`].
    by_route: Vec<OfRoute>,
}

/// The metrics of one route, resolved.
#[derive(Debug)]
struct OfRoute {
    /// In the order of [`STATUSES`].
    ended: [OnceLock<Counter>; STATUSES.len()],
    lasted: Latencies,
}

/// A request in flight until this is dropped.
#[derive(Debug)]
pub(crate) struct UnderWay<'a>(&'a Gauge);

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    route: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Lasted {
    route: &'static str,
}

impl RequestMetrics {
    /// Registers the metrics.
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let ended = Family::default();
        registry.register(
            "requests",
            "Requests answered, by route and status",
            ended.clone(),
        );
        let lasted = Family::<Lasted, Latencies>::default();
        registry.register(
            "request_duration_seconds",
            "From the arrival of a request to its answer, by route",
            lasted.clone(),
        );
        let under_way = Gauge::default();
        registry.register(
            "requests_in_flight",
            "Requests that have arrived and are not answered",
            under_way.clone(),
        );
        let by_route = Route::ALL.iter().map(|route| OfRoute {
            ended: Default::default(),
            lasted: lasted.get_or_create_owned(&Lasted {
                route: route.path(),
            }),
        });
        let requests = Self {
            by_route: by_route.collect(),
            ended,
            under_way,
        };
        requests.begin_at_zero();
        requests
    }

    /// Creates all expected counters at zero: a counter that appears with its first failure shows no growth.
    fn begin_at_zero(&self) {
        for route in Route::ALL {
            for status in statuses(*route) {
                self.ended(*route, status);
            }
        }
    }

    /// Counts a request as in flight.
    pub(crate) fn begin(&self) -> UnderWay<'_> {
        self.under_way.inc();
        UnderWay(&self.under_way)
    }

    /// Counts an answered request.
    pub(crate) fn count(&self, route: Route, status: StatusCode, lasted: Duration) {
        let status = status.as_u16();
        let Some(of_route) = self.by_route.get(route as usize) else {
            return;
        };
        of_route.lasted.observe(lasted);
        let place = STATUSES.iter().position(|known| *known == status);
        match place.and_then(|place| of_route.ended.get(place)) {
            Some(ended) => ended.get_or_init(|| self.ended(route, status)).inc(),
            None => self.ended(route, status).inc(),
        };
    }

    fn ended(&self, route: Route, status: u16) -> Counter {
        let labels = Ended {
            route: route.path(),
            status,
        };
        self.ended.get_or_create_owned(&labels)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;

    use super::*;

    #[test]
    fn a_route_counts_in_its_own_place() {
        let mut registry = Registry::default();
        let requests = RequestMetrics::register(&mut registry);
        let (ok, odd) = (StatusCode::OK, StatusCode::IM_A_TEAPOT);
        for route in Route::ALL {
            requests.count(*route, ok, Duration::from_millis(1));
            requests.count(*route, odd, Duration::from_millis(1));
        }
        let _under_way = requests.begin();
        drop(requests.begin());
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for route in Route::ALL {
            let path = route.path();
            for line in [
                format!("requests_total{{route=\"{path}\",status=\"200\"}} 1\n"),
                format!("requests_total{{route=\"{path}\",status=\"418\"}} 1\n"),
                format!("request_duration_seconds_count{{route=\"{path}\"}} 2\n"),
            ] {
                assert!(text.contains(&line), "{line}{text}");
            }
        }
        assert!(text.contains("requests_in_flight 1\n"), "{text}");
    }
}

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

/// The statuses of responses, frequent ones first: the counter of each is looked up once.
const STATUSES: [u16; 16] = [
    200, 404, 400, 500, 503, 504, 401, 403, 405, 408, 413, 415, 429, 431, 304, 204,
];

/// The labels of a route.
#[derive(Clone, Debug)]
pub(crate) struct RouteLabels {
    /// Its path.
    pub(crate) path: &'static str,
    /// The statuses that it is expected to answer.
    pub(crate) statuses: Vec<u16>,
}

/// Requests by route and status, durations by route, and requests in flight.
#[derive(Debug)]
pub(crate) struct RequestMetrics {
    ended: Family<RequestLabels, Counter>,
    in_flight: Gauge,
    /// In the order of their registration.
    by_route: Vec<OfRoute>,
}

/// The metrics of one route, resolved.
#[derive(Debug)]
struct OfRoute {
    path: &'static str,
    /// In the order of [`STATUSES`].
    ended: [OnceLock<Counter>; STATUSES.len()],
    lasted: Latencies,
}

/// A request in flight, until this is dropped.
#[derive(Debug)]
pub(crate) struct RequestInFlight<'a>(&'a Gauge);

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DurationLabels {
    route: &'static str,
}

impl RequestMetrics {
    /// Registers the metrics of these routes.
    pub(crate) fn register(registry: &mut Registry, routes: &[RouteLabels]) -> Self {
        let ended = Family::default();
        registry.register(
            "requests",
            "Requests answered, by route and status",
            ended.clone(),
        );
        let lasted = Family::<DurationLabels, Latencies>::default();
        registry.register(
            "request_duration_seconds",
            "Time from the arrival of a request to its answer, by route",
            lasted.clone(),
        );
        let in_flight = Gauge::default();
        registry.register(
            "requests_in_flight",
            "Requests that have arrived and are not answered",
            in_flight.clone(),
        );
        let by_route = routes.iter().map(|labels| OfRoute {
            path: labels.path,
            ended: Default::default(),
            lasted: lasted.get_or_create_owned(&DurationLabels { route: labels.path }),
        });
        let requests = Self {
            by_route: by_route.collect(),
            ended,
            in_flight,
        };
        requests.begin_at_zero(routes);
        requests
    }

    /// Creates all expected counters at zero: a counter that appears with its first failure shows no growth.
    fn begin_at_zero(&self, routes: &[RouteLabels]) {
        for RouteLabels { path, statuses } in routes {
            for status in statuses {
                self.ended(path, *status);
            }
        }
    }

    /// Counts a request as in flight.
    pub(crate) fn begin(&self) -> RequestInFlight<'_> {
        self.in_flight.inc();
        RequestInFlight(&self.in_flight)
    }

    /// Counts an answered request; `route` is the index of its labels.
    pub(crate) fn count(&self, route: usize, status: StatusCode, lasted: Duration) {
        let status = status.as_u16();
        let Some(of_route) = self.by_route.get(route) else {
            return;
        };
        of_route.lasted.observe(lasted);
        let index = STATUSES.iter().position(|known| *known == status);
        match index.and_then(|index| of_route.ended.get(index)) {
            Some(ended) => ended
                .get_or_init(|| self.ended(of_route.path, status))
                .inc(),
            None => self.ended(of_route.path, status).inc(),
        };
    }

    fn ended(&self, route: &'static str, status: u16) -> Counter {
        let labels = RequestLabels { route, status };
        self.ended.get_or_create_owned(&labels)
    }
}

impl Drop for RequestInFlight<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;

    use super::*;

    #[test]
    fn each_route_has_its_own_counters() {
        let mut registry = Registry::default();
        let routes = ["/a", "/b"].map(|path| RouteLabels {
            path,
            statuses: vec![200, 404],
        });
        let requests = RequestMetrics::register(&mut registry, &routes);
        let (ok, other) = (StatusCode::OK, StatusCode::IM_A_TEAPOT);
        for index in 0..routes.len() {
            requests.count(index, ok, Duration::from_millis(1));
            requests.count(index, other, Duration::from_millis(1));
        }
        let _in_flight = requests.begin();
        drop(requests.begin());
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for RouteLabels { path, .. } in &routes {
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

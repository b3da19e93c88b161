//! Requests: how many, how they ended, how long they took.

use std::time::Duration;

use actix_web::http::StatusCode;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::routes::Route;

/// Upper bounds of the classes that durations are counted in, in seconds.
const SECONDS: [f64; 12] = [
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.1, 0.3, 1.0,
];

/// Requests by route and status, and how long they took by route.
#[derive(Debug)]
pub(crate) struct RequestMetrics {
    ended: Family<Ended, Counter>,
    /// In the order of [`Route::ALL`].
    durations: Vec<(Route, Histogram)>,
}

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
    /// Begins to count.
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let ended = Family::default();
        registry.register(
            "requests",
            "Requests answered, by route and status",
            ended.clone(),
        );
        let lasted = Family::<Lasted, Histogram>::new_with_constructor(|| Histogram::new(SECONDS));
        registry.register(
            "request_duration_seconds",
            "From the arrival of a request to its answer, by route",
            lasted.clone(),
        );
        let durations = Route::ALL.iter().map(|&route| {
            let labels = Lasted {
                route: route.path(),
            };
            (route, lasted.get_or_create(&labels).clone())
        });
        Self {
            ended,
            durations: durations.collect(),
        }
    }

    /// Counts a request that was answered.
    pub(crate) fn count(&self, route: Route, status: StatusCode, lasted: Duration) {
        let labels = Ended {
            route: route.path(),
            status: status.as_u16(),
        };
        self.ended.get_or_create(&labels).inc();
        let durations = self.durations.iter().find(|(of, _)| *of == route);
        if let Some((_, durations)) = durations {
            durations.observe(lasted.as_secs_f64());
        }
    }
}

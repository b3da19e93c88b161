//! One log line for each kind of failure and second, however many requests fail.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use actix_web::http::{StatusCode, Version};
use flag_api::Code;
use opentelemetry::trace::TraceFlags;
use tracing::error;

use crate::causes::causes;
use crate::problem::ApiError;
use crate::routes::Route;
use crate::telemetry::Telemetry;
use crate::visit::Visit;

/// The shortest time between two lines of a kind, in milliseconds.
const PAUSE: u64 = 1_000;

/// When each code was logged last, and how often it was left out since.
#[derive(Debug)]
pub(super) struct Failures {
    began: Instant,
    /// In the order of [`Code::ALL`].
    kinds: Vec<Kind>,
}

#[derive(Debug, Default)]
struct Kind {
    /// When the next line may come, in milliseconds since it all began.
    next: AtomicU64,
    left_out: AtomicU64,
}

impl Default for Failures {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            kinds: Code::ALL.iter().map(|_| Kind::default()).collect(),
        }
    }
}

impl Failures {
    /// How many lines were left out, if it is time for one.
    fn turn(&self, code: Code) -> Option<u64> {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.kinds.get(code as usize)?.turn(now)
    }
}

impl Kind {
    fn turn(&self, now: u64) -> Option<u64> {
        let next = self.next.load(Ordering::Relaxed);
        let is_time = now >= next
            && self
                .next
                .compare_exchange(next, now + PAUSE, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if is_time {
            return Some(self.left_out.swap(0, Ordering::Relaxed));
        }
        self.left_out.fetch_add(1, Ordering::Relaxed);
        None
    }
}

impl Telemetry {
    /// Logs a request that failed by our fault, if nothing like it was logged just now.
    ///
    /// The query stays out, as it names whom a value is for; so does what an unreadable cell holds.
    pub(crate) fn complain(
        &self,
        visit: &Visit,
        route: Route,
        error: &ApiError,
        status: StatusCode,
        lasted: Duration,
    ) {
        let code = error.code();
        let Some(left_out) = self.failures.turn(code) else {
            return;
        };
        let context = visit.trace.context(&visit.request);
        let is_traced = context.is_valid();
        let (trace, span) = (
            context.trace_id().to_string(),
            context.span_id().to_string(),
        );
        error!(
            problem = problem(error),
            request_id = visit.id.as_str(),
            left_out,
            trace = is_traced.then_some(trace),
            span = is_traced.then_some(span),
            trace_sampled = is_traced
                .then(|| context.trace_flags() & TraceFlags::SAMPLED == TraceFlags::SAMPLED),
            labels.code = code.as_str(),
            labels.route = route.path(),
            httpRequest.requestMethod = visit.request.method().as_str(),
            httpRequest.requestUrl = route.path(),
            httpRequest.status = status.as_u16(),
            httpRequest.protocol = protocol(visit.request.version()),
            httpRequest.latency = format!("{:.6}s", lasted.as_secs_f64()),
            "request failed"
        );
    }
}

/// What we know and the caller needn't.
fn problem(error: &ApiError) -> String {
    match error {
        ApiError::Store { flag, error } => {
            let causes = causes(&**error);
            let separator = if causes.is_empty() { "" } else { ": " };
            format!("{flag}: {error}{separator}{causes}")
        }
        ApiError::Unreadable(row) => row.place(),
        _ => error.code().about().to_owned(),
    }
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2",
        _ => "HTTP/1.1",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_has_one_line_a_second_and_says_what_was_left_out() {
        let kind = Kind::default();
        assert_eq!(kind.turn(5), Some(0));
        assert_eq!(kind.turn(5), None);
        assert_eq!(kind.turn(1_004), None);
        assert_eq!(kind.turn(1_005), Some(2));
        assert_eq!(kind.turn(9_000), Some(0));
    }

    #[test]
    fn one_kind_silences_no_other() {
        let failures = Failures::default();
        for code in Code::ALL {
            assert_eq!(failures.turn(*code), Some(0), "{code}");
            assert_eq!(failures.turn(*code), None, "{code}");
        }
    }
}

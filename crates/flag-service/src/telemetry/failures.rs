//! One log line for each kind of failure in a while, however many requests fail.
//!
//! Failures that the Python service logged too begin with the words that it used, which alerts may look for.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use actix_web::http::{StatusCode, Version};
use flag_api::Code;
use flag_runtime::{CacheError, with_causes};
use flag_store::UnreadableRow;
use opentelemetry::trace::TraceFlags;
use tracing::{error, warn};

use crate::problem::ApiError;
use crate::routes::Route;
use crate::telemetry::Telemetry;
use crate::visit::Visit;

/// The shortest time between two lines of a kind that is our fault, in milliseconds.
const PAUSE: u64 = 1_000;

/// The same of a kind that is a caller's.
const PAUSE_FOR_CALLERS: u64 = 10_000;

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
    fn turn(&self, code: Code, pause: u64) -> Option<u64> {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.kinds.get(code as usize)?.turn(now, pause)
    }
}

impl Kind {
    fn turn(&self, now: u64, pause: u64) -> Option<u64> {
        let next = self.next.load(Ordering::Relaxed);
        let is_time = now >= next
            && self
                .next
                .compare_exchange(next, now + pause, Ordering::Relaxed, Ordering::Relaxed)
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
        let Some(left_out) = self.failures.turn(code, PAUSE) else {
            return;
        };
        let words = words(error).unwrap_or(Cow::Borrowed(FAILED));
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
            "{words}"
        );
    }

    /// Logs a request that failed by its caller's fault, if the reference did and nothing like it was logged just now.
    pub(crate) fn note(&self, visit: &Visit, route: Route, error: &ApiError) {
        let Some(words) = words(error) else { return };
        let code = error.code();
        let Some(left_out) = self.failures.turn(code, PAUSE_FOR_CALLERS) else {
            return;
        };
        warn!(
            request_id = visit.id.as_str(),
            left_out,
            labels.code = code.as_str(),
            labels.route = route.path(),
            "{words}"
        );
    }
}

/// The message of a failure that the reference has none for.
const FAILED: &str = "request failed";

/// What the log of the reference says of an error, if it has words for it. What a caller sent is left out: it could be
/// an instance id in the wrong place.
fn words(error: &ApiError) -> Option<Cow<'static, str>> {
    let (code, detail) = error.describe();
    match (code, error) {
        (Code::InvalidFlagType, _) => Some("Invalid flag type: neither feature nor data".into()),
        (Code::InvalidRolloutPercentage | Code::FlagNotFound | Code::Timeout, _) => {
            Some(detail.into())
        }
        (_, ApiError::Flag(CacheError::Unreadable(row))) => match &**row {
            UnreadableRow::Cell { column, .. } if column == HASH_ALGORITHM => {
                Some("Hashing algorithm: the stored one is invalid".into())
            }
            _ => None,
        },
        _ => None,
    }
}

/// The column that holds one.
const HASH_ALGORITHM: &str = "HashAlgorithm";

/// What we know and the caller needn't.
fn problem(error: &ApiError) -> String {
    match error {
        ApiError::Flag(CacheError::Store { flag, error }) => {
            format!("{flag}: {}", with_causes(&**error))
        }
        ApiError::Flag(CacheError::Unreadable(row)) => row.place(),
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
    use std::sync::Arc;

    use flag_model::{FlagKey, FormatVersion, InvalidPercent};
    use flag_store::StoreError;

    use super::*;

    #[test]
    fn a_kind_has_one_line_a_second_and_says_what_was_left_out() {
        let kind = Kind::default();
        let turn = |now| kind.turn(now, PAUSE);
        assert_eq!(turn(5), Some(0));
        assert_eq!(turn(5), None);
        assert_eq!(turn(1_004), None);
        assert_eq!(turn(1_005), Some(2));
        assert_eq!(turn(9_000), Some(0));
    }

    #[test]
    fn one_kind_silences_no_other() {
        let failures = Failures::default();
        for code in Code::ALL {
            assert_eq!(failures.turn(*code, PAUSE), Some(0), "{code}");
            assert_eq!(failures.turn(*code, PAUSE), None, "{code}");
        }
    }

    /// How the reference's messages begin, and ours, and whether the handbook says so.
    #[test]
    fn what_the_reference_logs_begins_with_its_words() {
        let flag = "p/feature/f".parse::<FlagKey>().unwrap();
        let late = StoreError::TimedOut {
            after: Duration::from_millis(280),
        };
        let percent = InvalidPercent {
            found: "140".into(),
            version: FormatVersion::V1,
        };
        let row = |row| ApiError::Flag(CacheError::Unreadable(Arc::new(row)));
        let key = String::new();
        let expected = [
            (
                ApiError::InvalidFlagType("A12345".into()),
                "Invalid flag type: ",
            ),
            (
                row(UnreadableRow::Percent {
                    key: key.clone(),
                    problem: percent,
                }),
                "Rollout percentage: ",
            ),
            (
                row(UnreadableRow::Cell {
                    key,
                    column: HASH_ALGORITHM.into(),
                    problem: String::new(),
                }),
                "Hashing algorithm: ",
            ),
            (
                ApiError::Flag(CacheError::NotFound(flag)),
                "No Flag Data found: ",
            ),
            (ApiError::Log(late), "Timeout error occurred for: "),
        ];
        let handbook = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operating.md");
        let handbook = std::fs::read_to_string(handbook).unwrap();
        for (error, beginning) in expected {
            let words = words(&error).unwrap();
            assert!(words.starts_with(beginning), "{words}");
            assert!(!words.contains("A12345"), "{words}");
            assert!(
                handbook.contains(&format!("| `{beginning}…` |")),
                "{beginning}"
            );
        }
        assert_eq!(words(&ApiError::Internal), None);
        assert!(handbook.contains(&format!("| `{FAILED}` |")));
    }
}

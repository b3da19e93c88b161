//! Log lines of failed requests, rate-limited per code.
//!
//! Messages of failures that the Python framework also logged begin as there, since alerts may search for them.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use actix_web::HttpRequest;
use actix_web::http::{StatusCode, Version};
use flag_api::Code;
use flag_model::with_causes;
use flag_runtime::CacheError;
use flag_store::UnreadableRow;
use opentelemetry::trace::TraceFlags;
use tracing::{error, warn};

use super::problem::ApiError;
use super::request_id::RequestId;
use super::route::Route;
use crate::telemetry::RequestSpan;

/// The shortest time between two lines about an error of the service, in milliseconds.
const PAUSE: u64 = 1_000;

/// The same for an error of the caller.
const PAUSE_FOR_CALLERS: u64 = 10_000;

/// When each code was last logged, and how many lines were left out since.
#[derive(Debug)]
pub(crate) struct FailureLog {
    began: Instant,
    /// In the order of [`Code::ALL`].
    by_code: Vec<CodeLog>,
}

#[derive(Debug, Default)]
struct CodeLog {
    /// When the next line is due, in milliseconds since `began`.
    next: AtomicU64,
    left_out: AtomicU64,
}

/// A request that failed, for its log line.
#[derive(Debug)]
pub(crate) struct FailedRequest<'a> {
    /// The request.
    pub(crate) request: &'a HttpRequest,
    /// The address of its client.
    pub(crate) client: Option<IpAddr>,
    /// Its id.
    pub(crate) id: &'a RequestId,
    /// Its span.
    pub(crate) span: &'a RequestSpan,
    /// Its route.
    pub(crate) route: Route,
    /// Why it failed.
    pub(crate) error: &'a ApiError,
}

impl Default for FailureLog {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            by_code: Code::ALL.iter().map(|_| CodeLog::default()).collect(),
        }
    }
}

impl FailureLog {
    /// Returns how many lines were left out, if the next one is due.
    fn next_line(&self, code: Code, pause: u64) -> Option<u64> {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.by_code.get(code as usize)?.next_line(now, pause)
    }
}

impl CodeLog {
    fn next_line(&self, now: u64, pause: u64) -> Option<u64> {
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

impl FailureLog {
    /// Logs an error of the service, if a line is due.
    ///
    /// The query is left out, as it contains the instance id; so is the content of unreadable cells.
    pub(crate) fn log_fault(
        &self,
        failed: &FailedRequest<'_>,
        status: StatusCode,
        lasted: Duration,
    ) {
        let FailedRequest { request, error, .. } = failed;
        let code = error.code();
        let Some(left_out) = self.next_line(code, PAUSE) else {
            return;
        };
        let message = message(error).unwrap_or(Cow::Borrowed(FAILED));
        let context = failed.span.context(request);
        let is_traced = context.is_valid();
        let (trace, span) = (
            context.trace_id().to_string(),
            context.span_id().to_string(),
        );
        error!(
            problem = problem(error),
            request_id = failed.id.as_str(),
            left_out,
            trace = is_traced.then_some(trace),
            span = is_traced.then_some(span),
            trace_sampled = is_traced
                .then(|| context.trace_flags() & TraceFlags::SAMPLED == TraceFlags::SAMPLED),
            labels.code = code.as_str(),
            labels.route = failed.route.path(),
            httpRequest.requestMethod = request.method().as_str(),
            httpRequest.requestUrl = failed.route.path(),
            httpRequest.status = status.as_u16(),
            httpRequest.protocol = protocol(request.version()),
            httpRequest.remoteIp = failed.client.map(|client| client.to_string()),
            httpRequest.latency = format!("{:.6}s", lasted.as_secs_f64()),
            "{message}"
        );
    }

    /// Logs an error of the caller, if the Python framework did so too, and a line is due.
    pub(crate) fn log_caller_error(&self, failed: &FailedRequest<'_>) {
        let Some(message) = message(failed.error) else {
            return;
        };
        let code = failed.error.code();
        let Some(left_out) = self.next_line(code, PAUSE_FOR_CALLERS) else {
            return;
        };
        warn!(
            request_id = failed.id.as_str(),
            left_out,
            labels.code = code.as_str(),
            labels.route = failed.route.path(),
            httpRequest.remoteIp = failed.client.map(|client| client.to_string()),
            "{message}"
        );
    }
}

/// The message of a failure that the Python framework did not log.
const FAILED: &str = "request failed";

/// Returns the log message of the Python framework, if it had one. Input of the caller is left out: it could be a misplaced
/// instance id.
fn message(error: &ApiError) -> Option<Cow<'static, str>> {
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

/// The column of the hash algorithm.
const HASH_ALGORITHM: &str = "HashAlgorithm";

/// Returns the details that the caller does not get.
fn problem(error: &ApiError) -> String {
    match error {
        ApiError::Flag(CacheError::Store { flag, error }) => {
            format!("{flag}: {}", with_causes(&**error))
        }
        ApiError::Flag(CacheError::Unreadable(row)) => row.location(),
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
    fn a_code_has_one_line_a_second_with_the_number_left_out() {
        let log = CodeLog::default();
        let next_line = |now| log.next_line(now, PAUSE);
        assert_eq!(next_line(5), Some(0));
        assert_eq!(next_line(5), None);
        assert_eq!(next_line(1_004), None);
        assert_eq!(next_line(1_005), Some(2));
        assert_eq!(next_line(9_000), Some(0));
    }

    #[test]
    fn one_code_silences_no_other() {
        let failure_log = FailureLog::default();
        for code in Code::ALL {
            assert_eq!(failure_log.next_line(*code, PAUSE), Some(0), "{code}");
            assert_eq!(failure_log.next_line(*code, PAUSE), None, "{code}");
        }
    }

    /// Messages begin as those of the Python framework, and `docs/operating.md` lists them.
    #[test]
    fn messages_begin_as_those_of_the_python_framework() {
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
            (ApiError::ExposureLog(late), "Timeout error occurred for: "),
        ];
        let handbook = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operating.md");
        let handbook = std::fs::read_to_string(handbook).unwrap();
        for (error, beginning) in expected {
            let message = message(&error).unwrap();
            assert!(message.starts_with(beginning), "{message}");
            assert!(!message.contains("A12345"), "{message}");
            assert!(
                handbook.contains(&format!("| `{beginning}…` |")),
                "{beginning}"
            );
        }
        assert_eq!(message(&ApiError::Internal), None);
        assert!(handbook.contains(&format!("| `{FAILED}` |")));
    }
}

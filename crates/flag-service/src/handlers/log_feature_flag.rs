//! `POST /log-feature-flag`: exposures of clients that decide locally, stored before the response.
mod entry;

use std::fmt::Write as _;

use actix_web::HttpResponse;
use actix_web::web::Payload;
use flag_api::{Code, EntryResult, LogReply, MAX_ENTRIES};
use flag_model::Timestamp;
use flag_runtime::{CreatedBounds, Exposures};
use flag_store::{Clock as _, Exposure, StoreError, SystemClock, WriteExposureError};
use serde_json::Value;

use self::entry::decode;
use crate::http::{ApiError, RequestContext, describe_store, read_json};

/// The most entries that a problem names.
const MOST_NAMED: usize = 10;

/// Answers `POST /log-feature-flag`: one exposure, or a list.
pub(super) async fn log_feature_flag(
    context: &RequestContext,
    body: Payload,
) -> Result<HttpResponse, ApiError> {
    let state = &context.state;
    let body = read_json(
        &context.request,
        body,
        state.max_body,
        state.limits.holder(),
    );
    let entries = Entries::try_from(body.await?)?;
    context.charge(entries.values.len())?;
    let bounds = state.exposures.created_bounds();
    let decoded = entries.decode(context.id.as_str(), SystemClock.now(), bounds);
    // All or none, so that a key learns of its mistake before half of a list is stored.
    let projects = decoded.iter().flatten();
    let projects = projects.map(|exposure| &exposure.flag.project);
    context.authorization.may_all(projects)?;
    let outcomes = store(&state.exposures, decoded).await;
    reply(entries.form, outcomes)
}

/// Whether the request, and so the response, has one entry or a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    One,
    List,
}

/// The entries of a request.
#[derive(Debug)]
struct Entries {
    form: Form,
    values: Vec<Value>,
}

impl TryFrom<Value> for Entries {
    type Error = ApiError;

    fn try_from(body: Value) -> Result<Self, ApiError> {
        let expected = |found: String| {
            let expected = format!("an entry, or a list of at most {MAX_ENTRIES}");
            Err(ApiError::InvalidBody(format!(
                "body: found {found}, expected {expected}"
            )))
        };
        match body {
            Value::Object(_) => Ok(Self {
                form: Form::One,
                values: vec![body],
            }),
            Value::Array(values) if values.len() <= MAX_ENTRIES => Ok(Self {
                form: Form::List,
                values,
            }),
            Value::Array(values) => expected(format!("{} entries", values.len())),
            other => expected(entry::shown(&other)),
        }
    }
}

impl Entries {
    /// Returns the exposure of each entry, or what is wrong with it.
    ///
    /// Entries without a time get times a microsecond apart, as equal ones would be one row.
    fn decode<'a>(
        &'a self,
        request_id: &'a str,
        now: Timestamp,
        bounds: CreatedBounds,
    ) -> Vec<Result<Exposure<'a>, String>> {
        let mut created = now;
        let decoded = self.values.iter().enumerate().map(|(at, value)| {
            let place = match self.form {
                Form::One => String::new(),
                Form::List => format!("[{at}]"),
            };
            let check = |created| bounds.check(created, now);
            let exposure = decode(value, &place, request_id, created, check);
            created = created.next().unwrap_or(created);
            exposure
        });
        decoded.collect()
    }
}

/// The outcome of an entry.
#[derive(Debug)]
enum Outcome {
    Stored {
        request_id: String,
        created: Timestamp,
    },
    Refused(String),
    Failed(StoreError),
}

async fn store(log: &Exposures, decoded: Vec<Result<Exposure<'_>, String>>) -> Vec<Outcome> {
    let mut exposures = Vec::with_capacity(decoded.len());
    let mut outcomes = Vec::with_capacity(decoded.len());
    for entry in decoded {
        outcomes.push(match entry {
            Ok(exposure) => {
                let request_id = exposure.request_id.to_string();
                let created = exposure.created;
                exposures.push(exposure);
                Outcome::Stored {
                    request_id,
                    created,
                }
            }
            Err(problem) => Outcome::Refused(problem),
        });
    }
    log.count_refused(outcomes.len() - exposures.len());
    let mut results = log.store(exposures).await.into_iter();
    for outcome in &mut outcomes {
        if let Outcome::Stored { .. } = outcome {
            match results.next() {
                Some(Ok(())) => {}
                Some(Err(WriteExposureError::Invalid(invalid))) => {
                    *outcome = Outcome::Refused(invalid.to_string());
                }
                Some(Err(differs @ WriteExposureError::Differs { .. })) => {
                    *outcome = Outcome::Refused(differs.to_string());
                }
                Some(Err(WriteExposureError::Store(error))) => *outcome = Outcome::Failed(error),
                None => {
                    let source = "no result".into();
                    *outcome = Outcome::Failed(StoreError::Unavailable { source });
                }
            }
        }
    }
    outcomes
}

/// Returns a result for each entry; an error if none was stored, that of the store first.
fn reply(form: Form, outcomes: Vec<Outcome>) -> Result<HttpResponse, ApiError> {
    let is_stored = |outcome: &Outcome| matches!(outcome, Outcome::Stored { .. });
    if !outcomes.is_empty() && !outcomes.iter().any(is_stored) {
        return Err(why_none(outcomes));
    }
    let mut results: Vec<EntryResult<'_>> = outcomes.iter().map(Outcome::result).collect();
    Ok(match (form, results.pop()) {
        (Form::One, Some(result)) => HttpResponse::Ok().json(result),
        (_, last) => {
            results.extend(last);
            HttpResponse::Ok().json(LogReply { results })
        }
    })
}

fn why_none(outcomes: Vec<Outcome>) -> ApiError {
    let mut problems = Vec::new();
    for outcome in outcomes {
        match outcome {
            Outcome::Failed(error) => return ApiError::Log(error),
            Outcome::Refused(problem) => problems.push(problem),
            Outcome::Stored { .. } => {}
        }
    }
    let more = problems.len().saturating_sub(MOST_NAMED);
    problems.truncate(MOST_NAMED);
    let mut told = problems.join("; ");
    if more > 0 {
        let _ = write!(told, "; and {more} more entries");
    }
    ApiError::InvalidBody(told)
}

impl Outcome {
    fn result(&self) -> EntryResult<'_> {
        let not_stored = |status: &'static str, code: Code, detail: String| EntryResult {
            status: status.into(),
            request_id: None,
            created_time: None,
            code: Some(code.as_str().into()),
            detail: Some(detail.into()),
        };
        match self {
            Self::Stored {
                request_id,
                created,
            } => EntryResult {
                status: "stored".into(),
                request_id: Some(request_id.as_str().into()),
                created_time: Some(created.to_string().into()),
                code: None,
                detail: None,
            },
            Self::Refused(problem) => not_stored("refused", Code::InvalidRequest, problem.clone()),
            Self::Failed(error) => {
                let (code, detail) = describe_store(&"the exposure log", error);
                not_stored("failed", code, detail)
            }
        }
    }
}

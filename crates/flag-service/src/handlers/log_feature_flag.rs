//! `POST /log-feature-flag`: exposures of clients that decide locally, stored before the response.
mod entry;

use std::fmt::Write as _;

use actix_web::HttpResponse;
use actix_web::web::Payload;
use flag_api::{Code, EntryResult, LogReply, MAX_ENTRIES_PER_REQUEST};
use flag_model::Timestamp;
use flag_runtime::{CreatedBounds, ExposureRecorder};
use flag_store::{Clock as _, Exposure, StoreError, SystemClock, WriteExposureError};
use serde_json::Value;

use self::entry::decode;
use crate::http::{ApiError, RequestContext, describe_store, read_json};

/// The most entries that a problem names.
const MAX_NAMED: usize = 10;

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
        state.limits.new_held_bytes_counter(),
    );
    let entries = Entries::try_from(body.await?)?;
    context.charge(entries.values.len())?;
    let bounds = state.exposures.created_bounds();
    let decoded = entries.decode(context.id.as_str(), SystemClock.now(), bounds);
    // Before any is stored: a list with a forbidden project is refused as a whole.
    let projects = decoded.iter().flatten();
    let projects = projects.map(|exposure| &exposure.flag.project);
    context.authorization.check_projects(projects)?;
    let outcomes = write_entries(&state.exposures, decoded).await;
    reply(entries.shape, outcomes)
}

/// Whether the request, and so the response, has one entry or a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BodyShape {
    One,
    List,
}

/// The entries of a request.
#[derive(Debug)]
struct Entries {
    shape: BodyShape,
    values: Vec<Value>,
}

impl TryFrom<Value> for Entries {
    type Error = ApiError;

    fn try_from(body: Value) -> Result<Self, ApiError> {
        let expected = |found: String| {
            let expected = format!("an entry, or a list of at most {MAX_ENTRIES_PER_REQUEST}");
            Err(ApiError::InvalidBody(format!(
                "body: found {found}, expected {expected}"
            )))
        };
        match body {
            Value::Object(_) => Ok(Self {
                shape: BodyShape::One,
                values: vec![body],
            }),
            Value::Array(values) if values.len() <= MAX_ENTRIES_PER_REQUEST => Ok(Self {
                shape: BodyShape::List,
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
    /// Entries without a time get times a microsecond apart, as entries that are equal in everything would be one row.
    fn decode<'a>(
        &'a self,
        request_id: &'a str,
        now: Timestamp,
        bounds: CreatedBounds,
    ) -> Vec<Result<Exposure<'a>, String>> {
        let mut created = now;
        let decoded = self.values.iter().enumerate().map(|(at, value)| {
            let path = match self.shape {
                BodyShape::One => String::new(),
                BodyShape::List => format!("[{at}]"),
            };
            let check = |created| bounds.check(created, now);
            let exposure = decode(value, &path, request_id, created, check);
            created = created.next().unwrap_or(created);
            exposure
        });
        decoded.collect()
    }
}

/// The outcome of an entry.
#[derive(Debug)]
enum EntryOutcome {
    Stored {
        request_id: String,
        created: Timestamp,
    },
    Invalid(String),
    Failed(StoreError),
}

/// Writes the valid entries; returns the outcome of each entry, in order.
async fn write_entries(
    recorder: &ExposureRecorder,
    decoded: Vec<Result<Exposure<'_>, String>>,
) -> Vec<EntryOutcome> {
    let mut exposures = Vec::with_capacity(decoded.len());
    let mut outcomes = Vec::with_capacity(decoded.len());
    for entry in decoded {
        outcomes.push(match entry {
            Ok(exposure) => {
                let request_id = exposure.request_id.to_string();
                let created = exposure.created;
                exposures.push(exposure);
                EntryOutcome::Stored {
                    request_id,
                    created,
                }
            }
            Err(problem) => EntryOutcome::Invalid(problem),
        });
    }
    recorder.count_invalid(outcomes.len() - exposures.len());
    let mut results = recorder.write_from_client(exposures).await.into_iter();
    for outcome in &mut outcomes {
        if let EntryOutcome::Stored { .. } = outcome {
            match results.next() {
                Some(Ok(())) => {}
                Some(Err(WriteExposureError::Invalid(invalid))) => {
                    *outcome = EntryOutcome::Invalid(invalid.to_string());
                }
                Some(Err(differs @ WriteExposureError::Differs { .. })) => {
                    *outcome = EntryOutcome::Invalid(differs.to_string());
                }
                Some(Err(WriteExposureError::Store(error))) => {
                    *outcome = EntryOutcome::Failed(error);
                }
                None => {
                    let source = "no result".into();
                    *outcome = EntryOutcome::Failed(StoreError::Unavailable { source });
                }
            }
        }
    }
    outcomes
}

/// Returns a result for each entry. If none was stored, returns an error, that of the store first.
fn reply(shape: BodyShape, outcomes: Vec<EntryOutcome>) -> Result<HttpResponse, ApiError> {
    let is_stored = |outcome: &EntryOutcome| matches!(outcome, EntryOutcome::Stored { .. });
    if !outcomes.is_empty() && !outcomes.iter().any(is_stored) {
        return Err(why_none(outcomes));
    }
    let mut results: Vec<EntryResult<'_>> = outcomes.iter().map(EntryOutcome::result).collect();
    Ok(match (shape, results.pop()) {
        (BodyShape::One, Some(result)) => HttpResponse::Ok().json(result),
        (_, last) => {
            results.extend(last);
            HttpResponse::Ok().json(LogReply { results })
        }
    })
}

fn why_none(outcomes: Vec<EntryOutcome>) -> ApiError {
    let mut problems = Vec::new();
    for outcome in outcomes {
        match outcome {
            EntryOutcome::Failed(error) => return ApiError::ExposureLog(error),
            EntryOutcome::Invalid(problem) => problems.push(problem),
            EntryOutcome::Stored { .. } => {}
        }
    }
    let more = problems.len().saturating_sub(MAX_NAMED);
    problems.truncate(MAX_NAMED);
    let mut detail = problems.join("; ");
    if more > 0 {
        let _ = write!(detail, "; and {more} more entries");
    }
    ApiError::InvalidBody(detail)
}

impl EntryOutcome {
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
            Self::Invalid(problem) => not_stored("refused", Code::InvalidRequest, problem.clone()),
            Self::Failed(error) => {
                let (code, detail) = describe_store(&"the exposure log", error);
                not_stored("failed", code, detail)
            }
        }
    }
}

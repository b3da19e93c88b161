//! `GET /get-feature-flag`: which value an instance receives.
mod reply;

use std::borrow::Cow;

use actix_web::HttpResponse;
use actix_web::body::BoxBody;
use actix_web::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use flag_api::{
    CACHE_STATUS, FLAG_NAME, FLAG_TYPE, FlagQuery, INSTANCE_ID, PROJECT_NAME, Parameter,
    ParameterProblem, STALE,
};
use flag_model::{FlagKey, FlagName, FlagType, InstanceId, Invalid, ProjectName};
use flag_rollout::{Decision, decide_with};
use flag_runtime::{Current, FlagKeyRef, Source};

use crate::http::{ApiError, AppState, RequestContext};

/// The header of a last known value, while the store cannot be reached.
const CACHE_STATUS_STALE: (HeaderName, HeaderValue) = (
    HeaderName::from_static(CACHE_STATUS),
    HeaderValue::from_static(STALE),
);

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Answers `GET /get-feature-flag`: one flag, one instance, one value.
pub(super) async fn get_feature_flag(context: &RequestContext) -> Result<HttpResponse, ApiError> {
    let AppState {
        flags, positions, ..
    } = &**context.state;
    let query = FlagQuery::parse(context.request.query_string());
    let query = query.map_err(ApiError::InvalidRequest)?;
    let fresh = find_fresh(context, &query);
    let (flag, instance) = decode(query, fresh.as_ref())?;
    context.may(&flag.project)?;
    let read;
    let current = if let Some(fresh) = &fresh {
        flags.count_hit();
        fresh
    } else {
        // In a box, as it is rare and large, and the server moves this future about.
        read = Box::pin(fetch(context, &flag)).await?;
        &read
    };
    let decision = decide_with(current, &instance, |format, instance| {
        positions.bucket(format, instance)
    });
    record(context, &instance, &decision, current);
    Ok(encode(context, &flag, &instance, &decision, current.source))
}

/// Finds a flag that is in memory and fresh, by the names as they were asked.
fn find_fresh(context: &RequestContext, query: &FlagQuery<'_>) -> Option<Current> {
    let key = FlagKeyRef {
        project: &query.project_name,
        flag_type: FlagType::parse(&query.flag_type).ok()?,
        name: &query.flag_name,
    };
    context.state.flags.get_fresh(key, context.began)
}

/// Checks the parameters. The names of a flag that is in memory are valid.
fn decode<'a>(
    query: FlagQuery<'a>,
    fresh: Option<&'a Current>,
) -> Result<(Cow<'a, FlagKey>, InstanceId<'a>), ApiError> {
    let instance = InstanceId::new(query.instance_id).map_err(invalid(INSTANCE_ID));
    if let Some(fresh) = fresh {
        let instance = instance.map_err(|wrong| ApiError::InvalidRequest(vec![wrong]))?;
        return Ok((Cow::Borrowed(fresh.flag()), instance));
    }
    let project = ProjectName::new(&query.project_name).map_err(invalid(PROJECT_NAME));
    let flag_type = FlagType::parse(&query.flag_type).map_err(invalid(FLAG_TYPE));
    let name = FlagName::new(&query.flag_name).map_err(invalid(FLAG_NAME));
    match (project, instance, flag_type, name) {
        (Ok(project), Ok(instance), Ok(flag_type), Ok(name)) => {
            let flag = FlagKey {
                project,
                flag_type,
                name,
            };
            Ok((Cow::Owned(flag), instance))
        }
        (Ok(_), Ok(_), Err(_), Ok(_)) if !query.flag_type.is_empty() => {
            Err(ApiError::InvalidFlagType(query.flag_type.into_owned()))
        }
        (project, instance, flag_type, name) => {
            let wrong = [project.err(), instance.err(), flag_type.err(), name.err()];
            let wrong = wrong.into_iter().flatten().collect();
            Err(ApiError::InvalidRequest(wrong))
        }
    }
}

/// Reads a flag that is not in memory or not fresh.
async fn fetch(context: &RequestContext, flag: &FlagKey) -> Result<Current, ApiError> {
    let read = async { Ok(context.state.flags.current(flag).await?) };
    let was_read = |current: &Current| current.source == Source::Store;
    context.trace.read(read, was_read).await
}

/// Counts, traces and logs a decision; a request for the headers alone is no exposure.
fn record(
    context: &RequestContext,
    instance: &InstanceId<'_>,
    decision: &Decision<'_>,
    current: &Current,
) {
    let state = &context.state;
    state.metrics.decisions.count(decision.reason);
    context.trace.decided(current.flag(), decision);
    if *context.request.method() != Method::HEAD {
        let id = context.id.as_str();
        state.exposures.record(id, instance, decision, current);
    }
}

fn encode(
    context: &RequestContext,
    flag: &FlagKey,
    instance: &InstanceId<'_>,
    decision: &Decision<'_>,
    source: Source,
) -> HttpResponse {
    let json = reply::write(
        context.id.as_str(),
        instance,
        flag.name.as_str(),
        decision.value,
        decision.rollout_group,
    );
    let mut response = HttpResponse::with_body(StatusCode::OK, BoxBody::new(json));
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    if source == Source::Stale {
        let (name, value) = CACHE_STATUS_STALE;
        response.headers_mut().insert(name, value);
    }
    response
}

fn invalid(name: &'static str) -> impl Fn(Invalid) -> Parameter {
    move |invalid| {
        let Invalid {
            found, expected, ..
        } = invalid;
        Parameter {
            name,
            problem: ParameterProblem::Invalid { found, expected },
        }
    }
}

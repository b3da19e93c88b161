//! `GET /get-feature-flag`: which value an instance receives.
mod reply;

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
use flag_runtime::{FlagKeyRef, RecordLater, Recorded, ServedPlan, Source};

use crate::http::{ApiError, RequestContext};

/// The header of a response with a last known value.
const CACHE_STATUS_STALE: (HeaderName, HeaderValue) = (
    HeaderName::from_static(CACHE_STATUS),
    HeaderValue::from_static(STALE),
);

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Answers `GET /get-feature-flag`: one flag, one instance, one value.
pub(super) async fn get_feature_flag(context: &RequestContext) -> Result<HttpResponse, ApiError> {
    let FlagRequest { target, instance } = decode(context)?;
    context.check_project(&target.flag().project)?;
    match target {
        Target::Fresh(current) => {
            context.state.flags.count_hit();
            match respond(context, &instance, &current) {
                Ok(response) => Ok(response),
                Err(later) => Box::pin(respond_later(context, &instance, &current, *later)).await,
            }
        }
        // In a box, as it is rare and large, and the server moves this future.
        Target::NeedsLookup(flag) => Box::pin(look_up_and_respond(context, &instance, &flag)).await,
    }
}

/// A valid request.
struct FlagRequest<'a> {
    target: Target,
    instance: InstanceId<'a>,
}

/// The flag of a request.
enum Target {
    /// In memory and fresh.
    Fresh(ServedPlan),
    /// Not in memory, or due to be read again.
    NeedsLookup(FlagKey),
}

impl Target {
    fn flag(&self) -> &FlagKey {
        match self {
            Self::Fresh(current) => current.flag(),
            Self::NeedsLookup(flag) => flag,
        }
    }
}

/// Decodes and checks the parameters. If a flag with these names is in memory, the names are valid.
fn decode(context: &RequestContext) -> Result<FlagRequest<'_>, ApiError> {
    let query = FlagQuery::parse(context.request.query_string());
    let query = query.map_err(ApiError::InvalidRequest)?;
    let fresh = find_fresh(context, &query);
    let instance = InstanceId::new(query.instance_id).map_err(invalid(INSTANCE_ID));
    if let Some(current) = fresh {
        let target = Target::Fresh(current);
        let instance = instance.map_err(|wrong| ApiError::InvalidRequest(vec![wrong]))?;
        return Ok(FlagRequest { target, instance });
    }
    let project = ProjectName::new(&query.project_name).map_err(invalid(PROJECT_NAME));
    let flag_type = FlagType::parse(&query.flag_type).map_err(invalid(FLAG_TYPE));
    let name = FlagName::new(&query.flag_name).map_err(invalid(FLAG_NAME));
    match (project, instance, flag_type, name) {
        (Ok(project), Ok(instance), Ok(flag_type), Ok(name)) => {
            let target = Target::NeedsLookup(FlagKey {
                project,
                flag_type,
                name,
            });
            Ok(FlagRequest { target, instance })
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

fn find_fresh(context: &RequestContext, query: &FlagQuery<'_>) -> Option<ServedPlan> {
    let key = FlagKeyRef {
        project: &query.project_name,
        flag_type: FlagType::parse(&query.flag_type).ok()?,
        name: &query.flag_name,
    };
    context.state.flags.get_fresh(key, context.began)
}

async fn look_up_and_respond(
    context: &RequestContext,
    instance: &InstanceId<'_>,
    flag: &FlagKey,
) -> Result<HttpResponse, ApiError> {
    let read = async {
        context
            .state
            .flags
            .current(flag)
            .await
            .map_err(ApiError::from)
    };
    let was_read = |current: &ServedPlan| current.source == Source::Store;
    let current = context.trace.read(read, was_read, ApiError::code).await?;
    match respond(context, instance, &current) {
        Ok(response) => Ok(response),
        Err(later) => respond_later(context, instance, &current, *later).await,
    }
}

/// Decides, records and encodes, unless the exposure must wait for space in its queue; that is in a box, as it is rare and large.
fn respond<'a>(
    context: &'a RequestContext,
    instance: &InstanceId<'_>,
    current: &ServedPlan,
) -> Result<HttpResponse, Box<RecordLater<'a>>> {
    let decision = decide(context, instance, current);
    let recorded = record(context, instance, &decision, current)?;
    Ok(encode(context, instance, &decision, current, recorded))
}

/// Waits until the exposure is recorded, and encodes the same decision.
async fn respond_later(
    context: &RequestContext,
    instance: &InstanceId<'_>,
    current: &ServedPlan,
    later: RecordLater<'_>,
) -> Result<HttpResponse, ApiError> {
    let recorded = later.wait().await?;
    let decision = decide(context, instance, current);
    Ok(encode(context, instance, &decision, current, recorded))
}

fn decide<'p>(
    context: &RequestContext,
    instance: &InstanceId<'_>,
    current: &'p ServedPlan,
) -> Decision<'p> {
    let buckets = &context.state.buckets;
    decide_with(current, instance, |format, instance| {
        buckets.bucket(format, instance)
    })
}

/// Logs a decision; a HEAD request is not an exposure.
fn record<'a>(
    context: &'a RequestContext,
    instance: &InstanceId<'_>,
    decision: &Decision<'_>,
    current: &ServedPlan,
) -> Result<Recorded, Box<RecordLater<'a>>> {
    if *context.request.method() == Method::HEAD {
        return Ok(Recorded::NOT_AN_EXPOSURE);
    }
    let exposures = &context.state.exposures;
    let recorded = exposures.record(context.id.as_str(), instance, decision, current);
    recorded.map_err(Box::new)
}

/// Counts and traces a recorded decision, and encodes it.
fn encode(
    context: &RequestContext,
    instance: &InstanceId<'_>,
    decision: &Decision<'_>,
    current: &ServedPlan,
    _: Recorded,
) -> HttpResponse {
    context.state.metrics.decisions.count(decision.reason);
    context.trace.decided(current.flag(), decision);
    let json = reply::write(
        &context.id,
        instance,
        current.flag().name.as_str(),
        decision.value,
        decision.rollout_group,
    );
    let mut response = HttpResponse::with_body(StatusCode::OK, BoxBody::new(json));
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    if current.source == Source::Stale {
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

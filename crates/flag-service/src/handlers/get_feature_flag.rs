//! `GET /get-feature-flag`: which value an instance receives.
mod reply;

use actix_web::HttpResponse;
use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use flag_api::{
    CACHE_STATUS, FLAG_NAME, FLAG_TYPE, FlagQuery, INSTANCE_ID, InvalidParameter, PROJECT_NAME,
    ParameterProblem, REASON, STALE,
};
use flag_model::{FlagKey, FlagName, FlagType, InstanceId, Invalid, ProjectName};
use flag_rollout::Decision;
use flag_runtime::{FlagKeyRef, ServedPlan, Source};

use super::evaluation::{Encode, decide_and_respond, look_up};
use crate::http::{ApiError, RequestContext};

/// The header of a response with a last known value.
const CACHE_STATUS_STALE: (HeaderName, HeaderValue) = (
    HeaderName::from_static(CACHE_STATUS),
    HeaderValue::from_static(STALE),
);

/// The media type of answers.
pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Answers `GET /get-feature-flag`: one flag, one instance, one value.
pub(super) async fn get_feature_flag(context: &RequestContext) -> Result<HttpResponse, ApiError> {
    let FlagRequest {
        target,
        instance,
        reason_header,
    } = decode(context)?;
    context.check_project(&target.flag().project)?;
    match target {
        Target::Fresh(plan) => {
            context.state.flags.count_hit();
            decide_and_respond(context, &instance, &plan, encoder(reason_header)).await
        }
        // In a box, as it is rare and large, and the server moves this future.
        Target::NeedsLookup(flag) => {
            Box::pin(look_up_and_respond(
                context,
                &instance,
                &flag,
                reason_header,
            ))
            .await
        }
    }
}

/// A valid request.
struct FlagRequest<'a> {
    target: Target,
    instance: InstanceId<'a>,
    reason_header: ReasonHeader,
}

/// Whether the reply has the header of the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ReasonHeader {
    /// No, as the replies of the Python framework.
    Omit,
    /// Yes.
    Send,
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
            Self::Fresh(plan) => plan.flag(),
            Self::NeedsLookup(flag) => flag,
        }
    }
}

/// Decodes and checks the parameters. If a flag with these names is in memory, the names are valid.
fn decode(context: &RequestContext) -> Result<FlagRequest<'_>, ApiError> {
    let query = FlagQuery::parse(context.request.query_string());
    let query = query.map_err(ApiError::InvalidRequest)?;
    let fresh = find_fresh(context, &query);
    let reason_header = if query.with_reason {
        ReasonHeader::Send
    } else {
        ReasonHeader::Omit
    };
    let instance = InstanceId::new(query.instance_id).map_err(invalid(INSTANCE_ID));
    if let Some(plan) = fresh {
        let target = Target::Fresh(plan);
        let instance = instance.map_err(|wrong| ApiError::InvalidRequest(vec![wrong]))?;
        return Ok(FlagRequest {
            target,
            instance,
            reason_header,
        });
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
            Ok(FlagRequest {
                target,
                instance,
                reason_header,
            })
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
    reason_header: ReasonHeader,
) -> Result<HttpResponse, ApiError> {
    let plan = look_up(context, flag).await?;
    decide_and_respond(context, instance, &plan, encoder(reason_header)).await
}

/// Returns what encodes a decision once its exposure is handled.
fn encoder(reason_header: ReasonHeader) -> impl Encode {
    move |context: &RequestContext,
          instance: &InstanceId<'_>,
          decision: &Decision<'_>,
          plan: &ServedPlan| {
        let json = reply::write(
            &context.id,
            instance,
            plan.flag().name.as_str(),
            decision.value,
            decision.rollout_group,
        );
        let mut response = HttpResponse::with_body(StatusCode::OK, BoxBody::new(json));
        response.headers_mut().insert(CONTENT_TYPE, JSON);
        if plan.source == Source::Stale {
            let (name, value) = CACHE_STATUS_STALE;
            response.headers_mut().insert(name, value);
        }
        if reason_header == ReasonHeader::Send {
            let reason = HeaderValue::from_static(decision.reason.as_str());
            let name = HeaderName::from_static(REASON);
            response.headers_mut().insert(name, reason);
        }
        response
    }
}

fn invalid(name: &'static str) -> impl Fn(Invalid) -> InvalidParameter {
    move |invalid| {
        let Invalid {
            found, expected, ..
        } = invalid;
        InvalidParameter {
            name,
            problem: ParameterProblem::Invalid { found, expected },
        }
    }
}

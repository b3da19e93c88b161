//! `POST …/ofrep/v1/evaluate/flags/{key}`: the value of one flag. It is an exposure, as an answer of `GET /get-feature-flag` is.

use actix_web::HttpResponse;
use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Payload;
use flag_model::{FlagKey, FlagValue, InstanceId, ProjectName};
use flag_rollout::Decision;
use flag_runtime::{CacheError, FlagKeyRef, ServedPlan};

use super::item::{self, Evaluated, FRAME};
use super::key::meanings;
use super::request::read_instance;
use crate::handlers::evaluation::{decide_and_respond, look_up};
use crate::handlers::get_feature_flag::JSON;
use crate::http::{ApiError, RequestContext};

/// Answers `POST …/ofrep/v1/evaluate/flags/{key}`.
pub(in crate::handlers) async fn evaluate_flag(
    context: &RequestContext,
    body: Payload,
) -> Result<HttpResponse, ApiError> {
    let project = context.project()?;
    context.check_project(&project)?;
    let instance = read_instance(context, body).await?;
    let key = context.ofrep_key().unwrap_or_default();
    let plan = find(context, &project, &key).await?;
    let encode = |context: &RequestContext,
                  _: &InstanceId<'_>,
                  decision: &Decision<'_>,
                  plan: &ServedPlan| { encode(context, &key, decision, plan) };
    decide_and_respond(context, &instance, &plan, encode).await
}

/// Returns the revision in force of the flag that a key means: the first that exists.
///
/// If the store fails for one of them, the others still count: a flag in memory is served whatever its twin would be.
async fn find(
    context: &RequestContext,
    project: &ProjectName,
    key: &str,
) -> Result<ServedPlan, ApiError> {
    let mut failure = None;
    for flag in meanings(project, key) {
        match get_or_read(context, &flag).await {
            Err(ApiError::Flag(CacheError::NotFound(_))) => {}
            Err(error @ ApiError::Flag(CacheError::Store { .. })) => {
                failure.get_or_insert(error);
            }
            found => return found,
        }
    }
    Err(failure.unwrap_or_else(|| ApiError::UnknownKey {
        project: project.clone(),
        key: key.to_owned(),
    }))
}

async fn get_or_read(context: &RequestContext, flag: &FlagKey) -> Result<ServedPlan, ApiError> {
    let flags = &context.state.flags;
    if let Some(plan) = flags.get_fresh(FlagKeyRef::from(flag), context.began) {
        flags.count_hit();
        return Ok(plan);
    }
    look_up(context, flag).await
}

fn encode(
    context: &RequestContext,
    key: &str,
    decision: &Decision<'_>,
    plan: &ServedPlan,
) -> HttpResponse {
    let value = match decision.value {
        FlagValue::Boolean(_) => 0,
        FlagValue::Text(text) => text.len(),
    };
    let mut json = Vec::with_capacity(FRAME + key.len() + value + decision.rollout_group.len());
    let control = context.state.ofrep.control_reason;
    let evaluated = Evaluated {
        prefix: "",
        key,
        decision,
        plan,
        source: plan.source,
    };
    item::success(&mut json, evaluated, control);
    let mut response = HttpResponse::with_body(StatusCode::OK, BoxBody::new(json));
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

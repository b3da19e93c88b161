//! `GET /projects/{project}/flags/{type}/{name}/explain`: what an instance received at an instant, and why.

use actix_web::HttpResponse;
use actix_web::http::header::CONTENT_TYPE;
use flag_api::{
    AT, EXPLAIN_PARTS, ExplainQuery, ExplainedTreatment, Explanation, FLAG_NAME, INSTANCE_ID,
    InvalidParameter, ParameterProblem, ReplyValue, ServedAnswer,
};
use flag_model::{FlagKey, FlagName, FlagType, FlagValue, InstanceId, Invalid, Timestamp, quoted};
use flag_rollout::{decide, groups};
use flag_store::{Clock as _, SystemClock};
use flag_verify::RecheckedExposure;

use super::get_feature_flag::JSON;
use crate::http::{ApiError, ExplainedRecords, RequestContext, valid_project};

/// Answers with the decision of the revision in force, and what was served to the instance.
pub(super) async fn explain(context: &RequestContext) -> Result<HttpResponse, ApiError> {
    let now = SystemClock.now();
    let (flag, instance, at) = decode(context, now)?;
    context.check_project(&flag.project)?;
    let reader = &context.state.explain_reader;
    let found = reader.explain(&flag, &instance, at).await?;
    let body = encode(&flag, &instance, at.unwrap_or(now), &found);
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, JSON))
        .body(body))
}

/// Decodes and checks flag, instance and time.
fn decode(
    context: &RequestContext,
    now: Timestamp,
) -> Result<(FlagKey, InstanceId<'static>, Option<Timestamp>), ApiError> {
    let request = &context.request;
    let parts = EXPLAIN_PARTS.map(|part| request.match_info().get(part).unwrap_or_default());
    let query = ExplainQuery::parse(parts, request.query_string());
    let query = query.map_err(ApiError::InvalidRequest)?;
    let flag_type = FlagType::parse(&query.flag_type);
    let flag = FlagKey {
        project: valid_project(&query.project_name)?,
        flag_type: flag_type
            .map_err(|_| ApiError::InvalidFlagType(query.flag_type.into_owned()))?,
        name: FlagName::new(&query.flag_name).map_err(|of| invalid(FLAG_NAME, of))?,
    };
    let instance = InstanceId::new(query.instance_id.into_owned());
    let at = query.at.map(|at| past(&at, now)).transpose()?;
    Ok((flag, instance.map_err(|of| invalid(INSTANCE_ID, of))?, at))
}

fn past(text: &str, now: Timestamp) -> Result<Timestamp, ApiError> {
    let at = Timestamp::parse(text).map_err(|of| invalid(AT, of))?;
    if at <= now {
        return Ok(at);
    }
    Err(invalid(
        AT,
        Invalid::new(AT, quoted(text), "a time that has passed"),
    ))
}

fn invalid(
    name: &'static str,
    Invalid {
        found, expected, ..
    }: Invalid,
) -> ApiError {
    let problem = ParameterProblem::Invalid { found, expected };
    ApiError::InvalidRequest(vec![InvalidParameter { name, problem }])
}

fn encode(
    flag: &FlagKey,
    instance: &InstanceId<'_>,
    at: Timestamp,
    found: &ExplainedRecords,
) -> Vec<u8> {
    let revision = &found.revision;
    let decision = decide(&found.plan, instance);
    let owned = groups(revision);
    let treatments = revision.treatments.iter().zip(&owned);
    let treatments = treatments.map(|(treatment, (group, ranges))| ExplainedTreatment {
        rollout_group: group.into(),
        flag_value: reply(&treatment.value),
        ranges: ranges.iter().map(|of| [of.from(), of.to()]).collect(),
    });
    let explanation = Explanation {
        project_name: flag.project.as_str().into(),
        flag_type: flag.flag_type.as_str().into(),
        flag_name: flag.name.as_str().into(),
        instance_id: instance.as_str().into(),
        at: at.to_string().into(),
        flag_value: reply(decision.value),
        rollout_group: decision.rollout_group.into(),
        reason: decision.reason.as_str().into(),
        bucket: decision.bucket.map(flag_model::Bucket::get),
        revision_time: revision.created().to_string().into(),
        treatments: treatments.collect(),
        served: found.served.iter().map(served).collect(),
        agrees: flag_verify::all_agree(&found.served),
    };
    serde_json::to_vec(&explanation).unwrap_or_default()
}

fn reply(value: &FlagValue) -> ReplyValue<'_> {
    match value {
        FlagValue::Boolean(value) => ReplyValue::Boolean(*value),
        FlagValue::Text(text) => ReplyValue::Text((&**text).into()),
    }
}

fn served(again: &RecheckedExposure) -> ServedAnswer<'_> {
    let exposure = &again.exposure;
    let optional = |text: &'_ Option<String>| text.clone().map(Into::into);
    ServedAnswer {
        created_time: exposure.created.as_str().into(),
        request_id: exposure.request_id.as_str().into(),
        flag_value: exposure.value.as_str().into(),
        rollout_group: exposure.rollout_group.as_str().into(),
        reason: optional(&exposure.reason),
        bucket: optional(&exposure.bucket),
        revision_time: optional(&exposure.revision),
        agrees: again.agrees(),
        stale_ms: again
            .outdated_for
            .map(|stale| u64::try_from(stale.as_millis()).unwrap_or(u64::MAX)),
    }
}

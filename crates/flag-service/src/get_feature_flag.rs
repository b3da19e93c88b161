//! `GET /get-feature-flag`: which value an instance receives.

use actix_web::HttpResponse;
use actix_web::http::header::{HeaderName, HeaderValue};
use flag_api::{
    FLAG_NAME, FLAG_TYPE, FlagQuery, FlagReply, INSTANCE_ID, PROJECT_NAME, Parameter,
    ParameterProblem, ReplyValue,
};
use flag_model::{FlagKey, FlagName, FlagType, FlagValue, InstanceId, Invalid, ProjectName};
use flag_rollout::{Decision, decide_with};

use crate::cache::Source;
use crate::exposures::Outcome;
use crate::problem::ApiError;
use crate::request_id::RequestId;
use crate::routes::Route;
use crate::visit::Visit;

/// Tells a caller that the store cannot be reached, and the value is the last one known.
const CACHE_STATUS_STALE: (HeaderName, HeaderValue) = (
    HeaderName::from_static("cache-status"),
    HeaderValue::from_static("stale"),
);

/// Answers `GET /get-feature-flag`: one flag, one instance, one value.
pub(crate) async fn get_feature_flag(visit: Visit) -> HttpResponse {
    visit.answer(Route::GetFeatureFlag, decided(&visit)).await
}

async fn decided(visit: &Visit) -> Result<HttpResponse, ApiError> {
    let query = FlagQuery::parse(visit.request.query_string()).map_err(ApiError::InvalidRequest)?;
    let question = Question::try_from(query)?;
    visit.may(&question.flag.project)?;
    let read = visit.site.flags.current(&question.flag);
    let current = visit.trace.read(read).await?;
    let positions = &visit.site.positions;
    let decision = decide_with(&current, &question.instance, |format, instance| {
        positions.bucket(format, instance)
    });
    visit.site.metrics.decisions.count(decision.reason);
    visit.trace.decided(&question.flag, &decision);
    let mut response = HttpResponse::Ok();
    if current.source == Source::Stale {
        response.insert_header(CACHE_STATUS_STALE);
    }
    let response = response.json(reply(&visit.id, &question, &decision));
    let outcome = Outcome::from(&decision);
    let exposures = &visit.site.exposures;
    exposures.record(visit, &question.instance, outcome, &current);
    Ok(response)
}

/// Which flag, and for whom.
struct Question<'a> {
    flag: FlagKey,
    instance: InstanceId<'a>,
}

impl<'a> TryFrom<FlagQuery<'a>> for Question<'a> {
    type Error = ApiError;

    fn try_from(query: FlagQuery<'a>) -> Result<Self, ApiError> {
        let project = ProjectName::new(&query.project_name).map_err(invalid(PROJECT_NAME));
        let instance = InstanceId::new(query.instance_id).map_err(invalid(INSTANCE_ID));
        let flag_type = FlagType::parse(&query.flag_type).map_err(invalid(FLAG_TYPE));
        let name = FlagName::new(&query.flag_name).map_err(invalid(FLAG_NAME));
        match (project, instance, flag_type, name) {
            (Ok(project), Ok(instance), Ok(flag_type), Ok(name)) => Ok(Self {
                flag: FlagKey {
                    project,
                    flag_type,
                    name,
                },
                instance,
            }),
            (Ok(_), Ok(_), Err(_), Ok(_)) if !query.flag_type.is_empty() => {
                Err(ApiError::InvalidFlagType(query.flag_type.into_owned()))
            }
            (project, instance, flag_type, name) => {
                let wrong = [project.err(), instance.err(), flag_type.err(), name.err()];
                Err(ApiError::InvalidRequest(
                    wrong.into_iter().flatten().collect(),
                ))
            }
        }
    }
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

fn reply<'a>(
    id: &'a RequestId,
    question: &'a Question<'_>,
    decision: &Decision<'a>,
) -> FlagReply<'a> {
    FlagReply {
        request_id: id.as_str().into(),
        instance_id: question.instance.as_str().into(),
        flag_type: question.flag.flag_type.as_str().into(),
        flag_name: question.flag.name.as_str().into(),
        flag_value: match decision.value {
            FlagValue::Boolean(value) => ReplyValue::Boolean(*value),
            FlagValue::Text(text) => ReplyValue::Text((&**text).into()),
        },
        rollout_group: decision.rollout_group.into(),
    }
}

//! `GET /get-feature-flag`: which value an instance receives.

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
use flag_rollout::decide_with;
use flag_runtime::{Current, FlagKeyRef, Source};

use crate::problem::ApiError;
use crate::reply;
use crate::routes::Route;
use crate::visit::Visit;

/// Tells a caller that the store cannot be reached, and the value is the last one known.
const CACHE_STATUS_STALE: (HeaderName, HeaderValue) = (
    HeaderName::from_static(CACHE_STATUS),
    HeaderValue::from_static(STALE),
);

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Answers `GET /get-feature-flag`: one flag, one instance, one value.
pub(crate) async fn get_feature_flag(visit: Visit) -> HttpResponse {
    visit.answer(Route::GetFeatureFlag, decided(&visit)).await
}

/// As a rule the flag is in memory and fresh: it is found by what was asked, without making a key of it. The way of all
/// others is in a box: the server moves this future about, and without them it is small.
async fn decided(visit: &Visit) -> Result<HttpResponse, ApiError> {
    let query = FlagQuery::parse(visit.request.query_string()).map_err(ApiError::InvalidRequest)?;
    if let Some(current) = settled(visit, &query) {
        // In this order: whoever may not ask must not learn from the error whether the flag is there.
        let instance = instance(query.instance_id);
        let instance = instance.map_err(|wrong| ApiError::InvalidRequest(vec![wrong]))?;
        visit.may(&current.flag().project)?;
        visit.site.flags.count_hit();
        return Ok(answer(visit, &instance, &query.flag_name, &current));
    }
    Box::pin(read(visit, query)).await
}

/// Answers about a flag that may have to be read, or not be one.
async fn read(visit: &Visit, query: FlagQuery<'_>) -> Result<HttpResponse, ApiError> {
    let question = Question::try_from(query)?;
    visit.may(&question.flag.project)?;
    let read = async { Ok(visit.site.flags.current(&question.flag).await?) };
    let current = visit.trace.read(read).await?;
    let Question { flag, instance } = &question;
    Ok(answer(visit, instance, flag.name.as_str(), &current))
}

/// The flag, if it is in memory and nothing is to be done about it.
fn settled(visit: &Visit, query: &FlagQuery<'_>) -> Option<Current> {
    let key = FlagKeyRef {
        project: &query.project_name,
        flag_type: FlagType::parse(&query.flag_type).ok()?,
        name: &query.flag_name,
    };
    visit.site.flags.get_fresh(key, visit.began)
}

/// Decides, says so, and remembers having said so.
///
/// The flag's name is the one that was asked for: the same text, where memory is read already.
fn answer(visit: &Visit, instance: &InstanceId<'_>, name: &str, current: &Current) -> HttpResponse {
    let positions = &visit.site.positions;
    let decision = decide_with(current, instance, |format, instance| {
        positions.bucket(format, instance)
    });
    visit.site.metrics.decisions.count(decision.reason);
    visit.trace.decided(current.flag(), &decision);
    let json = reply::write(
        visit.id.as_str(),
        instance,
        name,
        decision.value,
        decision.rollout_group,
    );
    let mut response = HttpResponse::with_body(StatusCode::OK, BoxBody::new(json));
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    if current.source == Source::Stale {
        let (name, value) = CACHE_STATUS_STALE;
        response.headers_mut().insert(name, value);
    }
    // A request for the headers alone was served nothing.
    if *visit.request.method() != Method::HEAD {
        let exposures = &visit.site.exposures;
        exposures.record(visit.id.as_str(), instance, &decision, current);
    }
    response
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
        let instance = instance(query.instance_id);
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

fn instance(text: Cow<'_, str>) -> Result<InstanceId<'_>, Parameter> {
    InstanceId::new(text).map_err(invalid(INSTANCE_ID))
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

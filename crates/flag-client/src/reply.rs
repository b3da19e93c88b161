//! Reads answers of the service.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use flag_api::{CACHE_STATUS, Code, FlagReply, REASON, ReplyValue, STALE, UNKNOWN_FLAG};
use flag_model::{FlagType, FlagValue, InvalidPercent, Reason};
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde_json::Value as Json;

use crate::detail::{Freshness, KnownValue};
use crate::failure::{Failure, RequestFailure};
use crate::question::Question;

/// How much of a text of the service is kept in a failure, in bytes.
const SHOWN: usize = 200;

/// Reads a value, if it is the answer to this question.
pub(crate) fn read_value(
    question: Question<'_>,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<KnownValue, Failure> {
    let reply: FlagReply<'_> = serde_json::from_slice(body)
        .map_err(|error| bad(&format!("{} in {}", short(&error.to_string()), shown(body))))?;
    let (name, instance_id) = (&*reply.flag_name, &*reply.instance_id);
    if name != question.flag.name || instance_id != question.instance_id {
        let (name, instance_id) = (short(name), short(instance_id));
        return Err(bad(&format!("it is about {name} and {instance_id:?}")));
    }
    let value = value(question.flag.flag_type, reply.flag_value)
        .ok_or_else(|| bad("the wrong kind of value"))?;
    Ok(KnownValue {
        value,
        rollout_group: reply.rollout_group.into(),
        reason: reason(headers),
        freshness: freshness(headers),
        is_outdated: false,
    })
}

fn reason(headers: &HeaderMap) -> Option<Reason> {
    Reason::parse(headers.get(REASON)?.to_str().ok()?)
}

/// The value, if it is of the kind that flags of this type have.
fn value(flag_type: FlagType, value: ReplyValue<'_>) -> Option<FlagValue> {
    match (flag_type, value) {
        (FlagType::Feature, ReplyValue::Boolean(value)) => Some(FlagValue::Boolean(value)),
        (FlagType::Data, ReplyValue::Text(text)) => Some(FlagValue::Text(text.into())),
        _ => None,
    }
}

/// Reads why there is no value.
pub(crate) fn read_problem(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> RequestFailure {
    let problem: Json = serde_json::from_slice(body).unwrap_or_default();
    let text = |name: &str| problem.get(name).and_then(Json::as_str).unwrap_or_default();
    let (code, detail) = (text("code"), short(text("detail")));
    RequestFailure {
        failure: failure(status, code, detail, body),
        retry_after: retry_after(headers, SystemTime::now()),
    }
}

fn failure(status: StatusCode, code: &str, detail: &str, body: &[u8]) -> Failure {
    if code == Code::InvalidFlagData.as_str() || detail.starts_with(InvalidPercent::MESSAGE_PREFIX)
    {
        return Failure::FlagUnreadable(detail.into());
    }
    let said: Arc<str> = match detail {
        "" => format!("{status}, {}", shown(body)).into(),
        detail => format!("{status}, {detail}").into(),
    };
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Failure::Unauthorized(said),
        StatusCode::NOT_FOUND if detail.starts_with(UNKNOWN_FLAG) => {
            Failure::FlagNotFound(detail.into())
        }
        StatusCode::BAD_REQUEST if !detail.is_empty() => Failure::InvalidRequest(detail.into()),
        _ => Failure::ServiceFailed(said),
    }
}

fn bad(text: &str) -> Failure {
    Failure::BadAnswer(text.into())
}

fn freshness(headers: &HeaderMap) -> Freshness {
    let values = headers.get_all(CACHE_STATUS);
    let mut words = values
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split([',', ';']))
        .map(str::trim);
    if words.any(|word| word.eq_ignore_ascii_case(STALE)) {
        Freshness::LastKnownAtService
    } else {
        Freshness::Current
    }
}

/// `Retry-After`: seconds, or a date.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // Only too many digits cannot be parsed.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    date.duration_since(now).ok()
}

fn short(text: &str) -> &str {
    let end = text.floor_char_boundary(SHOWN);
    text.get(..end).unwrap_or(text)
}

fn shown(body: &[u8]) -> String {
    let start = body.get(..SHOWN).unwrap_or(body);
    format!("{:?}", String::from_utf8_lossy(start))
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;
    use crate::question::FlagRef;

    const QUESTION: Question<'_> = Question {
        flag: FlagRef::boolean("f"),
        instance_id: "A12345",
    };

    const REPLY: &str = r#"{"request_id":"r","instance_id":"A12345","flag_type":"feature",
        "flag_name":"f","flag_value":true,"rollout_group":"treatment_1"}"#;

    #[track_caller]
    fn check_no_value(body: &str, expected: &str) {
        let failure = read_value(QUESTION, &HeaderMap::new(), body.as_bytes()).unwrap_err();
        assert_eq!(failure.to_string(), expected);
    }

    #[track_caller]
    fn check_problem(status: u16, body: &str, expected: &Failure) {
        let status = StatusCode::from_u16(status).unwrap();
        let failed = read_problem(status, &HeaderMap::new(), body.as_bytes());
        assert_eq!(&failed.failure, expected);
    }

    #[track_caller]
    fn check_retry_after(value: &'static str, expected: Option<u64>) {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(value))]);
        let now = UNIX_EPOCH + Duration::from_secs(784_111_770);
        assert_eq!(
            retry_after(&headers, now),
            expected.map(Duration::from_secs)
        );
    }

    #[track_caller]
    fn check_freshness(value: &'static str, expected: Freshness) {
        let headers = HeaderMap::from_iter([(
            HeaderName::from_static(CACHE_STATUS),
            HeaderValue::from_static(value),
        )]);
        let known = read_value(QUESTION, &headers, REPLY.as_bytes()).unwrap();
        assert_eq!(known.freshness, expected);
    }

    #[test]
    fn an_answer_to_another_question_is_none() {
        check_no_value(
            &REPLY.replace("A12345", "B67890"),
            "not an answer: it is about f and \"B67890\"",
        );
    }

    #[test]
    fn a_value_of_the_wrong_kind_is_none() {
        for value in ["\"true\"", "\"\""] {
            check_no_value(
                &REPLY.replace("true", value),
                "not an answer: the wrong kind of value",
            );
        }
    }

    #[test]
    fn what_is_no_reply_is_shown_up_to_a_point() {
        check_no_value(
            "<html>",
            "not an answer: expected value at line 1 column 1 in \"<html>\"",
        );
        let long = read_value(QUESTION, &HeaderMap::new(), &[b'<'; 10_000]).unwrap_err();
        assert!(long.to_string().len() < 300, "{long}");
    }

    #[test]
    fn however_much_is_said_little_is_kept() {
        let long = "é".repeat(100_000);
        let text = |failure: &Failure| failure.to_string().len();
        for status in [400, 401, 404, 500] {
            for detail in [format!("{UNKNOWN_FLAG}{long}"), long.clone()] {
                let body = serde_json::json!({ "detail": detail }).to_string();
                let status = StatusCode::from_u16(status).unwrap();
                let failed = read_problem(status, &HeaderMap::new(), body.as_bytes());
                assert!(text(&failed.failure) < 500, "{status}");
            }
        }
        let other = REPLY.replace("A12345", &long);
        for body in [format!("\"{long}\""), other] {
            let failure = read_value(QUESTION, &HeaderMap::new(), body.as_bytes()).unwrap_err();
            assert!(text(&failure) < 500);
        }
    }

    #[test]
    fn facts_are_distinguished_from_failures() {
        let unknown = "No Flag Data found: p/feature/f has no revision";
        let problem = |code: &str, detail: &str| {
            format!(r#"{{"code":"{code}","detail":"{detail}","status":0}}"#)
        };
        check_problem(
            404,
            &problem("flag_not_found", unknown),
            &Failure::FlagNotFound(unknown.into()),
        );
        check_problem(
            404,
            &format!(r#"{{"detail":"{unknown}"}}"#),
            &Failure::FlagNotFound(unknown.into()),
        );
        check_problem(
            404,
            &problem("not_found", "nothing at /x"),
            &Failure::ServiceFailed("404 Not Found, nothing at /x".into()),
        );
        check_problem(
            400,
            &problem("invalid_request", "flag_name: found a#b"),
            &Failure::InvalidRequest("flag_name: found a#b".into()),
        );
        let percent = "Rollout percentage: 140 is invalid.";
        check_problem(
            400,
            &problem("invalid_rollout_percentage", percent),
            &Failure::FlagUnreadable(percent.into()),
        );
        check_problem(
            500,
            &problem("invalid_flag_data", "row k"),
            &Failure::FlagUnreadable("row k".into()),
        );
        check_problem(
            403,
            &problem("forbidden", "not this project"),
            &Failure::Unauthorized("403 Forbidden, not this project".into()),
        );
        check_problem(
            502,
            "<html>",
            &Failure::ServiceFailed("502 Bad Gateway, \"<html>\"".into()),
        );
        check_problem(
            400,
            "plain HTTP sent to an HTTPS port",
            &Failure::ServiceFailed("400 Bad Request, \"plain HTTP sent to an HTTPS port\"".into()),
        );
    }

    #[test]
    fn when_to_come_back_is_requested_in_seconds_or_as_a_date() {
        check_retry_after("7", Some(7));
        check_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", Some(7));
        check_retry_after("Sun, 06 Nov 1994 08:49:00 GMT", None);
        check_retry_after("99999999999999999999", Some(u64::MAX));
        check_retry_after("soon", None);
        check_retry_after("", None);
        check_retry_after("-1", None);
    }

    #[test]
    fn the_service_says_when_it_could_not_read_its_store() {
        check_freshness("stale", Freshness::LastKnownAtService);
        check_freshness("flag-service; hit; Stale", Freshness::LastKnownAtService);
        check_freshness("hit", Freshness::Current);
    }
}

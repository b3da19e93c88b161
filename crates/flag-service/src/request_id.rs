//! Which request this is: the caller's id, or one of ours.

use std::future::{Ready, ready};
use std::panic::AssertUnwindSafe;

use actix_web::dev::Payload;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use flag_api::REQUEST_ID;
use futures_util::FutureExt as _;
use uuid::Uuid;

use crate::problem::ApiError;

/// The caller's `X-Request-Id` if it matches `[A-Za-z0-9._-]{1,64}`, else a new UUIDv7.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(String);

impl RequestId {
    /// The id as text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The answer with the id in its header; an error as its problem, and a panic as an internal error.
    pub(crate) async fn respond(
        &self,
        answer: impl Future<Output = Result<HttpResponse, ApiError>>,
    ) -> HttpResponse {
        let answer = AssertUnwindSafe(answer).catch_unwind().await;
        let answer = answer.unwrap_or(Err(ApiError::Internal));
        let mut response = answer.unwrap_or_else(|error| error.respond(self));
        if let Ok(id) = HeaderValue::from_str(&self.0) {
            response
                .headers_mut()
                .insert(HeaderName::from_static(REQUEST_ID), id);
        }
        response
    }
}

impl FromRequest for RequestId {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let given = request
            .headers()
            .get(REQUEST_ID)
            .and_then(|id| id.to_str().ok());
        let id = given
            .filter(|id| is_request_id(id))
            .map_or_else(|| Uuid::now_v7().to_string(), str::to_owned);
        ready(Ok(Self(id)))
    }
}

fn is_request_id(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=64).contains(&text.len()) && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[track_caller]
    fn check(given: &str, kept: bool) {
        let request = TestRequest::default()
            .insert_header((REQUEST_ID, given))
            .to_http_request();
        let id = RequestId::from_request(&request, &mut Payload::None)
            .into_inner()
            .unwrap();
        assert_eq!(id.as_str() == given, kept, "{given}");
        assert!(is_request_id(id.as_str()));
    }

    #[test]
    fn a_callers_id_is_kept_if_it_is_short_and_plain() {
        for id in ["a", "A.b_c-9", &"x".repeat(64)] {
            check(id, true);
        }
        for id in ["", "a b", "a\"b", "a#b", "é", &"x".repeat(65)] {
            check(id, false);
        }
    }

    #[tokio::test]
    async fn a_panic_is_an_internal_error() {
        let id = RequestId("r-1".to_owned());
        let response = id.respond(async { panic!("for the test") }).await;
        assert_eq!(response.status().as_u16(), 500);
        assert_eq!(response.headers().get(REQUEST_ID).unwrap(), "r-1");
    }
}

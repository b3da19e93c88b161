//! Which request this is: the caller's id, or one of ours.

use actix_web::HttpRequest;
use flag_api::REQUEST_ID;
use uuid::Uuid;

/// The caller's `X-Request-Id` if it matches `[A-Za-z0-9._-]{1,64}`, else a new UUIDv7.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(String);

impl RequestId {
    /// The id as text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The id of a request.
    pub(crate) fn of(request: &HttpRequest) -> Self {
        let given = request
            .headers()
            .get(REQUEST_ID)
            .and_then(|id| id.to_str().ok());
        let id = given
            .filter(|id| is_request_id(id))
            .map_or_else(|| Uuid::now_v7().to_string(), str::to_owned);
        Self(id)
    }
}

/// Whether a text may be a request id.
pub(crate) fn is_request_id(text: &str) -> bool {
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
        let id = RequestId::of(&request);
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
}

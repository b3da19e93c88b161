//! The id of a request: the caller's, or a new one.

use std::fmt;
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderName, HeaderValue};
use flag_api::REQUEST_ID;
use uuid::fmt::Hyphenated;
use uuid::{ContextV7, Timestamp, Uuid};

/// The header of the id, in requests and responses.
pub(crate) const HEADER: HeaderName = HeaderName::from_static(REQUEST_ID);

/// The caller's `X-Request-Id` if it matches `[A-Za-z0-9._-]{1,64}`, else a new UUIDv7.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(Text);

/// The text; needs no allocation.
#[derive(Clone, Debug)]
enum Text {
    /// From the head of the request.
    Given(HeaderValue),
    /// Generated.
    Made([u8; Hyphenated::LENGTH]),
}

impl RequestId {
    /// Returns the id as text.
    pub(crate) fn as_str(&self) -> &str {
        // It was ASCII when it was taken.
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// Returns the bytes of the text, which need no escapes in JSON.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Text::Given(id) => id.as_bytes(),
            Text::Made(id) => id,
        }
    }

    /// Returns the id as a header value.
    pub(crate) fn to_header(&self) -> Option<HeaderValue> {
        match &self.0 {
            Text::Given(id) => Some(id.clone()),
            Text::Made(id) => HeaderValue::from_bytes(id).ok(),
        }
    }

    /// Returns the id of a request.
    pub(crate) fn of(request: &HttpRequest) -> Self {
        let given = request.headers().get(HEADER);
        let given = given.filter(|id| id.to_str().is_ok_and(is_request_id));
        Self(match given {
            Some(id) => Text::Given(id.clone()),
            None => Text::Made(made()),
        })
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn made() -> [u8; Hyphenated::LENGTH] {
    made_at(SystemTime::now())
}

/// A UUIDv7; a clock before 1970 counts as 1970, where `Uuid::now_v7` would panic.
fn made_at(time: SystemTime) -> [u8; Hyphenated::LENGTH] {
    /// Counts within a millisecond, so that ids are ordered.
    static COUNTER: Mutex<ContextV7> = Mutex::new(ContextV7::new());

    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let at = Timestamp::from_unix(&COUNTER, since.as_secs(), since.subsec_nanos());
    let mut text = [0; Hyphenated::LENGTH];
    Uuid::new_v7(at).hyphenated().encode_lower(&mut text);
    text
}

/// Whether a text may be a request id.
pub(crate) fn is_request_id(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=64).contains(&text.len()) && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
    fn a_clock_that_is_out_of_range_still_makes_different_ids() {
        let day = Duration::from_hours(24);
        for time in [UNIX_EPOCH - day, UNIX_EPOCH + 365 * 20_000 * day] {
            let [one, other] =
                [made_at(time), made_at(time)].map(|id| str::from_utf8(&id).unwrap().to_owned());
            assert!(is_request_id(&one) && one != other, "{one} {other}");
        }
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

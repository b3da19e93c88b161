//! Limits of the size of a request, according to its head.

use actix_web::HttpRequest;
use actix_web::http::header::CONTENT_LENGTH;

use super::error::{LimitError, Size};

/// The longest path with its query. The longest sensible query, percent-encoded, takes 3 KiB.
const MAX_URI: usize = 8 << 10;

/// The largest headers, path and query included. actix-http reads up to 128 KiB before it refuses by itself.
const MAX_HEAD: usize = 32 << 10;

/// Refuses a request that is too large; `max_body` is the limit of a body in bytes.
pub(super) fn check(request: &HttpRequest, max_body: usize) -> Result<(), LimitError> {
    let uri = request.uri();
    let uri = uri.path().len() + uri.query().map_or(0, |query| query.len() + 1);
    let mut head = uri;
    let mut body = 0;
    for (name, value) in request.headers() {
        head += name.as_str().len() + value.len() + ": \r\n".len();
        if name == CONTENT_LENGTH {
            let length = value.to_str().ok().and_then(|length| length.parse().ok());
            body = length.unwrap_or(u64::MAX);
        }
    }
    if uri > MAX_URI {
        return Err(LimitError::UriTooLong(size(uri, MAX_URI)));
    }
    if head > MAX_HEAD {
        return Err(LimitError::HeadersTooLarge(size(head, MAX_HEAD)));
    }
    let max = u64::try_from(max_body).unwrap_or(u64::MAX);
    if body > max {
        return Err(LimitError::PayloadTooLarge {
            found: Some(body),
            max,
        });
    }
    Ok(())
}

fn size(found: usize, max: usize) -> Size {
    let bytes = |size| u64::try_from(size).unwrap_or(u64::MAX);
    Size {
        found: bytes(found),
        max: bytes(max),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[track_caller]
    fn check_refused(request: TestRequest, expected: Option<&LimitError>) {
        let refused = check(&request.to_http_request(), 64 << 10).err();
        assert_eq!(refused.as_ref(), expected);
    }

    #[test]
    fn a_uri_may_have_8_kib() {
        let uri = |length: usize| TestRequest::with_uri(&format!("/{}", "x".repeat(length - 1)));
        check_refused(uri(MAX_URI), None);
        let expected = LimitError::UriTooLong(size(MAX_URI + 1, MAX_URI));
        check_refused(uri(MAX_URI + 1), Some(&expected));
    }

    #[test]
    fn headers_may_have_32_kib() {
        let names = ["a", "b", "c", "d"];
        let headers = |length: usize| {
            let add = |request: TestRequest, name| {
                request.insert_header((name, "x".repeat(length / names.len())))
            };
            names.into_iter().fold(TestRequest::default(), add)
        };
        check_refused(headers(MAX_HEAD - 64), None);
        let refused = check(&headers(MAX_HEAD).to_http_request(), 0);
        assert!(
            matches!(refused, Err(LimitError::HeadersTooLarge(_))),
            "{refused:?}"
        );
    }

    #[test]
    fn a_body_may_be_as_large_as_the_setting_says() {
        let body = |length: &str| TestRequest::default().insert_header((CONTENT_LENGTH, length));
        check_refused(body("65536"), None);
        let refused = |found| {
            let max = 64 << 10;
            let found = Some(found);
            LimitError::PayloadTooLarge { found, max }
        };
        check_refused(body("65537"), Some(&refused(65_537)));
        let length = "99999999999999999999999";
        check_refused(body(length), Some(&refused(u64::MAX)));
    }
}

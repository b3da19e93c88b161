//! The key that a request presents: `Authorization: Bearer KEY`, or `X-API-Key: KEY`.

use actix_web::http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use flag_api::{API_KEY, BEARER};

use super::error::Unauthorized;

/// The other header for a key.
const X_API_KEY: HeaderName = HeaderName::from_static(API_KEY);

/// Returns the key of a request. Two different keys are refused, as either could be meant.
pub(super) fn presented(headers: &HeaderMap) -> Result<&str, Unauthorized> {
    let plain = headers.get_all(X_API_KEY).map(|value| text(value, Some));
    let found = headers
        .get_all(AUTHORIZATION)
        .map(|value| text(value, bearer))
        .chain(plain);
    let mut presented = None;
    let mut has_other = false;
    for next in found {
        match (next, presented) {
            (None, _) => has_other = true,
            (Some(next), Some(first)) if next != first => return Err(Unauthorized::Contradicting),
            (Some(next), _) => presented = Some(next),
        }
    }
    presented.ok_or(if has_other {
        Unauthorized::Malformed
    } else {
        Unauthorized::Missing
    })
}

fn text<'a>(
    value: &'a HeaderValue,
    read: impl FnOnce(&'a str) -> Option<&'a str>,
) -> Option<&'a str> {
    value.to_str().ok().map(str::trim).and_then(read)
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, key) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case(BEARER)
        .then(|| key.trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(given: &[(&str, &str)], expected: Result<&str, Unauthorized>) {
        let mut headers = HeaderMap::new();
        for (name, value) in given {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        assert_eq!(presented(&headers), expected, "{given:?}");
    }

    #[test]
    fn a_key_comes_in_either_header() {
        check(&[("authorization", "Bearer k")], Ok("k"));
        check(&[("authorization", "bearer  k ")], Ok("k"));
        check(&[("x-api-key", " k ")], Ok("k"));
        check(
            &[("authorization", "Bearer k"), ("x-api-key", "k")],
            Ok("k"),
        );
    }

    #[test]
    fn another_scheme_is_ignored_beside_a_key() {
        check(
            &[("authorization", "Basic eDp5"), ("x-api-key", "k")],
            Ok("k"),
        );
        check(
            &[("authorization", "Basic eDp5")],
            Err(Unauthorized::Malformed),
        );
        check(&[("authorization", "k")], Err(Unauthorized::Malformed));
        check(&[("x-api-key", "é")], Err(Unauthorized::Malformed));
    }

    #[test]
    fn two_different_keys_are_refused() {
        let wrong = Err(Unauthorized::Contradicting);
        check(&[("authorization", "Bearer k"), ("x-api-key", "l")], wrong);
        check(&[("x-api-key", "k"), ("x-api-key", "l")], wrong);
    }

    #[test]
    fn a_missing_key_has_an_error_of_its_own() {
        check(&[], Err(Unauthorized::Missing));
    }
}

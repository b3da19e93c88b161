//! Bodies of requests: JSON and forms, with a limit and a deadline.

use std::pin::pin;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::error::PayloadError;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName};
use actix_web::web::Bytes;
use flag_model::quoted;
use futures_util::{Stream, StreamExt as _};
use serde_json::Value;
use tokio::time::timeout;

use super::connection_state::expect_body;
use super::limits::{HeldBytesCounter, LimitError, TooManyBytes};
use super::problem::ApiError;

/// Deadline for the whole body.
const TIMEOUT: Duration = Duration::from_secs(9);

/// Reads a body of at most `max` bytes; its bytes count as held until it is complete.
pub(crate) async fn read_json(
    request: &HttpRequest,
    payload: impl Stream<Item = Result<Bytes, PayloadError>>,
    max: usize,
    held_bytes: HeldBytesCounter,
) -> Result<Value, ApiError> {
    check_headers(request)?;
    let bytes = read(request, payload, max, held_bytes).await?;
    serde_json::from_slice(&bytes).map_err(|error| ApiError::InvalidBody(format!("body: {error}")))
}

/// Reads a form of a page, which is of at most `max` bytes.
pub(crate) async fn read_form(
    request: &HttpRequest,
    payload: impl Stream<Item = Result<Bytes, PayloadError>>,
    max: usize,
    held_bytes: HeldBytesCounter,
) -> Result<Vec<u8>, ApiError> {
    let kind = request.headers().get(CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.starts_with("application/x-www-form-urlencoded") {
        let problem = format!(
            "body: found {}, expected application/x-www-form-urlencoded",
            quoted(kind)
        );
        return Err(ApiError::InvalidBody(problem));
    }
    read(request, payload, max, held_bytes).await
}

async fn read(
    request: &HttpRequest,
    payload: impl Stream<Item = Result<Bytes, PayloadError>>,
    max: usize,
    held_bytes: HeldBytesCounter,
) -> Result<Vec<u8>, ApiError> {
    expect_body(request);
    timeout(TIMEOUT, gather(payload, max, held_bytes))
        .await
        .unwrap_or(Err(ApiError::RequestTimeout(TIMEOUT)))
}

async fn gather(
    payload: impl Stream<Item = Result<Bytes, PayloadError>>,
    max: usize,
    mut held_bytes: HeldBytesCounter,
) -> Result<Vec<u8>, ApiError> {
    let mut payload = pin!(payload);
    let mut body: Vec<u8> = Vec::new();
    while let Some(part) = payload.next().await {
        let part = part.map_err(|error| ApiError::InvalidBody(format!("body: {error}")))?;
        if body.len() + part.len() > max {
            return Err(too_large(max));
        }
        body.reserve(part.len());
        held_bytes
            .set(body.capacity())
            .map_err(|TooManyBytes| LimitError::Overloaded)?;
        body.extend_from_slice(&part);
    }
    Ok(body)
}

/// Returns the error for a body of unknown size.
fn too_large(max: usize) -> ApiError {
    let max = u64::try_from(max).unwrap_or(u64::MAX);
    LimitError::PayloadTooLarge { found: None, max }.into()
}

/// Refuses a body by its headers; its size was checked before (`limits/size.rs`).
fn check_headers(request: &HttpRequest) -> Result<(), ApiError> {
    let header = |name: HeaderName| {
        let value = request.headers().get(name)?;
        Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    let unsupported = |found: String| Err(ApiError::UnsupportedMediaType(found));
    match header(CONTENT_TYPE) {
        Some(found) if !is_json(&found) => return unsupported(quoted(&found)),
        None => return unsupported("no content type".to_owned()),
        Some(_) => {}
    }
    if let Some(found) = header(CONTENT_ENCODING)
        && !found.eq_ignore_ascii_case("identity")
    {
        return unsupported(format!("content encoding {}", quoted(&found)));
    }
    Ok(())
}

/// Whether a content type is `application/json`, without a character set or in UTF-8.
fn is_json(content_type: &str) -> bool {
    let mut parts = content_type.split(';').map(str::trim);
    let is_json = parts
        .next()
        .is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"));
    is_json && parts.all(|parameter| !names_another_charset(parameter))
}

fn names_another_charset(parameter: &str) -> bool {
    parameter.split_once('=').is_some_and(|(name, value)| {
        let value = value.trim().trim_matches('"');
        name.trim().eq_ignore_ascii_case("charset")
            && !value.eq_ignore_ascii_case("utf-8")
            && !value.eq_ignore_ascii_case("utf8")
    })
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use futures_util::stream;
    use serde_json::json;

    use super::*;
    use crate::http::status;

    async fn read(content_type: &str, parts: &[&str]) -> Result<Value, (u16, String)> {
        let request = TestRequest::default()
            .insert_header(("content-type", content_type))
            .to_http_request();
        let parts = parts.iter().map(|part| Ok(Bytes::from((*part).to_owned())));
        let read = read_json(
            &request,
            stream::iter(parts.collect::<Vec<_>>()),
            20,
            HeldBytesCounter::for_tests(),
        )
        .await;
        read.map_err(|error| described(&error))
    }

    fn described(error: &ApiError) -> (u16, String) {
        let (code, detail) = error.describe();
        (status(code).as_u16(), detail)
    }

    #[tokio::test]
    async fn json_is_read_in_whatever_parts_it_comes() {
        for kind in [
            "application/json",
            "Application/JSON; charset=utf-8",
            "application/json;charset=\"UTF-8\"; x=y",
        ] {
            assert_eq!(read(kind, &["[1", ",2]"]).await.unwrap(), json!([1, 2]));
        }
    }

    #[tokio::test]
    async fn another_media_type_is_refused() {
        for kind in [
            "text/plain",
            "application/jsonl",
            "application/json; charset=latin1",
            "",
        ] {
            let expected = format!("body: found {kind:?}, expected application/json in UTF-8");
            assert_eq!(read(kind, &["1"]).await.unwrap_err(), (415, expected));
        }
        let request = TestRequest::default().to_http_request();
        let error = read_json(&request, stream::empty(), 1, HeldBytesCounter::for_tests())
            .await
            .unwrap_err();
        let expected = "body: found no content type, expected application/json in UTF-8";
        assert_eq!(described(&error), (415, expected.to_owned()));
    }

    #[tokio::test]
    async fn invalid_json_is_described_by_line_and_column() {
        let (status, detail) = read("application/json", &["[1,\n x]"]).await.unwrap_err();
        assert_eq!(status, 400);
        assert!(detail.ends_with("at line 2 column 2"), "{detail}");
        let (status, _) = read("application/json", &[]).await.unwrap_err();
        assert_eq!(status, 400);
    }

    #[tokio::test]
    async fn a_body_has_a_limit() {
        let fits = "\"123456789012345678\"";
        assert!(read("application/json", &[fits]).await.is_ok());
        let expected = (413, "body: expected at most 20 bytes".to_owned());
        let found = read("application/json", &[fits, " "]).await;
        assert_eq!(found.unwrap_err(), expected);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_is_not_waited_for() {
        let request = TestRequest::default()
            .insert_header(("content-type", "application/json"))
            .to_http_request();
        let error = read_json(
            &request,
            stream::pending(),
            20,
            HeldBytesCounter::for_tests(),
        )
        .await
        .unwrap_err();
        assert_eq!(
            described(&error),
            (408, "body: expected all of it within 9 s".to_owned())
        );
    }
}

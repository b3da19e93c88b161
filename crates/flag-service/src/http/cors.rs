//! Cross-origin resource sharing: which pages of other origins may send requests and read the answers.
//!
//! Requests carry API keys in headers, never cookies, so no answer allows credentials.

use actix_web::HttpResponse;
use actix_web::guard::GuardContext;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD,
    HeaderMap, HeaderValue, ORIGIN, VARY,
};
use actix_web::http::{Method, Uri};
use actix_web::web::Data;

use super::context::RequestContext;
use super::problem::ApiError;
use super::state::AppState;

/// What pages may send.
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST");
const HEADERS: HeaderValue = HeaderValue::from_static(
    "authorization, content-type, if-none-match, last-event-id, traceparent, tracestate, x-api-key, x-request-id",
);

/// What pages may read, besides the headers that they always may.
const EXPOSED: HeaderValue =
    HeaderValue::from_static("cache-status,etag,retry-after,x-flag-reason,x-request-id");

/// For how many seconds browsers remember a preflight; none remembers it for longer than two hours.
const MAX_AGE: HeaderValue = HeaderValue::from_static("7200");

const ANY: HeaderValue = HeaderValue::from_static("*");

/// The other origins whose pages may send requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cors {
    /// Any origin.
    Any,
    /// These origins.
    Origins(Vec<HeaderValue>),
}

impl Cors {
    /// Reads origins, separated by commas, or `*`; `None` if any is invalid.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.trim() == "*" {
            return Some(Self::Any);
        }
        let origins = text.split(',').map(|origin| parse_origin(origin.trim()));
        origins.collect::<Option<_>>().map(Self::Origins)
    }

    /// Adds the headers that let a page read an answer.
    pub(crate) fn add_headers(&self, request: &HeaderMap, response: &mut HeaderMap) {
        let allowed = match self {
            Self::Any => Some(ANY),
            Self::Origins(origins) => {
                response.append(VARY, HeaderValue::from_static("origin"));
                let origin = request.get(ORIGIN);
                origin.filter(|origin| origins.contains(origin)).cloned()
            }
        };
        if let Some(origin) = allowed {
            response.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            response.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        }
    }
}

/// Reads `scheme://host` or `scheme://host:port`, as browsers send it.
fn parse_origin(text: &str) -> Option<HeaderValue> {
    let uri: Uri = text.parse().ok()?;
    let origin = format!("{}://{}", uri.scheme_str()?, uri.authority()?);
    let is_origin = origin == text && !text.contains('@') && text == text.to_ascii_lowercase();
    is_origin.then(|| HeaderValue::from_str(text).ok())?
}

/// Whether a browser asks what a page may send, and there are origins that may.
pub(crate) fn is_preflight(request: &GuardContext<'_>) -> bool {
    let head = request.head();
    head.method == Method::OPTIONS
        && head.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
        && request
            .app_data::<Data<AppState>>()
            .is_some_and(|state| state.cors.is_some())
}

/// Answers a preflight; the origin is compared afterwards, as for every answer.
pub(crate) async fn preflight(_: &RequestContext) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::NoContent()
        .insert_header((ACCESS_CONTROL_ALLOW_METHODS, METHODS))
        .insert_header((ACCESS_CONTROL_ALLOW_HEADERS, HEADERS))
        .insert_header((ACCESS_CONTROL_MAX_AGE, MAX_AGE))
        .finish())
}

#[cfg(test)]
mod tests {
    use flag_api::{API_KEY, CACHE_STATUS, LAST_EVENT_ID, REASON, REQUEST_ID};

    use super::*;

    #[test]
    fn pages_may_send_and_read_the_headers_of_the_wire() {
        let has = |list: &HeaderValue, name: &str| {
            let names = list.to_str().unwrap();
            names.split(',').any(|listed| listed.trim() == name)
        };
        for sent in [API_KEY, REQUEST_ID, LAST_EVENT_ID] {
            assert!(has(&HEADERS, sent), "{sent}");
        }
        for read in [CACHE_STATUS, REASON, REQUEST_ID] {
            assert!(has(&EXPOSED, read), "{read}");
        }
    }

    #[test]
    fn origins_are_spelled_as_browsers_send_them() {
        for origin in [
            "https://app.example.com",
            "http://127.0.0.1:3000",
            "http://[::1]:1",
        ] {
            let cors = Cors::Origins(vec![HeaderValue::from_static(origin)]);
            assert_eq!(Cors::parse(origin), Some(cors));
        }
        for wrong in [
            "",
            "app.example.com",
            "https://app.example.com/",
            "https://App.example.com",
            "https://x@app.example.com",
            "https://a.example,",
            "*,https://a.example",
        ] {
            assert_eq!(Cors::parse(wrong), None, "{wrong}");
        }
        assert_eq!(Cors::parse("*"), Some(Cors::Any));
    }

    #[track_caller]
    fn check(cors: &str, origin: Option<&'static str>, allowed: Option<&str>) {
        let mut request = HeaderMap::new();
        if let Some(origin) = origin {
            request.insert(ORIGIN, HeaderValue::from_static(origin));
        }
        let mut response = HeaderMap::new();
        let cors = Cors::parse(cors).unwrap();
        cors.add_headers(&request, &mut response);
        let found = response.get(ACCESS_CONTROL_ALLOW_ORIGIN);
        assert_eq!(found.map(|found| found.to_str().unwrap()), allowed);
        assert_eq!(response.contains_key(VARY), cors != Cors::Any);
    }

    #[test]
    fn only_pages_of_the_set_origins_may_read_answers() {
        let two = "https://a.example, https://b.example";
        check(two, Some("https://b.example"), Some("https://b.example"));
        check(two, Some("https://c.example"), None);
        check(two, Some("null"), None);
        check(two, None, None);
        check("*", Some("https://c.example"), Some("*"));
    }
}

//! Answers with a page, and the headers of each.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    ALLOW, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ContentType, HeaderName, HeaderValue, LOCATION,
    REFERRER_POLICY, RETRY_AFTER, SET_COOKIE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use flag_api::Code;
use maud::Markup;

use super::error::PageError;
use crate::http::{CHANGED_MEANWHILE, status};

/// Allows style, script, pictures and requests of this service only, and nothing inline.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");
const CROSS_ORIGIN_OPENER_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-opener-policy");
const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-resource-policy");

/// Answers with a page.
pub(super) fn page(page: Markup) -> HttpResponse {
    with_status(StatusCode::OK, page)
}

/// Answers with a form again that was not carried out: as something in it is wrong, or as its flag has changed meanwhile.
pub(super) fn again(has_changed: bool, page: Markup) -> HttpResponse {
    let status = if has_changed {
        CHANGED_MEANWHILE
    } else {
        status(Code::InvalidRequest)
    };
    with_status(status, page)
}

/// Answers with the page of an error.
pub(super) fn error(error: &PageError, page: Markup) -> HttpResponse {
    let code = error.code();
    let mut response = with_status(status(code), page);
    let header = match code {
        Code::Overloaded | Code::StoreUnavailable => (RETRY_AFTER, "1"),
        Code::MethodNotAllowed => (ALLOW, "GET, HEAD"),
        _ => return response,
    };
    let (name, value) = (header.0, HeaderValue::from_static(header.1));
    response.headers_mut().insert(name, value);
    response
}

/// The same status and headers, with a page in the place of the body.
pub(super) fn with_page(response: &HttpResponse, page: Markup) -> HttpResponse {
    let mut made = with_status(response.status(), page);
    let headers = response.headers().iter();
    for (name, value) in headers.filter(|(name, _)| *name != CONTENT_TYPE) {
        made.headers_mut().append(name.clone(), value.clone());
    }
    made
}

fn with_status(status: StatusCode, page: Markup) -> HttpResponse {
    HttpResponse::build(status)
        .content_type(ContentType::html())
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((X_FRAME_OPTIONS, "DENY"))
        .insert_header((REFERRER_POLICY, "no-referrer"))
        .insert_header((
            PERMISSIONS_POLICY,
            "camera=(), geolocation=(), microphone=()",
        ))
        .insert_header((CROSS_ORIGIN_OPENER_POLICY, "same-origin"))
        .insert_header((CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"))
        .body(page.into_string())
}

/// Sends the browser to another page, perhaps with a cookie.
pub(super) fn see_other(location: &str, cookie: Option<&str>) -> HttpResponse {
    let mut response = HttpResponse::SeeOther();
    response.insert_header((LOCATION, location));
    if let Some(cookie) = cookie {
        response.insert_header((SET_COOKIE, cookie));
    }
    response.finish()
}

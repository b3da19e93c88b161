//! What surrounds every handler: admission, panics, errors, common headers, trace, metrics.

use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use futures_util::FutureExt as _;

use super::admission::run_if_admitted;
use super::context::RequestContext;
use super::failure_log::FailedRequest;
use super::ofrep_failure;
use super::problem::ApiError;
use super::request_id;
use super::route::Route;

/// Admits a request to its handler and completes the response: an error becomes its problem, a panic an internal error;
/// the request id is in a header; and the request is counted and traced.
pub(crate) async fn respond(
    context: &RequestContext,
    route: Route,
    handler: impl Future<Output = Result<HttpResponse, ApiError>>,
) -> HttpResponse {
    let mut response = pin!(complete(context, route, handler));
    poll_fn(|task| poll_response(response.as_mut(), task)).await
}

/// `cargo xtask instructions` counts the instructions of this function, so it must exist in the binary.
#[inline(never)]
fn poll_response<F: Future>(response: Pin<&mut F>, task: &mut Context<'_>) -> Poll<F::Output> {
    response.poll(task)
}

async fn complete(
    context: &RequestContext,
    route: Route,
    handler: impl Future<Output = Result<HttpResponse, ApiError>>,
) -> HttpResponse {
    let requests = &context.state.metrics.requests;
    let _in_flight = requests.begin();
    // Passing a pointer to it is cheaper than moving it.
    let handler = pin!(handler);
    let handler = run_if_admitted(context, route, handler);
    let result = AssertUnwindSafe(handler).catch_unwind().await;
    let result = result.unwrap_or(Err(ApiError::Internal));
    let mut response = result.unwrap_or_else(|error| fail(context, route, &error));
    let caching = route.cache_control(response.status());
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, caching);
    if let Some(id) = context.id.to_header() {
        headers.insert(request_id::HEADER, id);
    }
    let RequestContext { request, id, .. } = context;
    context
        .span
        .end(request, route.template(), id, &mut response);
    requests.count(route.index(), response.status(), context.began.elapsed());
    response
}

/// Turns an error into its problem, or its page, and logs it.
fn fail(context: &RequestContext, route: Route, error: &ApiError) -> HttpResponse {
    let response = if route.has_ofrep_failures() {
        ofrep_failure::respond(error, context.ofrep_key().as_deref())
    } else {
        error.respond(&context.id)
    };
    let response = match &context.state.failure_pages {
        Some(pages) if route == Route::Dashboard => {
            let (code, detail) = error.describe();
            pages.page(response, code, &detail)
        }
        _ => response,
    };
    let status = response.status();
    let failed = FailedRequest {
        request: &context.request,
        client: context.state.authenticator.client(&context.request),
        id: &context.id,
        span: &context.span,
        route,
        error,
    };
    let log = &context.state.failure_log;
    if status.is_server_error() {
        context.span.failed(error.code());
        log.log_fault(&failed, status, context.began.elapsed());
    } else {
        log.log_caller_error(&failed);
    }
    response
}

#[cfg(test)]
mod tests {
    use actix_web::FromRequest as _;
    use actix_web::test::TestRequest;
    use actix_web::web::Data;
    use flag_api::REQUEST_ID;

    use super::*;
    use crate::http::AppState;

    #[tokio::test]
    async fn a_panic_is_an_internal_error() {
        let request = TestRequest::default()
            .insert_header((REQUEST_ID, "r-1"))
            .app_data(Data::new(AppState::for_tests()))
            .to_http_request();
        let context = RequestContext::extract(&request).into_inner().unwrap();
        let handler = async { panic!("for the test") };
        let response = respond(&context, Route::Livez, handler).await;
        assert_eq!(response.status().as_u16(), 500);
        assert_eq!(response.headers().get(REQUEST_ID).unwrap(), "r-1");
    }
}

//! The handlers, and their registration: the table of contents of the service.
//!
//! A handler is registered together with its [`Route`], inside [`answer`], which admits, counts and traces the request: no
//! handler can skip that or name another route.
mod docs;
mod get_feature_flag;
mod log_feature_flag;
mod metrics;
mod openapi;
mod probes;

use actix_web::guard::{Guard, fn_guard};
use actix_web::http::Method;
use actix_web::web::{self, Payload, ServiceConfig};
use actix_web::{FromRequest, Handler, HttpResponse, Resource};

use self::docs::docs;
use self::get_feature_flag::get_feature_flag;
use self::log_feature_flag::log_feature_flag;
use self::metrics::metrics;
use self::openapi::openapi;
use self::probes::{livez, readyz};
use crate::http::{ApiError, RequestContext, Route, answer, method_not_allowed, not_found};

/// Registers every path; those of the reference in both spellings, which costs less than normalizing each request.
pub(crate) fn register(app: &mut ServiceConfig) {
    let flags = Route::GetFeatureFlag;
    app.service(get(flags.path(), flags, get_feature_flag));
    app.service(get(&format!("{}/", flags.path()), flags, get_feature_flag));
    let log = Route::LogFeatureFlag;
    app.service(post(log.path(), log, log_feature_flag));
    app.service(post(&format!("{}/", log.path()), log, log_feature_flag));
    app.service(get(Route::Livez.path(), Route::Livez, livez));
    app.service(get(Route::Readyz.path(), Route::Readyz, readyz));
    app.service(get(Route::Metrics.path(), Route::Metrics, metrics));
    app.service(get(Route::OpenApi.path(), Route::OpenApi, openapi));
    app.service(get(Route::Docs.path(), Route::Docs, docs));
    app.default_service(web::to(answered(Route::Unknown, not_found)));
}

/// A path that is read: GET, and HEAD for the same without the body.
fn get<H>(path: &str, route: Route, handler: H) -> Resource
where
    H: AsyncFn(&RequestContext) -> Result<HttpResponse, ApiError> + Clone + 'static,
{
    let handler = answered(route, handler);
    resource(path, route, &[Method::GET, Method::HEAD], handler)
}

/// A path that is written to: POST.
fn post<H>(path: &str, route: Route, handler: H) -> Resource
where
    H: AsyncFn(&RequestContext, Payload) -> Result<HttpResponse, ApiError> + Clone + 'static,
{
    let handler = move |context: RequestContext, body: Payload| {
        let handler = handler.clone();
        async move { answer(&context, route, handler(&context, body)).await }
    };
    resource(path, route, &[Method::POST], handler)
}

/// A handler with everything that surrounds it.
fn answered<H>(route: Route, handler: H) -> impl Handler<(RequestContext,), Output = HttpResponse>
where
    H: AsyncFn(&RequestContext) -> Result<HttpResponse, ApiError> + Clone + 'static,
{
    move |context: RequestContext| {
        let handler = handler.clone();
        async move { answer(&context, route, handler(&context)).await }
    }
}

/// A path with its handler, which answers other methods with an error.
fn resource<F, Args>(path: &str, route: Route, taken: &'static [Method], handler: F) -> Resource
where
    F: Handler<Args, Output = HttpResponse>,
    Args: FromRequest + 'static,
{
    let other_method = async move |context: &RequestContext| method_not_allowed(context, route);
    web::resource(path)
        .route(web::route().guard(methods(taken)).to(handler))
        .default_service(web::to(answered(route, other_method)))
}

/// Takes requests with these methods. The guards of the framework look into a table of the request first, in case another
/// part has changed the method.
fn methods(taken: &'static [Method]) -> impl Guard {
    fn_guard(move |request| taken.contains(&request.head().method))
}

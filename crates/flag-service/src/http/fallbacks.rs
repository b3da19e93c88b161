//! Answers to requests without a handler: 404 and 405.

use actix_web::HttpResponse;

use super::context::RequestContext;
use super::problem::ApiError;
use super::route::Route;

/// Answers a request whose path has no route.
pub(crate) async fn not_found(context: &RequestContext) -> Result<HttpResponse, ApiError> {
    Err(ApiError::NotFound(context.request.path().to_owned()))
}

/// Answers a request whose method is not one of its route.
pub(crate) fn method_not_allowed(
    context: &RequestContext,
    route: Route,
) -> Result<HttpResponse, ApiError> {
    let found = context.request.method().to_string();
    Err(ApiError::MethodNotAllowed { found, route })
}

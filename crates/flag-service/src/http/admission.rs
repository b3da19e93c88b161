//! What every request passes before its handler runs, in this order: rate limit, limit of connections, limit of sizes, API key
//! and scope, limit of waiting requests. The API key is looked up first, as the rate limit may depend on it.

use actix_web::HttpResponse;
use tracing::error;

use super::context::RequestContext;
use super::limits::Limits;
use super::problem::ApiError;
use super::route::Route;

/// Runs the handler of a request, if the request is admitted.
pub(super) async fn run_if_admitted(
    context: &RequestContext,
    route: Route,
    handler: impl Future<Output = Result<HttpResponse, ApiError>>,
) -> Result<HttpResponse, ApiError> {
    let limits = &context.state.limits;
    let answer = async {
        admit(context, route)?;
        limits.run_limited(route, handler).await
    };
    let response = answer
        .await
        .inspect_err(|error| limits.count_refusal(error))?;
    let authorization = &context.authorization;
    if response.status().is_success()
        && authorization.project_check_missing(route.required_access())
    {
        error!(
            route = route.path(),
            "answered without checking the project of the request"
        );
        return Err(ApiError::Internal);
    }
    Ok(response)
}

/// Checks in this order: every request counts towards the rate, also a refused one, before the caller learns anything else.
fn admit(context: &RequestContext, route: Route) -> Result<(), ApiError> {
    let RequestContext { request, state, .. } = context;
    let principal = state
        .authenticator
        .authenticate(request, route.required_access());
    let within_rate = state.authenticator.check_rate_limit(request, &principal);
    // A probe counts, but is never refused: others at its address must not be able to get the service killed.
    if !route.is_probe() {
        within_rate?;
    }
    state.limits.check_connection(request, route)?;
    Limits::check_size(request, state.max_body)?;
    let principal = principal?;
    principal.check_scope(route.required_access())?;
    context.authorization.grant(principal);
    Ok(())
}

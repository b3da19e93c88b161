//! What every request passes before its handler runs: rate limit, sizes, API key, waiting room.

use actix_web::HttpResponse;
use tracing::error;

use super::context::RequestContext;
use super::limits::Limits;
use super::problem::ApiError;
use super::refusal::Refusal;
use super::route::Route;

/// Admits a request, and waits for its handler.
pub(super) async fn admitted(
    context: &RequestContext,
    route: Route,
    handler: impl Future<Output = Result<HttpResponse, ApiError>>,
) -> Result<HttpResponse, ApiError> {
    let limits = &context.state.limits;
    let answer = async {
        admit(context, route)?;
        limits.wait_in_line(route, handler).await
    };
    let response = answer.await.inspect_err(|error| limits.count(error))?;
    if response.status().is_success() && context.authorization.was_forgotten(route.access()) {
        error!(
            route = route.path(),
            "answered without asking whose project it is"
        );
        return Err(ApiError::Internal);
    }
    Ok(response)
}

/// Checks in this order: every request counts towards the rate, also a refused one, before anything is said of it.
fn admit(context: &RequestContext, route: Route) -> Result<(), Refusal> {
    let RequestContext { request, state, .. } = context;
    let principal = state.authenticator.authenticate(request, route.access());
    state.authenticator.count(request, route, &principal)?;
    state.limits.check_room(request, route)?;
    Limits::check_size(request, state.max_body)?;
    let principal = principal?;
    principal.check_scope(route.access())?;
    context.authorization.grant(principal);
    Ok(())
}

//! What every request passes before its handler runs: its rate, its size, its key, its turn.

use actix_web::HttpResponse;
use tracing::error;

use crate::limits::Limits;
use crate::problem::{ApiError, Refusal};
use crate::routes::Route;
use crate::visit::Visit;

/// Lets a visit in, and gives it its answer.
pub(crate) async fn admitted(
    visit: &Visit,
    route: Route,
    answer: impl Future<Output = Result<HttpResponse, ApiError>>,
) -> Result<HttpResponse, ApiError> {
    let limits = &visit.site.limits;
    let answer = async {
        admit(visit, route)?;
        limits.wait_in_line(route, answer).await
    };
    let response = answer.await.inspect_err(|error| limits.count(error))?;
    if response.status().is_success() && visit.permit.was_forgotten(route.access()) {
        error!(
            route = route.path(),
            "answered without asking whose project it is"
        );
        return Err(ApiError::Internal);
    }
    Ok(response)
}

/// In this order: every request is counted, those that are refused too, before anything is said of it.
fn admit(visit: &Visit, route: Route) -> Result<(), Refusal> {
    let Visit { request, site, .. } = visit;
    let pass = site.door.pass(request, route.access());
    site.door.count(request, route, &pass)?;
    site.limits.check_room(request, route)?;
    Limits::check_size(request, site.max_body)?;
    let pass = pass?;
    pass.check_scope(route.access())?;
    visit.permit.grant(pass);
    Ok(())
}

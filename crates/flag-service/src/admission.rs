//! What every request passes before its handler runs: its size, its key, its turn.

use actix_web::HttpResponse;
use tracing::error;

use crate::limits::{Limits, begin};
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
    let _answering = begin(&visit.request);
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

fn admit(visit: &Visit, route: Route) -> Result<(), Refusal> {
    Limits::check_size(&visit.request, visit.site.max_body)?;
    let pass = visit.site.door.admit(&visit.request, route.access())?;
    visit.permit.grant(pass);
    Ok(())
}

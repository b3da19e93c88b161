//! A request on its way through the site; every handler answers through its visit.

use std::future::{Ready, ready};
use std::panic::AssertUnwindSafe;
use std::pin::pin;

use actix_web::dev::Payload;
use actix_web::error::ErrorInternalServerError;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use flag_model::ProjectName;
use futures_util::FutureExt as _;
use tokio::time::Instant;

use crate::access::Permit;
use crate::admission::admitted;
use crate::problem::ApiError;
use crate::request_id::{self, RequestId};
use crate::routes::Route;
use crate::site::Site;
use crate::telemetry::Trace;

/// A request, which one it is, and the site that answers it.
#[derive(Clone, Debug)]
pub(crate) struct Visit {
    /// The request as it came.
    pub(crate) request: HttpRequest,
    /// Which request it is.
    pub(crate) id: RequestId,
    /// What answers it.
    pub(crate) site: Data<Site>,
    /// What its caller was let in for.
    pub(crate) permit: Permit,
    /// The trace that it belongs to.
    pub(crate) trace: Trace,
    /// When it came.
    pub(crate) began: Instant,
}

impl Visit {
    /// Gives the answer its common parts: an error becomes its problem, a panic an internal error; the request id is
    /// in a header; and it is counted.
    pub(crate) async fn answer(
        &self,
        route: Route,
        answer: impl Future<Output = Result<HttpResponse, ApiError>>,
    ) -> HttpResponse {
        let requests = &self.site.metrics.requests;
        let _under_way = requests.begin();
        // A pointer to it is handed around, which is cheaper than moving it.
        let answer = pin!(answer);
        let answer = admitted(self, route, answer);
        let answer = AssertUnwindSafe(answer).catch_unwind().await;
        let answer = answer.unwrap_or(Err(ApiError::Internal));
        let mut response = answer.unwrap_or_else(|error| self.fail(route, &error));
        let caching = route.cache_control(response.status());
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, caching);
        if let Some(id) = self.id.to_header() {
            headers.insert(request_id::HEADER, id);
        }
        self.trace
            .end(route, &self.request, &self.id, &mut response);
        requests.count(route, response.status(), self.began.elapsed());
        response
    }

    /// Whether the caller may use what belongs to a project; the handler of a path that belongs to projects must ask.
    pub(crate) fn may(&self, project: &ProjectName) -> Result<(), ApiError> {
        Ok(self.permit.may(project)?)
    }

    /// Counts so many answers towards the rate of the caller, of which the request itself was the first.
    pub(crate) fn charge(&self, answers: usize) -> Result<(), ApiError> {
        let door = &self.site.door;
        match self.permit.pass() {
            Some(pass) => Ok(door.charge(&self.request, pass, answers.saturating_sub(1))?),
            None => Ok(()),
        }
    }

    /// Answers with a problem, and says so to those who mend it.
    fn fail(&self, route: Route, error: &ApiError) -> HttpResponse {
        let response = error.respond(&self.id);
        let status = response.status();
        let telemetry = &self.site.telemetry;
        if status.is_server_error() {
            self.trace.failed(error.code());
            let lasted = self.began.elapsed();
            telemetry.complain(self, route, error, status, lasted);
        } else {
            telemetry.note(self, route, error);
        }
        response
    }
}

impl FromRequest for Visit {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let began = Instant::now();
        let Some(site) = request.app_data::<Data<Site>>() else {
            return ready(Err(ErrorInternalServerError("the site is not set up")));
        };
        ready(Ok(Self {
            id: RequestId::of(request),
            trace: site.telemetry.trace(request),
            site: site.clone(),
            request: request.clone(),
            permit: Permit::default(),
            began,
        }))
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use flag_api::REQUEST_ID;

    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_internal_error() {
        let request = TestRequest::default()
            .insert_header((REQUEST_ID, "r-1"))
            .app_data(Data::new(Site::for_tests()))
            .to_http_request();
        let visit = Visit::extract(&request).into_inner().unwrap();
        let answer = async { panic!("for the test") };
        let response = visit.answer(Route::Livez, answer).await;
        assert_eq!(response.status().as_u16(), 500);
        assert_eq!(response.headers().get(REQUEST_ID).unwrap(), "r-1");
    }
}

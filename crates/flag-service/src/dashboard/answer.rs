//! Answers requests for pages.

use actix_web::HttpResponse;
use actix_web::http::Method;
use actix_web::web::{Data, Payload};
use flag_model::Timestamp;
use flag_store::{Clock as _, SystemClock};
use maud::Markup;
use tokio::time::timeout;

use super::error::PageError;
use super::pages::{self, SignIn};
use super::query::{HOME, Query, link};
use super::{DEADLINE, Dashboard, response, sign_in};
use crate::access::Viewer;
use crate::http::{ApiError, AppState, RequestContext, not_found};

/// A request for a page by a caller that may read.
#[derive(Debug)]
pub(super) struct PageRequest {
    pub(super) path: String,
    pub(super) query: Query,
    pub(super) viewer: Viewer,
    pub(super) state: Data<AppState>,
    pub(super) now: Timestamp,
}

/// Answers `/dashboard` and the pages below.
pub(crate) async fn dashboard(
    context: &RequestContext,
    body: Payload,
) -> Result<HttpResponse, ApiError> {
    let Some(dashboard) = Dashboard::of(context) else {
        return not_found(context).await;
    };
    let settings = &dashboard.sources.settings;
    let request = &context.request;
    let page = request.path().strip_prefix(HOME).unwrap_or_default();
    let answer = match (request.method(), page) {
        (&Method::POST, "/sign-in") => sign_in::sign_in(context, body, settings).await?,
        (&Method::POST, "/sign-out") => sign_in::sign_out(context, settings),
        (&Method::POST, _) => Err(PageError::Invalid(
            "This page takes no form by POST.".to_owned(),
        )),
        (_, "/sign-in" | "/sign-out") => {
            let query = Query::parse(request.query_string().as_bytes());
            let page = SignIn {
                next: sign_in::safe_next(query.get("next")),
                problem: None,
                cookies: settings.cookies,
            };
            Ok(response::page(page.render(settings)))
        }
        _ => dashboard.page(context, page).await.map(response::page),
    };
    Ok(answer.unwrap_or_else(|error| dashboard.fail(context, &error)))
}

impl Dashboard {
    /// The dashboard of the application, if it has one.
    pub(super) fn of(context: &RequestContext) -> Option<&Self> {
        let dashboard = context.request.app_data::<Data<Self>>();
        dashboard.map(|dashboard| &***dashboard)
    }

    /// Makes a page on the thread of the dashboard.
    async fn page(&self, context: &RequestContext, path: &str) -> Result<Markup, PageError> {
        let request = PageRequest {
            path: path.to_owned(),
            query: Query::parse(context.request.query_string().as_bytes()),
            viewer: context.authorization.viewer()?,
            state: context.state.clone(),
            now: SystemClock.now(),
        };
        let permit = self.permits.clone().try_acquire_owned();
        let permit = permit.map_err(|_| PageError::Busy)?;
        let sources = self.sources.clone();
        let making = self.runtime.spawn(async move {
            let _permit = permit;
            let making = timeout(DEADLINE, pages::render(&sources, &request));
            making.await.unwrap_or(Err(PageError::Late))
        });
        making.await.unwrap_or(Err(PageError::Internal))
    }

    /// Answers with an error; a caller that has not signed in is sent to the page for it.
    fn fail(&self, context: &RequestContext, error: &PageError) -> HttpResponse {
        let request = &context.request;
        if let (PageError::NotSignedIn, &Method::GET | &Method::HEAD) = (error, request.method()) {
            let next = request.uri().path_and_query();
            let next = next.map_or(HOME, |next| next.as_str());
            return response::see_other(&link("/sign-in", &[("next", next)]), None);
        }
        let page = pages::problem(error, &self.sources.settings);
        response::error(error, page)
    }
}

//! Answers requests for pages.

use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::Method;
use actix_web::web::{Data, Payload};
use flag_api::Code;
use flag_runtime::Recording;
use flag_store::{ExposureLog, FlagStore, InstanceIdMode};
use maud::Markup;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::error::PageError;
use super::listing::Listings;
use super::other_store::OtherStore;
use super::pages::{self, Page};
use super::query::{HOME, Query, link};
use super::request::PageRequest;
use super::sources::{DashboardSettings, Sources};
use super::threads::PageThreads;
use super::{response, sign_in, submit};
use crate::http::{ApiError, FailurePages, RequestContext, not_found};

/// The most pages that are made at a time.
const MAX: usize = 8;

/// The most forms of changes that are shown or carried out at a time.
const MAX_CHANGES: usize = 4;

/// The most pages about the other store that are made at a time: they may wait for it, and others must not.
const MAX_OF_OTHER_STORE: usize = 4;

/// How long making a page may take.
pub(super) const DEADLINE: Duration = Duration::from_secs(2);

/// The dashboard.
#[derive(Debug)]
pub(crate) struct Dashboard {
    permits: Arc<Semaphore>,
    /// Those of changes, which must not wait for pages that refresh themselves.
    change_permits: Arc<Semaphore>,
    other_store_permits: Arc<Semaphore>,
    threads: PageThreads,
    sources: Arc<Sources>,
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
        (&Method::POST, "/change") => submit::submit(context, body, dashboard).await?,
        (&Method::POST, "/sign-out") => sign_in::sign_out(context, settings),
        (&Method::POST, _) => Err(PageError::NoForm),
        (_, "/sign-in" | "/sign-out") => Ok(sign_in::form(context, settings)),
        _ => dashboard.page(context, page).await.map(response::page),
    };
    Ok(answer.unwrap_or_else(|error| dashboard.fail(context, &error)))
}

impl Dashboard {
    /// Makes pages on these threads, with readers that evaluations don't use; `reads` of them may run at a time.
    pub(crate) fn new(
        settings: DashboardSettings,
        store: FlagStore,
        log: Arc<dyn ExposureLog>,
        (id_mode, recording): (InstanceIdMode, Recording),
        (threads, reads): (&PageThreads, usize),
        other_store: Option<OtherStore>,
    ) -> Self {
        let log_if_recording = (recording == Recording::On).then(|| Arc::clone(&log));
        let listings = Listings::new(store.clone(), log_if_recording, reads);
        Self {
            permits: Arc::new(Semaphore::new(MAX)),
            change_permits: Arc::new(Semaphore::new(MAX_CHANGES)),
            other_store_permits: Arc::new(Semaphore::new(MAX_OF_OTHER_STORE)),
            threads: threads.clone(),
            sources: Arc::new(Sources {
                settings,
                store,
                log,
                id_mode,
                listings,
                other_store: other_store.map(Arc::new),
            }),
        }
    }

    /// The dashboard of the application, if it has one.
    pub(super) fn of(context: &RequestContext) -> Option<&Self> {
        let dashboard = context.request.app_data::<Data<Self>>();
        dashboard.map(|dashboard| &***dashboard)
    }

    /// Makes a page on the threads of the dashboard.
    async fn page(&self, context: &RequestContext, path: &str) -> Result<Markup, PageError> {
        let query = Query::parse(context.request.query_string().as_bytes());
        let request = PageRequest::new(context, path, query)?;
        let sources = Arc::clone(&self.sources);
        let permits = match path {
            "/change" if pages::has_form(&self.sources.settings, &request) => &self.change_permits,
            "/compare" if pages::wants_other_store(&request.query) => &self.other_store_permits,
            _ => &self.permits,
        };
        let (threads, request) = (self.threads.clone(), Arc::new(request));
        self.make(permits, async move {
            let making = async {
                Ok(match pages::page(&sources, &request).await? {
                    Page::Made(page) => page,
                    Page::Deferred(page) => threads.compute(page).await,
                })
            };
            timeout(DEADLINE, making)
                .await
                .unwrap_or(Err(PageError::Late))
        })
        .await
    }

    /// What pages are made of.
    pub(super) fn sources(&self) -> &Arc<Sources> {
        &self.sources
    }

    /// Carries out a change, to the end even if the caller goes away.
    pub(super) async fn change<T: Send + 'static>(
        &self,
        changing: impl Future<Output = Result<T, PageError>> + Send + 'static,
    ) -> Result<T, PageError> {
        self.make(&self.change_permits, changing).await
    }

    /// Makes something on a thread of the dashboard, within a limit.
    async fn make<T: Send + 'static>(
        &self,
        permits: &Arc<Semaphore>,
        making: impl Future<Output = Result<T, PageError>> + Send + 'static,
    ) -> Result<T, PageError> {
        let permit = Arc::clone(permits).try_acquire_owned();
        let permit = permit.map_err(|_| PageError::Busy)?;
        let making = self.threads.normal().spawn(async move {
            let _permit = permit;
            making.await
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
        let identity = context.authorization.identity();
        let page = pages::problem(error, identity.as_ref(), &self.sources.settings);
        response::error(error, page)
    }
}

/// Makes pages of failures that happen before the dashboard is asked.
pub(crate) fn failure_pages(settings: DashboardSettings) -> Arc<dyn FailurePages> {
    Arc::new(settings)
}

impl FailurePages for DashboardSettings {
    fn page(&self, response: HttpResponse, code: Code, detail: &str) -> HttpResponse {
        let error = PageError::NotAdmitted(code, detail.to_owned());
        response::with_page(&response, pages::problem(&error, None, self))
    }
}

#[cfg(test)]
impl Dashboard {
    /// The dashboard of an empty store in memory.
    pub(crate) fn for_tests() -> Self {
        use flag_store::SystemClock;
        use flag_store::memory::{MemoryLog, MemoryStore};

        use super::sources::{CookieScope, Writes};

        let settings = DashboardSettings {
            environment: "test".to_owned(),
            cookies: CookieScope::AnyConnection,
            writes: Writes::Off,
        };
        let store = FlagStore::new(Arc::new(MemoryStore::default()), Arc::new(SystemClock));
        let log = Arc::new(MemoryLog::default());
        let threads = PageThreads::for_tests();
        let logged = (InstanceIdMode::Plain, Recording::On);
        Self::new(settings, store, log, logged, (&threads, 1), None)
    }

    /// Lets this many more pages be made at a time.
    pub(crate) fn leave_room_for(&self, pages: usize) -> tokio::sync::SemaphorePermit<'_> {
        let taken = u32::try_from(MAX - pages).unwrap();
        self.permits.try_acquire_many(taken).unwrap()
    }
}

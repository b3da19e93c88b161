//! The pages.
mod change;
mod commands;
mod compare;
mod exposure_chart;
mod flag;
mod flags;
mod health;
mod lookup;
mod overrides;
mod problem;
mod projects;
mod revision;
mod revisions;
mod sign_in;
mod stored;
mod timeline;

use std::sync::Arc;

use maud::Markup;

pub(super) use self::change::{ChangePage, Missing, check_may_change, has_form, refused};
pub(super) use self::compare::wants_other_store;
pub(super) use self::problem::problem;
pub(super) use self::sign_in::{SignIn, SignInProblem};
use super::error::PageError;
use super::request::PageRequest;
use super::sources::Sources;

/// A page.
pub(super) enum Page {
    Made(Markup),
    /// All that it shows has been read, but its HTML is not made yet: that takes no locks of evaluations, but may take
    /// milliseconds.
    Deferred(Box<dyn Fn() -> Markup + Send + Sync>),
}

/// Makes the page of a request, or reads what it shows.
pub(super) async fn page(
    sources: &Arc<Sources>,
    request: &Arc<PageRequest>,
) -> Result<Page, PageError> {
    let page = match request.path.as_str() {
        "/flags" => return flags::gather(sources, request).await,
        "/flag" => return flag::gather(sources, request).await,
        "/health" => return health::gather(sources, request).await,
        "" | "/" => projects::render(sources, request).await,
        "/change" => change::render(sources, request).await,
        "/revision" => revision::render(sources, request).await,
        "/revisions" => revisions::render(sources, request).await,
        "/compare" => compare::render(sources, request).await,
        other => Err(PageError::NotFound(format!("page {other}"))),
    };
    page.map(Page::Made)
}

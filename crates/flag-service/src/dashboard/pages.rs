//! The pages.
mod change;
mod commands;
mod compare;
mod flag;
mod flags;
mod health;
mod lookup;
mod overrides;
mod problem;
mod projects;
mod revision;
mod revisions;
mod served;
mod sign_in;
mod stored;
mod timeline;

use maud::Markup;

pub(super) use self::change::{ChangePage, Missing, check_may_change, has_form, refused};
pub(super) use self::compare::wants_other_store;
pub(super) use self::problem::problem;
pub(super) use self::sign_in::{SignIn, SignInProblem};
use super::error::PageError;
use super::request::PageRequest;
use super::sources::Sources;

/// Makes the page of a request.
pub(super) async fn render(sources: &Sources, request: &PageRequest) -> Result<Markup, PageError> {
    match request.path.as_str() {
        "" | "/" => projects::render(sources, request).await,
        "/flags" => flags::render(sources, request).await,
        "/flag" => flag::render(sources, request).await,
        "/change" => change::render(sources, request).await,
        "/revision" => revision::render(sources, request).await,
        "/revisions" => revisions::render(sources, request).await,
        "/compare" => compare::render(sources, request).await,
        "/health" => health::render(sources, request).await,
        other => Err(PageError::NotFound(format!("page {other}"))),
    }
}

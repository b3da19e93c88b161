//! The projects that the caller may see.

use maud::{Markup, html};

use crate::dashboard::error::PageError;
use crate::dashboard::parts::{Frame, again_and_again, pluralized, shown};
use crate::dashboard::query::project_link;
use crate::dashboard::request::PageRequest;
use crate::dashboard::sources::Sources;

/// The most projects on the page.
const MAX: usize = 500;

/// The page.
pub(super) async fn render(sources: &Sources, request: &PageRequest) -> Result<Markup, PageError> {
    let mut projects = sources.listings.projects().current().await?;
    projects.retain(|project| request.viewer.may_see(project));
    let word = request.query.get("q").to_lowercase();
    projects.retain(|project| project.as_str().to_lowercase().contains(&word));
    let found = projects.len();
    projects.truncate(MAX);
    let frame = Frame {
        settings: &sources.settings,
        title: "Projects",
        crumbs: Vec::new(),
        identity: request.identity.as_ref(),
    };
    Ok(frame.render(&html! {
        (again_and_again())
        form.filter method="get" role="search" {
            label for="q" { "Search" }
            input id="q" name="q" type="search" value=(request.query.get("q")) autocomplete="off" spellcheck="false";
            button type="submit" { "Search" }
        }
        div id="results" {
            p.count { (pluralized(u64::try_from(found).unwrap_or(u64::MAX), "project"))
                @if found > MAX { "; the first " (MAX) " are shown" } }
            ul.projects {
                @for project in &projects { li data-row { a href=(project_link(project)) { (shown(project.as_str())) } } }
            }
            @if projects.is_empty() { p { "There is no project to show. " code { "flagctl add" } " adds the first flag of one." } }
        }
    }))
}

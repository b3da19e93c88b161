//! Two projects side by side: which flags differ, and in what. Environments are two projects of a store, or two stores.
mod pairs;
mod side;
mod view;

use flag_describe::{is_typed, visible};
use flag_model::{ProjectName, Revision};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use maud::{Markup, html};

use self::pairs::{Comparison, Pair};
pub(in crate::dashboard) use self::side::wants_other_store;
use self::side::{NoSides, Side};
use crate::dashboard::error::PageError;
use crate::dashboard::parts::{Crumb, Frame, Pager, environment_mark, shown};
use crate::dashboard::query::{OTHER_STORE, other_store_link};
use crate::dashboard::request::PageRequest;
use crate::dashboard::sources::Sources;

/// Flags on a page.
const PER_PAGE: usize = 50;

/// The most projects that the form suggests.
const SUGGESTED: usize = 500;

/// A pair of the page, with the revisions in force where both can be read.
struct CompareRow {
    pair: Pair,
    comparison: Comparison,
    revisions: Option<[Revision; 2]>,
}

/// What the page shows.
struct ComparePage<'a> {
    request: &'a PageRequest,
    sides: [Side<'a>; 2],
    /// How many pairs have each comparison, in the order of [`Comparison::ALL`].
    counts: [usize; Comparison::ALL.len()],
    rows: Vec<CompareRow>,
    /// How many were found on all pages.
    found: usize,
    pager: Pager,
}

/// The page.
pub(super) async fn render(sources: &Sources, request: &PageRequest) -> Result<Markup, PageError> {
    let project = request.query.project()?;
    let no_project = |project: &ProjectName| PageError::NotFound(format!("project {project}"));
    if !request.viewer.may_see(&project) {
        return Err(no_project(&project));
    }
    let frame = |title: &str, content: &Markup| {
        let frame = Frame {
            settings: &sources.settings,
            title,
            crumbs: vec![Crumb::home(), Crumb::project(&project)],
            identity: request.identity.as_ref(),
        };
        frame.render(content)
    };
    let Some(with) = request.query.given("with") else {
        let form = form(sources, request, &project).await?;
        return Ok(frame("Compare with another project", &form));
    };
    let with = named(sources, with).await?;
    if !request.viewer.may_see(&with) {
        return Err(no_project(&with));
    }
    let sides = match Side::both(sources, &request.query, [&project, &with]).await {
        Ok(sides) => sides,
        Err(NoSides::Error(error)) => return Err(error),
        Err(NoSides::NotYet) => return Ok(frame("Compare", &not_yet())),
    };
    let [one, other] = [0, 1].map(|at| sides.get(at).map(Side::name).unwrap_or_default());
    let page = ComparePage::make(request, sides).await?;
    Ok(frame(&format!("{one} and {other}"), &page.content()))
}

/// The project of this name, which may be written as the form suggests it.
async fn named(sources: &Sources, name: &str) -> Result<ProjectName, PageError> {
    if name.starts_with('"') {
        let mut projects = sources.listings.projects().current().await?.into_iter();
        if let Some(project) = projects.find(|project| is_typed(project.as_str(), name)) {
            return Ok(project);
        }
    }
    let project = ProjectName::new(name);
    project.map_err(|error| PageError::Invalid(format!("with: {error}")))
}

fn not_yet() -> Markup {
    html! { p.notice data-refresh="1" { "The other store is being opened. Load the page again." } }
}

/// Asks for the other project.
async fn form(
    sources: &Sources,
    request: &PageRequest,
    project: &ProjectName,
) -> Result<Markup, PageError> {
    let projects = sources.listings.projects().current().await?.into_iter();
    let others = projects.filter(|other| other != project && request.viewer.may_see(other));
    let other_store = sources.other_store.as_ref();
    Ok(html! {
        form.filter method="get" {
            input type="hidden" name="project" value=(project.as_str());
            div { label for="with" { "Compare " (shown(project.as_str())) " with the project" }
                input id="with" name="with" list="projects" required autocomplete="off" spellcheck="false"; }
            datalist id="projects" { @for other in others.take(SUGGESTED) { option value=(visible(other.as_str())) {} } }
            @if let Some(store) = other_store {
                div { label for="in" { "In" } select id="in" name="in" {
                    option value="" { (visible(&sources.settings.environment)) ", here" }
                    option value=(OTHER_STORE) { (visible(store.environment())) }
                } }
            }
            button type="submit" { "Compare" }
        }
        @if let Some(store) = other_store {
            p { a href=(other_store_link(project)) { "The same project in " (environment_mark(store.environment())) } }
        }
    })
}

impl<'a> ComparePage<'a> {
    async fn make(request: &'a PageRequest, sides: [Side<'a>; 2]) -> Result<Self, PageError> {
        let pairs = Pair::join(sides.each_ref().map(|side| &*side.listing.flags));
        let words = request.query.get("q").to_lowercase();
        let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        let (show, mut counts) = (request.query.get("show"), [0; Comparison::ALL.len()]);
        let mut found = Vec::new();
        for pair in pairs {
            let comparison = pair.comparison();
            for (count, counted) in counts.iter_mut().zip(Comparison::ALL) {
                *count += usize::from(counted == comparison);
            }
            let is_shown = match show {
                "all" => true,
                "" => comparison != Comparison::Equal,
                show => comparison.word() == show,
            };
            if is_shown && pair.has_words(&words) {
                found.push((pair, comparison));
            }
        }
        let pager = Pager::new(&request.query, found.len(), PER_PAGE);
        let count = found.len();
        let on_page = found.into_iter().skip((pager.page - 1) * PER_PAGE);
        let rows = read(&sides, on_page.take(PER_PAGE).collect()).await?;
        Ok(Self {
            request,
            sides,
            counts,
            rows,
            found: count,
            pager,
        })
    }
}

/// Reads the revisions in force of the pairs that have two.
async fn read(
    sides: &[Side<'_>; 2],
    pairs: Vec<(Pair, Comparison)>,
) -> Result<Vec<CompareRow>, PageError> {
    let rows = pairs.into_iter().map(|(pair, comparison)| async move {
        let is_read = matches!(
            comparison,
            Comparison::Different | Comparison::OtherInstances
        );
        let [first, second] = sides;
        let revisions = match &pair.sides {
            [Some(one), Some(other)] if is_read => {
                let one = first.revision(&one.flag).await?;
                one.zip(second.revision(&other.flag).await?)
            }
            _ => None,
        };
        Ok(CompareRow {
            revisions: revisions.map(<[Revision; 2]>::from),
            pair,
            comparison,
        })
    });
    let [first, second] = sides;
    let reads = first.listings.reads().min(second.listings.reads());
    stream::iter(rows).buffered(reads).try_collect().await
}

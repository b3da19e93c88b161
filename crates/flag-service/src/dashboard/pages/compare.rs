//! Two projects side by side: which flags differ, and in what. Projects are how environments share a store.
mod pairs;
mod view;

use flag_model::{ProjectName, Revision};
use futures_util::future::join;
use maud::{Markup, html};

use self::pairs::{Comparison, Pair};
use crate::dashboard::error::PageError;
use crate::dashboard::listing::Listing;
use crate::dashboard::parts::{Crumb, Frame, Pager, shown};
use crate::dashboard::request::PageRequest;
use crate::dashboard::sources::Sources;

/// Flags on a page.
const PER_PAGE: usize = 50;

/// The most projects that the form suggests.
const SUGGESTED: usize = 500;

/// A pair of the page, with the revisions in force where both can be read.
struct Row {
    pair: Pair,
    comparison: Comparison,
    revisions: Option<[Revision; 2]>,
}

/// What the page shows.
struct Page<'a> {
    request: &'a PageRequest,
    projects: [&'a ProjectName; 2],
    listings: [&'a Listing; 2],
    /// How many pairs have each comparison, in the order of [`Comparison::ALL`].
    counts: [usize; Comparison::ALL.len()],
    rows: Vec<Row>,
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
            is_signed_in: request.viewer.has_key(),
        };
        frame.render(content)
    };
    let Some(with) = request.query.given("with") else {
        let form = form(sources, request, &project).await?;
        return Ok(frame("Compare with another project", &form));
    };
    let with = ProjectName::new(with);
    let with = with.map_err(|error| PageError::Invalid(format!("with: {error}")))?;
    if !request.viewer.may_see(&with) {
        return Err(no_project(&with));
    }
    let listings = &sources.listings;
    let (first, second) = join(listings.current(&project), listings.current(&with)).await;
    for (listing, project) in [(&first, &project), (&second, &with)] {
        if listing.flags.is_empty() && listing.expected.is_none() {
            return Err(no_project(project));
        }
    }
    let page = Page::make(sources, request, [&project, &with], [&first, &second]).await?;
    let title = format!("{project} and {with}");
    Ok(frame(&title, &page.content()))
}

/// Asks for the other project.
async fn form(
    sources: &Sources,
    request: &PageRequest,
    project: &ProjectName,
) -> Result<Markup, PageError> {
    let projects = sources.store.projects().await?.names.into_iter();
    let others = projects.filter(|other| other != project && request.viewer.may_see(other));
    Ok(html! {
        form.filter method="get" {
            input type="hidden" name="project" value=(project.as_str());
            div { label for="with" { "Compare " (shown(project.as_str())) " with the project" }
                input id="with" name="with" list="projects" required autocomplete="off" spellcheck="false"; }
            datalist id="projects" { @for other in others.take(SUGGESTED) { option value=(other.as_str()) {} } }
            button type="submit" { "Compare" }
        }
    })
}

impl<'a> Page<'a> {
    async fn make(
        sources: &Sources,
        request: &'a PageRequest,
        projects: [&'a ProjectName; 2],
        listings: [&'a Listing; 2],
    ) -> Result<Self, PageError> {
        let pairs = Pair::join(listings.map(|listing| listing.flags.as_slice()));
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
        let rows = read(sources, on_page.take(PER_PAGE).collect()).await?;
        Ok(Self {
            request,
            projects,
            listings,
            counts,
            rows,
            found: count,
            pager,
        })
    }
}

/// Reads the revisions in force of the pairs that have two.
async fn read(sources: &Sources, pairs: Vec<(Pair, Comparison)>) -> Result<Vec<Row>, PageError> {
    let is_read = |comparison: &Comparison| {
        matches!(
            comparison,
            Comparison::Different | Comparison::OtherInstances
        )
    };
    let wanted = pairs.iter().filter(|(_, comparison)| is_read(comparison));
    let wanted = wanted.filter_map(|(pair, _)| match &pair.sides {
        [Some(first), Some(second)] => Some([first.flag.clone(), second.flag.clone()]),
        _ => None,
    });
    let read = sources.listings.revisions(wanted.collect()).await?;
    let mut read = read.into_iter();
    let rows = pairs.into_iter().map(|(pair, comparison)| {
        let revisions = is_read(&comparison).then(|| read.next()).flatten();
        let revisions = revisions.and_then(|revisions| match revisions {
            [Some(first), Some(second)] => Some([first, second]),
            _ => None,
        });
        Row {
            pair,
            comparison,
            revisions,
        }
    });
    Ok(rows.collect())
}

//! The two sides of the page: which project, of which store.

use std::sync::Arc;

use flag_model::{FlagKey, ProjectName, Revision};
use maud::{Markup, html};

use crate::dashboard::error::PageError;
use crate::dashboard::listing::{Listing, Listings};
use crate::dashboard::other_store::NotOpen;
use crate::dashboard::parts::{environment_mark, shown};
use crate::dashboard::query::{OTHER_STORE, Query, flag_link};
use crate::dashboard::sources::Sources;

/// Whether a page is about the other store, too.
pub(in crate::dashboard) fn wants_other_store(query: &Query) -> bool {
    query.get("in") == OTHER_STORE
}

/// A project of a store.
#[derive(Debug)]
pub(super) struct Side<'a> {
    pub(super) project: &'a ProjectName,
    pub(super) listings: &'a Listings,
    pub(super) listing: Arc<Listing>,
    /// The name of its environment, if the sides are of two.
    pub(super) environment: Option<&'a str>,
    /// Whether its flags have pages here.
    pub(super) is_ours: bool,
}

/// Why there are no two sides to show.
pub(super) enum NoSides {
    Error(PageError),
    /// The other store is being opened.
    NotYet,
}

impl From<PageError> for NoSides {
    fn from(error: PageError) -> Self {
        Self::Error(error)
    }
}

impl<'a> Side<'a> {
    /// Reads what is newest of both projects, each of its store.
    pub(super) async fn both(
        sources: &'a Sources,
        query: &Query,
        [first, second]: [&'a ProjectName; 2],
    ) -> Result<[Self; 2], NoSides> {
        let (own, mut environments) = (&sources.listings, [None, None]);
        let mut other = own;
        if wants_other_store(query) {
            let store = sources.other_store.as_ref();
            let store = store.ok_or_else(|| PageError::NotFound("other store".to_owned()))?;
            let environment = store.environment();
            environments = [
                Some(sources.settings.environment.as_str()),
                Some(environment),
            ];
            other = match store.listings().await {
                Ok(listings) => listings,
                Err(NotOpen::Yet) => return Err(NoSides::NotYet),
                Err(NotOpen::Failed(problem)) => {
                    let environment = environment.to_owned();
                    return Err(PageError::OtherStore {
                        environment,
                        problem,
                    }
                    .into());
                }
            };
        }
        let (one, two) = futures_util::join!(own.current(first), other.current(second));
        let side = |project, listings, listing, environment, is_ours| Self {
            project,
            listings,
            listing,
            environment,
            is_ours,
        };
        let [here, there] = environments;
        let sides = [
            side(first, own, one, here, true),
            side(second, other, two, there, there.is_none()),
        ];
        match sides.iter().find(|side| side.is_missing()) {
            Some(missing) => Err(PageError::NotFound(format!("project {}", missing.name())).into()),
            None => Ok(sides),
        }
    }

    fn is_missing(&self) -> bool {
        self.listing.flags.is_empty() && self.listing.expected.is_none()
    }

    /// The revision in force of one of its flags, if that can be read.
    pub(super) async fn revision(&self, flag: &FlagKey) -> Result<Option<Revision>, PageError> {
        let read = self.listings.revision(flag).await;
        read.map_err(|error| match self.environment {
            Some(environment) if !self.is_ours => PageError::OtherStore {
                environment: environment.to_owned(),
                problem: error.to_string(),
            },
            _ => error.into(),
        })
    }

    /// What it is called where there is only text.
    pub(super) fn name(&self) -> String {
        match self.environment {
            Some(environment) => format!("{} in {environment}", self.project),
            None => self.project.to_string(),
        }
    }

    /// What it is called.
    pub(super) fn label(&self) -> Markup {
        html! {
            (shown(self.project.as_str()))
            @if let Some(environment) = self.environment { " in " (environment_mark(environment)) }
        }
    }

    /// A link to a flag, if its page is here.
    pub(super) fn link(&self, flag: &FlagKey, text: &Markup) -> Markup {
        html! { @if self.is_ours { a href=(flag_link(flag)) { (text) } } @else { (text) } }
    }
}

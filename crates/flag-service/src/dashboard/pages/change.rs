//! A change before it is carried out: what is chosen, what it does, and the form that confirms it.
mod choice;
mod confirmation;
mod effect;
mod meanwhile;
mod offer;
mod refused;

use flag_model::{FlagKey, Timestamp};
use maud::{Markup, html};

pub(super) use self::offer::{done, offer, roll_back_to};
pub(in crate::dashboard) use self::refused::refused;
use super::timeline::RevisionNumbers;
use crate::access::Viewer;
use crate::dashboard::change::{
    FlagState, Kind, NextRevision, NoNextRevision, Wanted, next_revision,
};
use crate::dashboard::error::PageError;
use crate::dashboard::parts::{Crumb, Frame};
use crate::dashboard::query::{flag_parameters, link};
use crate::dashboard::request::PageRequest;
use crate::dashboard::sources::{DashboardSettings, Sources, Writes};

/// The page of a change.
#[derive(Debug)]
pub(in crate::dashboard) struct ChangePage<'a> {
    sources: &'a Sources,
    request: &'a PageRequest,
    state: &'a FlagState,
    kind: Kind,
    /// The newest revision when the form that was sent was shown.
    base: Option<Timestamp>,
    missing: Missing,
    /// Why the caller can only look.
    refusal: Option<PageError>,
}

/// What a form lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::dashboard) struct Missing {
    /// Why the change is made.
    pub(in crate::dashboard) comment: bool,
    /// The name of the flag, typed.
    pub(in crate::dashboard) name: bool,
}

impl Missing {
    /// It lacks nothing.
    pub(in crate::dashboard) const NOTHING: Self = Self {
        comment: false,
        name: false,
    };
}

/// The page, before anything is sent. People who may only read see what the change would do, and no form.
pub(super) async fn render(sources: &Sources, request: &PageRequest) -> Result<Markup, PageError> {
    let flag = request.query.flag()?;
    if !request.viewer.may_see(&flag.project) {
        return Err(PageError::NotFound(format!("flag {flag}")));
    }
    let kind = Kind::of(&request.query)?;
    let wanted = Wanted::of(kind, &request.query)?;
    let target = wanted.and_then(|wanted| wanted.target());
    let state = FlagState::read(&sources.store, flag.clone(), target).await?;
    if state.history.is_empty() {
        let none = format!("revision of {flag} that could be changed");
        return Err(PageError::NotFound(none));
    }
    ChangePage::new(sources, request, &state, kind)
        .render()
        .await
}

/// Whether a page of a change has a form that the caller may send.
pub(in crate::dashboard) fn has_form(settings: &DashboardSettings, request: &PageRequest) -> bool {
    let flag = request.query.flag();
    flag.is_ok_and(|flag| check_may_change(settings, &request.viewer, &flag).is_ok())
}

/// An error unless a flag exists for the caller, and can be changed by it.
pub(in crate::dashboard) fn check_may_change(
    settings: &DashboardSettings,
    viewer: &Viewer,
    flag: &FlagKey,
) -> Result<(), PageError> {
    if !viewer.may_see(&flag.project) {
        return Err(PageError::NotFound(format!("flag {flag}")));
    }
    match settings.writes {
        Writes::Off => Err(PageError::ReadOnly),
        Writes::On if viewer.may_change(&flag.project) => Ok(viewer.editor().map(drop)?),
        Writes::On => Err(PageError::NoAdmin),
    }
}

/// The address of the page on which a change is chosen.
pub(super) fn change_link(flag: &FlagKey, kind: Kind) -> String {
    let mut parameters = flag_parameters(flag).to_vec();
    parameters.push(("do", kind.as_str()));
    link("/change", &parameters)
}

/// The address of the page that shows what a change does.
pub(super) fn effect_link(flag: &FlagKey, wanted: &Wanted) -> String {
    let wanted = wanted.parameters();
    let wanted = wanted.iter().map(|(name, value)| (*name, value.as_str()));
    let parameters: Vec<_> = flag_parameters(flag).into_iter().chain(wanted).collect();
    link("/change", &parameters)
}

impl<'a> ChangePage<'a> {
    /// The page of a flag as it is, of which nothing was sent yet.
    pub(in crate::dashboard) fn new(
        sources: &'a Sources,
        request: &'a PageRequest,
        state: &'a FlagState,
        kind: Kind,
    ) -> Self {
        Self {
            sources,
            request,
            state,
            kind,
            base: None,
            missing: Missing::NOTHING,
            refusal: check_may_change(&sources.settings, &request.viewer, &state.flag).err(),
        }
    }

    /// The page after its form was sent, shown when this revision was the newest, and lacked this.
    pub(in crate::dashboard) fn after(self, base: Timestamp, missing: Missing) -> Self {
        Self {
            base: Some(base),
            missing,
            ..self
        }
    }

    /// The page.
    pub(in crate::dashboard) async fn render(&self) -> Result<Markup, PageError> {
        let flag = &self.state.flag;
        let numbers = RevisionNumbers::read(&self.sources.store, flag).await?;
        let wanted = Wanted::of(self.kind, &self.request.query)?;
        let next = wanted
            .as_ref()
            .map(|wanted| next_revision(self.state, wanted));
        let content = match next {
            Some(Ok(next)) => {
                let wanted = wanted.as_ref();
                self.next_revision(wanted.ok_or(PageError::Internal)?, &next, &numbers)
                    .await
            }
            Some(Err(why)) => html! { (no_next_revision(&why)) (self.choice(&numbers)) },
            None => self.choice(&numbers),
        };
        let frame = Frame {
            settings: &self.sources.settings,
            title: &self.title(),
            crumbs: vec![
                Crumb::home(),
                Crumb::project(&flag.project),
                Crumb::flag(flag),
            ],
            identity: self.request.identity.as_ref(),
        };
        Ok(frame.render(&html! {
            @if let Some(base) = self.base { (self.meanwhile(base, &numbers)) }
            (content)
        }))
    }

    fn title(&self) -> String {
        let what = match self.kind {
            Kind::Rollback => "Roll back",
            Kind::Percent => "Set a percentage of",
            Kind::Off => "Switch off",
        };
        format!("{what} {}", self.state.flag.name)
    }

    async fn next_revision(
        &self,
        wanted: &Wanted,
        next: &NextRevision,
        numbers: &RevisionNumbers,
    ) -> Markup {
        let seen = self.seen_instances(next).await;
        html! {
            (self.effect(wanted, next, seen, numbers))
            @match &self.refusal {
                None => (self.confirmation(wanted, next, numbers)),
                Some(why) => (self.no_form(next, why)),
            }
        }
    }
}

fn no_next_revision(why: &NoNextRevision) -> Markup {
    match why {
        NoNextRevision::Unchanged(text) => html! { p.notice role="status" { (text) } },
        NoNextRevision::Refused(text) => html! { p.problem id="problem" role="alert" { (text) } },
    }
}

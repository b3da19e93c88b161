//! What a caller may do, and whether the handler has checked it.

use std::cell::{Cell, OnceCell};
use std::sync::Arc;

use actix_web::http::header::HeaderMap;
use flag_keys::Scope;
use flag_model::{Invalid, OwnerId, ProjectName};

use super::error::{AccessError, Forbidden, Unauthorized};
use super::key_set::FileKey;
use super::requirement::AccessRequirement;
use super::session::FormTokens;
use super::{session, stream_token};

/// Who a caller is.
#[derive(Clone, Debug)]
pub(crate) enum Principal {
    /// A caller that needs no key.
    Anybody,
    /// The holder of a key.
    Holder(Arc<FileKey>),
    /// A caller without a valid key, which may only sign in.
    Unauthenticated,
}

/// Who has signed in, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Identity {
    /// The holder of a key, as the history of a flag names it.
    Key(String),
    /// A person, as an identity-aware proxy names it with each request.
    Person(String),
}

impl Identity {
    /// Whether an identity-aware proxy says so, whatever else the caller signs in with.
    pub(crate) fn is_of_proxy(&self) -> bool {
        matches!(self, Self::Person(_))
    }
}

/// Why nobody can be named in the history of a flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoEditor {
    /// Nobody has signed in.
    NotSignedIn,
    /// The name that an identity-aware proxy gives is no name there.
    Invalid(Invalid),
}

/// A caller of the dashboard, which may read the projects of its key, or all projects where no key is needed.
#[derive(Clone, Debug)]
pub(crate) struct Viewer(Option<Arc<FileKey>>);

impl Viewer {
    /// Whether it may see a project.
    pub(crate) fn may_see(&self, project: &ProjectName) -> bool {
        self.0
            .as_ref()
            .is_none_or(|key| key.projects.contains(project))
    }

    /// Whether it may change the flags of a project: only somebody who has signed in with the scope `admin`.
    pub(crate) fn may_change(&self, project: &ProjectName) -> bool {
        self.0
            .as_ref()
            .is_some_and(|key| key.scopes.contains(Scope::Admin) && key.projects.contains(project))
    }

    /// Who it is, for the history of the flags that it changes.
    pub(crate) fn editor(&self) -> Result<OwnerId, NoEditor> {
        let key = self.0.as_ref().ok_or(NoEditor::NotSignedIn)?;
        key.editor().map_err(NoEditor::Invalid)
    }

    /// Returns what makes the tokens of the forms of its session; `None` if it has not signed in. A person of an
    /// identity-aware proxy is a session.
    pub(crate) fn form_tokens(&self, headers: &HeaderMap) -> Option<FormTokens> {
        let key = self.0.as_ref()?;
        let cookie = || session::cookie(headers).unwrap_or_default();
        let session = key.person.as_deref().unwrap_or_else(cookie);
        Some(FormTokens::new(session, &key.fingerprint))
    }
}

impl Principal {
    /// An error if it lacks the scope that a route needs.
    pub(crate) fn check_scope(&self, requirement: AccessRequirement) -> Result<(), AccessError> {
        let Some(scope) = requirement.scope() else {
            return Ok(());
        };
        match self {
            Self::Holder(key) if !key.scopes.contains(scope) => {
                Err(AccessError::Forbidden(Forbidden::Scope(scope)))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn check_project(&self, project: &ProjectName) -> Result<(), AccessError> {
        match self {
            Self::Holder(key) if !key.projects.contains(project) => {
                Err(AccessError::Forbidden(Forbidden::Project(project.clone())))
            }
            Self::Unauthenticated => {
                Err(AccessError::Forbidden(Forbidden::Project(project.clone())))
            }
            _ => Ok(()),
        }
    }
}

/// The authorization of one request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Authorization {
    principal: OnceCell<Principal>,
    is_project_checked: Cell<bool>,
}

impl Authorization {
    /// Notes the principal of the admitted request.
    pub(crate) fn grant(&self, principal: Principal) {
        let _ = self.principal.set(principal);
    }

    /// Returns the only project that the key of the caller is for, if there is just one.
    pub(crate) fn single_project(&self) -> Option<&ProjectName> {
        match self.principal.get()? {
            Principal::Holder(key) => key.projects.single(),
            Principal::Anybody | Principal::Unauthenticated => None,
        }
    }

    /// Returns the token with which the caller may open the event streams of a project in a URL; `None` if it needs none.
    pub(crate) fn stream_token(&self, project: &ProjectName) -> Option<String> {
        match self.principal.get()? {
            Principal::Holder(key) => stream_token::of(key, project),
            Principal::Anybody | Principal::Unauthenticated => None,
        }
    }

    /// Returns the principal, once the request is admitted.
    pub(crate) fn principal(&self) -> Option<&Principal> {
        self.principal.get()
    }

    /// An error if the caller may not use the project; no caller may before it is admitted.
    pub(crate) fn check_project(&self, project: &ProjectName) -> Result<(), AccessError> {
        self.is_project_checked.set(true);
        match self.principal.get() {
            Some(principal) => principal.check_project(project),
            None => Err(AccessError::Forbidden(Forbidden::Project(project.clone()))),
        }
    }

    /// Returns who has signed in, whatever it may do.
    pub(crate) fn identity(&self) -> Option<Identity> {
        let Principal::Holder(key) = self.principal.get()? else {
            return None;
        };
        Some(match &key.person {
            Some(person) => Identity::Person(person.clone()),
            None => Identity::Key(
                key.editor()
                    .map(|name| name.to_string())
                    .unwrap_or_default(),
            ),
        })
    }

    /// Returns the caller as a reader of the dashboard; an error if it has not signed in, or lacks the scope `read`.
    pub(crate) fn viewer(&self) -> Result<Viewer, AccessError> {
        match self.principal.get() {
            Some(Principal::Anybody) => Ok(Viewer(None)),
            Some(principal @ Principal::Holder(key)) => {
                principal.check_scope(AccessRequirement::Needs(Scope::Read))?;
                Ok(Viewer(Some(Arc::clone(key))))
            }
            Some(Principal::Unauthenticated) | None => {
                Err(AccessError::Unauthorized(Unauthorized::Missing))
            }
        }
    }

    /// An error if the caller may not use all of these projects.
    pub(crate) fn check_projects<'a>(
        &self,
        projects: impl IntoIterator<Item = &'a ProjectName>,
    ) -> Result<(), AccessError> {
        self.is_project_checked.set(true);
        projects
            .into_iter()
            .try_for_each(|project| self.check_project(project))
    }

    /// Whether the handler of a route about projects has not checked any. Its answer must not be sent.
    pub(crate) fn project_check_missing(&self, requirement: AccessRequirement) -> bool {
        let is_about_a_project = matches!(
            requirement,
            AccessRequirement::NeedsForProject(_) | AccessRequirement::NeedsStreamToken
        );
        let is_holder = matches!(self.principal.get(), Some(Principal::Holder(_)));
        is_about_a_project && is_holder && !self.is_project_checked.get()
    }
}

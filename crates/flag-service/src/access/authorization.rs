//! What a caller may do, and whether its handler has asked.

use std::cell::{Cell, OnceCell};
use std::sync::Arc;

use flag_model::ProjectName;

use super::key_set::HeldKey;
use crate::http::{Access, Forbidden, Refusal};

/// Who a caller is.
#[derive(Clone, Debug)]
pub(crate) enum Principal {
    /// A caller that needs no key.
    Anybody,
    /// The holder of a key.
    Holder(Arc<HeldKey>),
}

impl Principal {
    /// Whether it has the scope that a route needs.
    pub(crate) fn check_scope(&self, access: Access) -> Result<(), Refusal> {
        let (Access::Needs(scope) | Access::NeedsForProject(scope)) = access else {
            return Ok(());
        };
        match self {
            Self::Holder(key) if !key.scopes.contains(scope) => {
                Err(Refusal::Forbidden(Forbidden::Scope(scope)))
            }
            _ => Ok(()),
        }
    }

    fn check_project(&self, project: &ProjectName) -> Result<(), Refusal> {
        match self {
            Self::Holder(key) if !key.projects.contains(project) => {
                Err(Refusal::Forbidden(Forbidden::Project(project.clone())))
            }
            _ => Ok(()),
        }
    }
}

/// The authorization of one request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Authorization {
    principal: OnceCell<Principal>,
    has_asked: Cell<bool>,
}

impl Authorization {
    /// Notes the principal of the admitted request.
    pub(crate) fn grant(&self, principal: Principal) {
        let _ = self.principal.set(principal);
    }

    /// Returns the principal, once the request is admitted.
    pub(crate) fn principal(&self) -> Option<&Principal> {
        self.principal.get()
    }

    /// Whether the caller may use a project; no caller may before it is admitted.
    pub(crate) fn may(&self, project: &ProjectName) -> Result<(), Refusal> {
        self.has_asked.set(true);
        match self.principal.get() {
            Some(principal) => principal.check_project(project),
            None => Err(Refusal::Forbidden(Forbidden::Project(project.clone()))),
        }
    }

    /// Whether the caller may use all of these projects.
    pub(crate) fn may_all<'a>(
        &self,
        projects: impl IntoIterator<Item = &'a ProjectName>,
    ) -> Result<(), Refusal> {
        self.has_asked.set(true);
        projects
            .into_iter()
            .try_for_each(|project| self.may(project))
    }

    /// Whether the handler of a route about projects has not asked. Its answer must not be sent.
    pub(crate) fn was_forgotten(&self, access: Access) -> bool {
        let is_about_a_project = matches!(access, Access::NeedsForProject(_));
        let is_holder = matches!(self.principal.get(), Some(Principal::Holder(_)));
        is_about_a_project && is_holder && !self.has_asked.get()
    }
}

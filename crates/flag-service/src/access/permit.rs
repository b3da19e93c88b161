//! What a caller was let in for, and whether the handler has asked.

use std::cell::{Cell, OnceCell};
use std::sync::Arc;

use flag_model::ProjectName;

use super::Access;
use super::ring::HeldKey;
use crate::problem::{Forbidden, Refusal};

/// Who was let in.
#[derive(Clone, Debug)]
pub(crate) enum Pass {
    /// Somebody who was asked for no key.
    Anybody,
    /// The holder of a key.
    Holder(Arc<HeldKey>),
}

impl Pass {
    /// Whether it is for the scope that a path asks for.
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

/// The pass of one request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Permit {
    pass: OnceCell<Pass>,
    has_asked: Cell<bool>,
}

impl Permit {
    /// Notes who was let in.
    pub(crate) fn grant(&self, pass: Pass) {
        let _ = self.pass.set(pass);
    }

    /// What the caller was let in with.
    pub(crate) fn pass(&self) -> Option<&Pass> {
        self.pass.get()
    }

    /// Whether the caller may use what belongs to a project; nobody may before being let in.
    pub(crate) fn may(&self, project: &ProjectName) -> Result<(), Refusal> {
        self.has_asked.set(true);
        match self.pass.get() {
            Some(pass) => pass.check_project(project),
            None => Err(Refusal::Forbidden(Forbidden::Project(project.clone()))),
        }
    }

    /// Whether the caller may use what belongs to each of these projects.
    pub(crate) fn may_all<'a>(
        &self,
        projects: impl IntoIterator<Item = &'a ProjectName>,
    ) -> Result<(), Refusal> {
        self.has_asked.set(true);
        projects
            .into_iter()
            .try_for_each(|project| self.may(project))
    }

    /// Whether a handler answers about a project without having asked. Its answer must not be sent.
    pub(crate) fn was_forgotten(&self, access: Access) -> bool {
        let is_about_a_project = matches!(access, Access::NeedsForProject(_));
        let is_holder = matches!(self.pass.get(), Some(Pass::Holder(_)));
        is_about_a_project && is_holder && !self.has_asked.get()
    }
}

//! What a route requires of its caller.

use flag_keys::Scope;

/// What a route requires of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Nothing.
    Open,
    /// A key with this scope.
    Needs(Scope),
    /// A key with this scope, for the project of the request: the handler must call
    /// [`Authorization::check_project`](super::Authorization::check_project).
    NeedsForProject(Scope),
    /// A token in the URL, made of a key with the scope [`Scope::Evaluate`], for the project of the request.
    NeedsStreamToken,
}

impl Access {
    /// Returns the scope that a key must have.
    pub(crate) fn scope(self) -> Option<Scope> {
        match self {
            Self::Open => None,
            Self::Needs(scope) | Self::NeedsForProject(scope) => Some(scope),
            Self::NeedsStreamToken => Some(Scope::Evaluate),
        }
    }
}

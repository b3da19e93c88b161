//! What a route requires of its caller.

use flag_keys::Scope;

/// What a route requires of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AccessRequirement {
    /// Nothing.
    Open,
    /// A key with this scope.
    Needs(Scope),
    /// A key with this scope, for the project of the request: the handler must call
    /// [`Authorization::check_project`](super::Authorization::check_project).
    NeedsForProject(Scope),
    /// Every caller is let through: the handler requires a key with the scope `read`, of a signed-in browser or in a header, by
    /// [`Authorization::viewer`](super::Authorization::viewer), and sends others to its sign-in page.
    CheckedByDashboard,
    /// A token in the URL, made of a key with the scope [`Scope::Evaluate`], for the project of the request.
    NeedsStreamToken,
}

impl AccessRequirement {
    /// Returns the scope that a key must have.
    pub(crate) fn scope(self) -> Option<Scope> {
        match self {
            // The sign-in page is for everybody; the handler asks for the scope of the others.
            Self::Open | Self::CheckedByDashboard => None,
            Self::Needs(scope) | Self::NeedsForProject(scope) => Some(scope),
            Self::NeedsStreamToken => Some(Scope::Evaluate),
        }
    }
}

//! Why there is no page.

use flag_api::Code;
use flag_model::Invalid;
use flag_store::StoreError;

use crate::access::{AccessError, Forbidden, Identity, NoEditor};

/// Why there is no page.
#[derive(Debug)]
pub(super) enum PageError {
    /// The caller has not signed in.
    NotSignedIn,
    /// The key of the caller lacks the scope `read`.
    NoScope,
    /// What was asked for does not exist, or is not shown to this caller: what it is.
    NotFound(String),
    /// The address of the page is wrong: what is wrong with it.
    Invalid(String),
    /// The page takes no form.
    NoForm,
    /// The request failed before a page was asked for: why.
    NotAdmitted(Code, String),
    /// The dashboard of this service only reads.
    ReadOnly,
    /// The key of the caller may not change the flags of this project.
    NoAdmin,
    /// The identity-aware proxy names the caller in a way that the history of a flag cannot.
    NoName(Invalid),
    /// The identity-aware proxy says who the caller is, so no key can.
    ProxySignsIn,
    /// A form does not belong to the session of the caller, or is for something else.
    OtherSession,
    /// Another writer holds the flag.
    Claimed,
    /// A change that cannot be carried out: why.
    Refused(String),
    /// The store refuses to write flags.
    WriteRefused,
    /// It is not known whether a change was carried out.
    NotKnown,
    /// The request came from a page of another site.
    OtherSite,
    /// Too many pages are being made.
    Busy,
    /// The page took too long.
    Late,
    /// The store failed.
    Store(StoreError),
    /// The store of the other environment cannot be read: why.
    OtherStore {
        environment: String,
        problem: String,
    },
    /// A bug of the service.
    Internal,
}

impl From<StoreError> for PageError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<AccessError> for PageError {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::Forbidden(Forbidden::Scope(_)) => Self::NoScope,
            _ => Self::NotSignedIn,
        }
    }
}

impl From<NoEditor> for PageError {
    fn from(why: NoEditor) -> Self {
        match why {
            NoEditor::NotSignedIn => Self::NotSignedIn,
            NoEditor::Invalid(name) => Self::NoName(name),
        }
    }
}

impl PageError {
    /// Whether another key may help: not where a proxy says who the caller is.
    pub(super) fn is_mended_by_signing_in(&self, identity: Option<&Identity>) -> bool {
        let wants_key = matches!(self, Self::NotSignedIn | Self::NoScope | Self::NoAdmin);
        wants_key && !identity.is_some_and(Identity::is_of_proxy)
    }

    /// Its code, which decides the status.
    pub(super) fn code(&self) -> Code {
        match self {
            Self::NotSignedIn => Code::Unauthorized,
            Self::NoScope
            | Self::OtherSite
            | Self::ReadOnly
            | Self::NoAdmin
            | Self::NoName(_)
            | Self::OtherSession => Code::Forbidden,
            Self::NotFound(_) => Code::NotFound,
            Self::Invalid(_) | Self::Refused(_) | Self::ProxySignsIn => Code::InvalidRequest,
            Self::NoForm => Code::MethodNotAllowed,
            Self::NotAdmitted(code, _) => *code,
            Self::Busy | Self::Claimed => Code::Overloaded,
            Self::Late | Self::NotKnown | Self::Store(StoreError::TimedOut { .. }) => Code::Timeout,
            Self::Store(_) | Self::WriteRefused | Self::OtherStore { .. } => Code::StoreUnavailable,
            Self::Internal => Code::Internal,
        }
    }

    /// What happened, and what this caller can do.
    pub(super) fn message(&self, identity: Option<&Identity>) -> String {
        let is_of_proxy = identity.is_some_and(Identity::is_of_proxy);
        match self {
            Self::NotSignedIn => "Sign in first: nobody is signed in, or the API key was revoked or has expired.".to_owned(),
            Self::NoScope | Self::NoAdmin if is_of_proxy => self.lacks_scope_of_proxy(),
            Self::NoScope => {
                "This API key lacks the scope read. Sign in with another key.".to_owned()
            }
            Self::NoName(name) => format!(
                "The identity-aware proxy names you {}, which cannot stand in the history of a flag: expected {}. You can \
                look at everything, and change nothing here. Use flagctl, or come through the proxy with another account.",
                name.found, name.expected
            ),
            Self::ProxySignsIn => {
                "The identity-aware proxy before this service says with each request who you are, so signing in with an API \
                key has no effect."
                    .to_owned()
            }
            Self::NotFound(what) => format!("There is no {what}, or this key may not see it."),
            Self::Invalid(problem) => problem.clone(),
            Self::NoForm => "This page takes no form.".to_owned(),
            Self::NotAdmitted(_, why) => format!("The request was refused: {why}."),
            Self::OtherSite => {
                "The request came from another site, and was not carried out. If you meant it, open the flag on this \
                dashboard and send the form from there."
                    .to_owned()
            }
            Self::ReadOnly => {
                "This dashboard only reads, so nothing was changed. Use the commands on the page of the flag; \
                FLAG_DASHBOARD_WRITES=on allows changes here."
                    .to_owned()
            }
            Self::NoAdmin => {
                "This API key lacks the scope admin for the project, so nothing was changed. Sign in with another key."
                    .to_owned()
            }
            Self::OtherSession => {
                "This form does not belong to your session, perhaps because you signed in again since it was shown, or it was \
                altered. Nothing was changed. Open the form again, and send it from there."
                    .to_owned()
            }
            Self::Claimed => {
                "Somebody else is writing to this flag, and has not finished. Nothing was changed. Try again in a minute."
                    .to_owned()
            }
            Self::Refused(why) => format!("Nothing was changed: {why}"),
            Self::WriteRefused => {
                "The store refused to write, so nothing was changed. The account of the service may lack the right to write \
                flags; the log of the service says more."
                    .to_owned()
            }
            Self::NotKnown => {
                "The store did not answer in time, so it is not known whether the flag was changed, or still will be. \
                Look at its history before you try again."
                    .to_owned()
            }
            Self::Busy => "Too many pages are being made. Try again in a second.".to_owned(),
            Self::Late => "The page took too long. Try again.".to_owned(),
            Self::Store(_) => {
                "The store does not answer. Flags that are in memory are still served; \
                see Health."
                    .to_owned()
            }
            Self::OtherStore {
                environment,
                problem,
            } => format!(
                "The store of {} cannot be read ({problem}), so there is nothing to compare with. Nothing else depends on it. \
                It is tried again when the page is loaded.",
                flag_describe::visible(environment)
            ),
            Self::Internal => "The service made a mistake. Its log says more.".to_owned(),
        }
    }

    /// What people of a proxy cannot do for the want of a scope, which all of them lack.
    fn lacks_scope_of_proxy(&self) -> String {
        let (scope, what) = match self {
            Self::NoAdmin => ("admin for the project", "nothing was changed"),
            _ => ("read", "there is nothing to see"),
        };
        format!(
            "People who come through the identity-aware proxy have the rights of one API key, the one of FLAG_IAP_KEY_ID. It \
            lacks the scope {scope}, so {what}. Ask an operator of this service; signing in with another key has no effect."
        )
    }
}

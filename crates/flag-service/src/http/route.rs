//! The routes of the service; metrics, access and limits go by their names. Imports nothing of the crate.

use actix_web::http::StatusCode;
use actix_web::http::header::HeaderValue;
use flag_api::{GET_FEATURE_FLAG, LOG_FEATURE_FLAG};
use flag_keys::Scope;

/// A route of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Route {
    /// `GET /get-feature-flag`.
    GetFeatureFlag,
    /// `POST /log-feature-flag`.
    LogFeatureFlag,
    /// `GET /livez`.
    Livez,
    /// `GET /readyz`.
    Readyz,
    /// `GET /metrics`.
    Metrics,
    /// `GET /openapi.json`.
    OpenApi,
    /// `GET /docs`.
    Docs,
    /// Any other path.
    Unknown,
}

/// What a route asks of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Nothing.
    Open,
    /// A key with this scope.
    Needs(Scope),
    /// A key with this scope, for the project of the request: the handler must call
    /// [`RequestContext::may`](super::RequestContext::may).
    NeedsForProject(Scope),
}

/// What caches may keep, as constants: their bytes are checked at compile time.
const FOR_EVERYBODY: HeaderValue = HeaderValue::from_static("public, max-age=300");
const FOR_NOBODY: HeaderValue = HeaderValue::from_static("private, no-store");

impl Route {
    /// Every route.
    pub(crate) const ALL: &[Self] = &[
        Self::GetFeatureFlag,
        Self::LogFeatureFlag,
        Self::Livez,
        Self::Readyz,
        Self::Metrics,
        Self::OpenApi,
        Self::Docs,
        Self::Unknown,
    ];

    /// Returns its path, which is also its label in metrics; `unknown` for [`Route::Unknown`].
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::GetFeatureFlag => GET_FEATURE_FLAG,
            Self::LogFeatureFlag => LOG_FEATURE_FLAG,
            Self::Livez => "/livez",
            Self::Readyz => "/readyz",
            Self::Metrics => "/metrics",
            Self::OpenApi => "/openapi.json",
            Self::Docs => "/docs",
            Self::Unknown => "unknown",
        }
    }

    /// Returns what it asks of its caller. Every route is classified here, and nowhere else.
    pub(crate) fn access(self) -> Access {
        match self {
            Self::GetFeatureFlag => Access::NeedsForProject(Scope::Evaluate),
            Self::LogFeatureFlag => Access::NeedsForProject(Scope::Log),
            Self::Metrics => Access::Needs(Scope::Read),
            Self::Livez | Self::Readyz | Self::OpenApi | Self::Docs | Self::Unknown => Access::Open,
        }
    }

    /// Returns what caches may keep of an answer with this status: answers that depend on the release alone, for five
    /// minutes.
    pub(crate) fn cache_control(self, status: StatusCode) -> HeaderValue {
        if matches!(self, Self::OpenApi | Self::Docs) && status == StatusCode::OK {
            return FOR_EVERYBODY;
        }
        FOR_NOBODY
    }

    /// Whether it is a probe of Kubernetes, which must be answered even under overload.
    pub(crate) fn is_probe(self) -> bool {
        matches!(self, Self::Livez | Self::Readyz)
    }

    /// Returns its methods, as an `Allow` header lists them.
    pub(crate) fn methods(self) -> &'static str {
        match self {
            Self::GetFeatureFlag
            | Self::Livez
            | Self::Readyz
            | Self::Metrics
            | Self::OpenApi
            | Self::Docs => "GET, HEAD",
            Self::LogFeatureFlag => "POST",
            Self::Unknown => "",
        }
    }
}

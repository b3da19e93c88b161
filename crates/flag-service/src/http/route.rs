//! The routes of the service: paths, methods, and what each requires of its caller.

use actix_web::http::header::HeaderValue;
use actix_web::http::{Method, StatusCode};
use flag_api::{GET_FEATURE_FLAG, LOG_FEATURE_FLAG};
use flag_keys::Scope;

use crate::access::Access;

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
    /// The pages of the dashboard.
    Dashboard,
    /// Style and script of the dashboard.
    DashboardAssets,
    /// Any other path.
    Unknown,
}

/// What caches may store; as constants, their bytes are checked at compile time.
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
        Self::Dashboard,
        Self::DashboardAssets,
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
            Self::Dashboard => "/dashboard",
            Self::DashboardAssets => "/dashboard/assets",
            Self::Unknown => "unknown",
        }
    }

    /// Returns what it requires of its caller. Every route is classified here, and nowhere else.
    pub(crate) fn access(self) -> Access {
        match self {
            Self::GetFeatureFlag => Access::NeedsForProject(Scope::Evaluate),
            Self::LogFeatureFlag => Access::NeedsForProject(Scope::Log),
            Self::Metrics => Access::Needs(Scope::Read),
            Self::Dashboard => Access::SignIn,
            Self::Livez
            | Self::Readyz
            | Self::OpenApi
            | Self::Docs
            | Self::DashboardAssets
            | Self::Unknown => Access::Open,
        }
    }

    /// Returns what caches may store of an answer with this status: only answers that are the same for a whole release, for
    /// five minutes.
    pub(crate) fn cache_control(self, status: StatusCode) -> HeaderValue {
        if matches!(self, Self::OpenApi | Self::Docs | Self::DashboardAssets)
            && status == StatusCode::OK
        {
            return FOR_EVERYBODY;
        }
        FOR_NOBODY
    }

    /// Whether it is a probe of Kubernetes, which must be answered even under overload.
    pub(crate) fn is_probe(self) -> bool {
        matches!(self, Self::Livez | Self::Readyz)
    }

    /// Returns its methods.
    pub(crate) fn methods(self) -> &'static [Method] {
        match self {
            Self::GetFeatureFlag
            | Self::Livez
            | Self::Readyz
            | Self::Metrics
            | Self::OpenApi
            | Self::Docs
            | Self::DashboardAssets => &[Method::GET, Method::HEAD],
            Self::Dashboard => &[Method::GET, Method::HEAD, Method::POST],
            Self::LogFeatureFlag => &[Method::POST],
            Self::Unknown => &[],
        }
    }

    /// Returns its methods, as an `Allow` header lists them.
    pub(crate) fn allow(self) -> String {
        let methods = self.methods().iter().map(Method::as_str);
        methods.collect::<Vec<_>>().join(", ")
    }

    /// Returns every path that it is registered with; those of the Python framework also end with a slash, which costs less
    /// than normalizing each request.
    pub(crate) fn spellings(self) -> Vec<String> {
        let path = self.path().to_owned();
        match self {
            Self::GetFeatureFlag | Self::LogFeatureFlag => vec![format!("{path}/"), path],
            Self::Dashboard => [
                "",
                "/flags",
                "/flag",
                "/revision",
                "/health",
                "/sign-in",
                "/sign-out",
            ]
            .map(|page| format!("{path}{page}"))
            .into(),
            Self::DashboardAssets => ["app.css", "app.js", "icon.svg"]
                .map(|file| format!("{path}/{file}"))
                .into(),
            Self::Unknown => Vec::new(),
            _ => vec![path],
        }
    }

    /// Returns its path for traces; none for [`Route::Unknown`].
    pub(crate) fn template(self) -> Option<&'static str> {
        (self != Self::Unknown).then(|| self.path())
    }

    /// Returns its index in [`Route::ALL`].
    pub(crate) fn index(self) -> usize {
        self as usize
    }
}

//! What is true of each route: its paths and methods, what it requires of its caller, what caches may store of its answers.

use actix_web::http::header::HeaderValue;
use actix_web::http::{Method, StatusCode};
use flag_api::{EVENTS, EXPLAIN, GET_FEATURE_FLAG, LOG_FEATURE_FLAG};
use flag_keys::Scope;

use super::route::Route;
use crate::access::AccessRequirement;

/// What caches may store; as constants, their bytes are checked at compile time.
const FOR_EVERYBODY: HeaderValue = HeaderValue::from_static("public, max-age=300");
const FOR_ITS_CALLER: HeaderValue = HeaderValue::from_static("private, no-cache");
const FOR_NOBODY: HeaderValue = HeaderValue::from_static("private, no-store");

/// The beginning of a path that names a project.
const OF_A_PROJECT: &str = "/projects/{project}";

impl Route {
    /// Returns its path, which is also its label in metrics; `preflight` and `unknown` have none.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::GetFeatureFlag => GET_FEATURE_FLAG,
            Self::LogFeatureFlag => LOG_FEATURE_FLAG,
            Self::OfrepFlag => "/projects/{project}/ofrep/v1/evaluate/flags/{key}",
            Self::OfrepFlags => "/projects/{project}/ofrep/v1/evaluate/flags",
            Self::Livez => "/livez",
            Self::Readyz => "/readyz",
            Self::Metrics => "/metrics",
            Self::OpenApi => "/openapi.json",
            Self::Docs => "/docs",
            Self::OfrepEvents => "/projects/{project}/ofrep/v1/events",
            Self::Events => EVENTS,
            Self::Explain => EXPLAIN,
            Self::Preflight => "preflight",
            Self::Dashboard => "/dashboard",
            Self::DashboardAssets => "/dashboard/assets",
            Self::DashboardEvents => "/dashboard/events",
            Self::Unknown => "unknown",
        }
    }

    /// Returns what it requires of its caller. Every route is classified here, and nowhere else.
    pub(crate) fn required_access(self) -> AccessRequirement {
        match self {
            Self::GetFeatureFlag | Self::OfrepFlag | Self::OfrepFlags | Self::Events => {
                AccessRequirement::NeedsForProject(Scope::Evaluate)
            }
            Self::OfrepEvents => AccessRequirement::NeedsStreamToken,
            Self::LogFeatureFlag => AccessRequirement::NeedsForProject(Scope::Log),
            Self::Explain => AccessRequirement::NeedsForProject(Scope::Read),
            Self::Metrics => AccessRequirement::Needs(Scope::Read),
            Self::Dashboard | Self::DashboardEvents => AccessRequirement::CheckedByDashboard,
            Self::Livez
            | Self::Readyz
            | Self::OpenApi
            | Self::Docs
            | Self::DashboardAssets
            | Self::Preflight
            | Self::Unknown => AccessRequirement::Open,
        }
    }

    /// Returns what caches may store of an answer with this status: only answers that are the same for a whole release, for
    /// five minutes; and answers with an `ETag`, which are asked for again each time.
    pub(crate) fn cache_control(self, status: StatusCode) -> HeaderValue {
        if matches!(self, Self::OpenApi | Self::Docs | Self::DashboardAssets)
            && status == StatusCode::OK
        {
            return FOR_EVERYBODY;
        }
        if self == Self::OfrepFlags && matches!(status, StatusCode::OK | StatusCode::NOT_MODIFIED) {
            return FOR_ITS_CALLER;
        }
        FOR_NOBODY
    }

    /// Whether its failures have the form of OFREP; those of its event stream are problems.
    pub(crate) fn has_ofrep_failures(self) -> bool {
        matches!(self, Self::OfrepFlag | Self::OfrepFlags)
    }

    /// Whether pages of other origins may send it requests, if these origins are set.
    pub(crate) fn takes_other_origins(self) -> bool {
        self.has_ofrep_failures() || matches!(self, Self::GetFeatureFlag | Self::OfrepEvents)
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
            | Self::DashboardAssets
            | Self::DashboardEvents
            | Self::Events
            | Self::Explain
            | Self::OfrepEvents => &[Method::GET, Method::HEAD],
            Self::Dashboard => &[Method::GET, Method::HEAD, Method::POST],
            Self::LogFeatureFlag | Self::OfrepFlag | Self::OfrepFlags => &[Method::POST],
            Self::Preflight => &[Method::OPTIONS],
            Self::Unknown => &[],
        }
    }

    /// Returns its methods, as an `Allow` header lists them.
    pub(crate) fn allow(self) -> String {
        let methods = self.methods().iter().map(Method::as_str);
        methods.collect::<Vec<_>>().join(", ")
    }

    /// Returns the pattern of every path that it is registered with; those of the Python framework also end with a slash,
    /// which costs less than normalizing each request. Those of OFREP may leave out the project, and a key may have slashes.
    /// The last one of the dashboard takes every path below it that no other route has.
    pub(crate) fn path_patterns(self) -> Vec<String> {
        let path = self.path().to_owned();
        match self {
            Self::GetFeatureFlag | Self::LogFeatureFlag => vec![format!("{path}/"), path],
            Self::Dashboard => [
                "",
                "/flags",
                "/flag",
                "/revision",
                "/revisions",
                "/compare",
                "/change",
                "/health",
                "/sign-in",
                "/sign-out",
                "/{other:.*}",
            ]
            .map(|page| format!("{path}{page}"))
            .into(),
            Self::DashboardAssets => ["app.css", "app.js", "live.js", "icon.svg"]
                .map(|file| format!("{path}/{file}"))
                .into(),
            Self::OfrepFlag | Self::OfrepFlags => {
                let path = path.replace("{key}", "{key:.*}");
                let without_project = path.replace(OF_A_PROJECT, "");
                vec![path, without_project]
            }
            Self::Preflight | Self::Unknown => Vec::new(),
            _ => vec![path],
        }
    }

    /// Returns its path for traces, if it has one.
    pub(crate) fn template(self) -> Option<&'static str> {
        (!matches!(self, Self::Preflight | Self::Unknown)).then(|| self.path())
    }
}

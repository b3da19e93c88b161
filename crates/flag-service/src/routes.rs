//! The table of contents of the site.

use actix_web::guard::{Guard, fn_guard};
use actix_web::http::header::HeaderValue;
use actix_web::http::{Method, StatusCode};
use actix_web::web::{self, ServiceConfig};
use actix_web::{FromRequest, Handler, Resource, Responder};
use flag_api::{GET_FEATURE_FLAG, LOG_FEATURE_FLAG};
use flag_keys::Scope;

use crate::access::Access;
use crate::docs::docs;
use crate::get_feature_flag::get_feature_flag;
use crate::health::{livez, readyz};
use crate::log_feature_flag::log_feature_flag;
use crate::metrics::metrics;
use crate::openapi::openapi;
use crate::problem::{method_not_allowed, not_found};

/// What can be asked of the site. Metrics, access and limits go by these names.
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
    /// Anything else.
    Unknown,
}

/// What caches may keep, as constants: their bytes are checked when this is compiled.
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

    /// Its path, which names it in metrics too; `unknown` for what has none.
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

    /// What it asks of whoever comes. Every route is classified here, and nowhere else.
    pub(crate) fn access(self) -> Access {
        match self {
            Self::GetFeatureFlag => Access::NeedsForProject(Scope::Evaluate),
            Self::LogFeatureFlag => Access::NeedsForProject(Scope::Log),
            Self::Metrics => Access::Needs(Scope::Read),
            Self::Livez | Self::Readyz | Self::OpenApi | Self::Docs | Self::Unknown => Access::Open,
        }
    }

    /// What caches may keep of an answer with this status. What depends on nothing but the release may be kept by
    /// everybody, for long enough to spare a service that many look at; all else by nobody.
    pub(crate) fn cache_control(self, status: StatusCode) -> HeaderValue {
        if matches!(self, Self::OpenApi | Self::Docs) && status == StatusCode::OK {
            return FOR_EVERYBODY;
        }
        FOR_NOBODY
    }

    /// Whether those who watch over the service ask for it: they must be answered whatever others ask.
    pub(crate) fn is_probe(self) -> bool {
        matches!(self, Self::Livez | Self::Readyz)
    }

    /// The methods that it takes, as an `Allow` header lists them.
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

/// Registers every path; those of the reference in both spellings, which is cheaper than normalising each request.
pub(crate) fn routes(site: &mut ServiceConfig) {
    let flags = Route::GetFeatureFlag;
    site.service(get(flags.path(), flags, get_feature_flag));
    site.service(get(&format!("{}/", flags.path()), flags, get_feature_flag));
    let log = Route::LogFeatureFlag;
    site.service(post(log.path(), log, log_feature_flag));
    site.service(post(&format!("{}/", log.path()), log, log_feature_flag));
    site.service(get(Route::Livez.path(), Route::Livez, livez));
    site.service(get(Route::Readyz.path(), Route::Readyz, readyz));
    site.service(get(Route::Metrics.path(), Route::Metrics, metrics));
    site.service(get(Route::OpenApi.path(), Route::OpenApi, openapi));
    site.service(get(Route::Docs.path(), Route::Docs, docs));
    site.default_service(web::to(not_found));
}

/// A path that is read: GET, and HEAD for the same without the body.
fn get<F, Args>(path: &str, route: Route, handler: F) -> Resource
where
    F: Handler<Args, Output: Responder + 'static>,
    Args: FromRequest + 'static,
{
    let read = web::route()
        .guard(methods(&[Method::GET, Method::HEAD]))
        .to(handler);
    web::resource(path)
        .route(read)
        .default_service(web::to(move |visit| method_not_allowed(visit, route)))
}

/// A path that is written to: POST.
fn post<F, Args>(path: &str, route: Route, handler: F) -> Resource
where
    F: Handler<Args, Output: Responder + 'static>,
    Args: FromRequest + 'static,
{
    web::resource(path)
        .route(web::route().guard(methods(&[Method::POST])).to(handler))
        .default_service(web::to(move |visit| method_not_allowed(visit, route)))
}

/// Takes requests with these methods. The guards of the framework look into a table of the request first, in case another
/// part has changed the method.
fn methods(taken: &'static [Method]) -> impl Guard {
    fn_guard(move |request| taken.contains(&request.head().method))
}

//! The routes of the service. Everybody names them, so this file names nobody: what is true of each is in `route_properties.rs`.

/// A route of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Route {
    /// `GET /get-feature-flag`.
    GetFeatureFlag,
    /// `POST /log-feature-flag`.
    LogFeatureFlag,
    /// `POST …/ofrep/v1/evaluate/flags/{key}`.
    OfrepFlag,
    /// `POST …/ofrep/v1/evaluate/flags`.
    OfrepFlags,
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
    /// `GET /projects/{project}/ofrep/v1/events`.
    OfrepEvents,
    /// `GET /projects/{project}/events`.
    Events,
    /// `GET /projects/{project}/flags/{type}/{name}/explain`.
    Explain,
    /// A preflight request of a browser, to any path that takes them.
    Preflight,
    /// The pages of the dashboard.
    Dashboard,
    /// Style and script of the dashboard.
    DashboardAssets,
    /// `GET /dashboard/events`, for its pages.
    DashboardEvents,
    /// Any other path.
    Unknown,
}

impl Route {
    /// Every route.
    pub(crate) const ALL: &[Self] = &[
        Self::GetFeatureFlag,
        Self::LogFeatureFlag,
        Self::OfrepFlag,
        Self::OfrepFlags,
        Self::Livez,
        Self::Readyz,
        Self::Metrics,
        Self::OpenApi,
        Self::Docs,
        Self::OfrepEvents,
        Self::Events,
        Self::Explain,
        Self::Preflight,
        Self::Dashboard,
        Self::DashboardAssets,
        Self::DashboardEvents,
        Self::Unknown,
    ];

    /// Returns its index in [`Route::ALL`].
    pub(crate) fn index(self) -> usize {
        self as usize
    }
}

//! What pages are made of.

use std::sync::Arc;

use flag_store::{ExposureLog, FlagStore, InstanceIdMode};

use super::listing::Listings;
use super::other_store::OtherStore;

/// Settings of the dashboard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DashboardSettings {
    /// The name of the environment, which is on every page.
    pub(crate) environment: String,
    /// Over which connections browsers send the cookie of a session.
    pub(crate) cookies: CookieScope,
    /// Whether flags can be changed.
    pub(crate) writes: Writes,
}

/// Whether flags can be changed on the dashboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writes {
    /// By those who may.
    On,
    /// By nobody.
    Off,
}

/// Over which connections browsers send the cookie of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CookieScope {
    /// Over any, as the service listens on a loopback address.
    AnyConnection,
    /// Only over TLS.
    TlsOnly,
}

/// What pages are made of: readers of the store that evaluations don't use.
#[derive(Debug)]
pub(super) struct Sources {
    pub(super) settings: DashboardSettings,
    pub(super) store: FlagStore,
    pub(super) log: Arc<dyn ExposureLog>,
    /// How the exposure log names instances.
    pub(super) id_mode: InstanceIdMode,
    pub(super) listings: Listings,
    /// The store of another environment, if one is set.
    pub(super) other_store: Option<Arc<OtherStore>>,
}

//! Who may ask for what: API keys, the projects that they are for, and how often a caller may ask.
//!
//! Without a file of keys everybody may ask for everything, which costs a request one branch. With one, a request that
//! brings a key costs a SHA-256 of it and one look-up.
mod credential;
mod metrics;
mod permit;
mod rate;
mod ring;
mod watch;

use std::sync::Arc;

use actix_web::HttpRequest;
use arc_swap::ArcSwap;
use flag_keys::{Fingerprint, Scope, Secret};
use flag_store::{Clock as _, SystemClock};
use prometheus_client::registry::Registry;
use tokio::runtime::Handle;

use self::metrics::AccessMetrics;
pub(crate) use self::permit::{Pass, Permit};
use self::rate::RateLimit;
pub(crate) use self::rate::{Callers, RateSettings};
use self::ring::{HeldKey, KeyRing};
pub(crate) use self::watch::KeysSettings;
use crate::problem::{Refusal, Unauthorized};
use crate::routes::Route;

/// What a path asks of whoever comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Nothing.
    Open,
    /// A key with this scope.
    Needs(Scope),
    /// A key with this scope, for the project that the request is about: its handler asks [`Permit::may`].
    NeedsForProject(Scope),
}

/// Who may come in, as configured.
#[derive(Clone, Debug, Default)]
pub(crate) struct AccessSettings {
    /// The file of keys; without one nobody is asked for a key.
    pub(crate) keys: Option<KeysSettings>,
    /// How often a caller may ask.
    pub(crate) rate: Option<RateSettings>,
}

/// Lets callers in, or doesn't.
#[derive(Debug)]
pub(crate) struct Door {
    keys: Option<Arc<ArcSwap<KeyRing>>>,
    rate: Option<RateLimit>,
}

impl Door {
    /// Opens with these settings, and looks at the file of keys every few seconds from now on.
    pub(crate) fn open(
        settings: &AccessSettings,
        runtime: &Handle,
        registry: &mut Registry,
    ) -> Self {
        let metrics = AccessMetrics::register(registry);
        let keys = settings.keys.clone().map(|keys| {
            let ring = KeyRing::new(&keys.file, &KeyRing::default());
            keys.tell_odd();
            metrics.loaded(&keys.file);
            let ring = Arc::new(ArcSwap::from_pointee(ring));
            runtime.spawn(watch::watch(keys, Arc::clone(&ring), metrics));
            ring
        });
        Self {
            keys,
            rate: settings.rate.map(RateLimit::new),
        }
    }

    /// What a request may pass with.
    pub(crate) fn pass(&self, request: &HttpRequest, access: Access) -> Result<Pass, Refusal> {
        match (&self.keys, access) {
            (None, _) | (_, Access::Open) => Ok(Pass::Anybody),
            (Some(keys), _) => holder(keys, request).map(Pass::Holder),
        }
    }

    /// Counts a request of whoever has this pass, or none; refuses it if he asks too often. A probe is counted and never
    /// refused: others at its address must not be able to have the service killed.
    pub(crate) fn count(
        &self,
        request: &HttpRequest,
        route: Route,
        pass: &Result<Pass, Refusal>,
    ) -> Result<(), Refusal> {
        let Some(rate) = &self.rate else {
            return Ok(());
        };
        let counted = rate.take(request, pass.as_ref().ok());
        if route.is_probe() { Ok(()) } else { counted }
    }
}

impl Door {
    /// Counts what a request that was let in asks for besides, or says when to come back.
    pub(crate) fn charge(
        &self,
        request: &HttpRequest,
        pass: &Pass,
        more: usize,
    ) -> Result<(), Refusal> {
        match (&self.rate, u64::try_from(more)) {
            (Some(rate), Ok(more @ 1..)) => rate.take_more(request, pass, more),
            _ => Ok(()),
        }
    }
}

/// The key that a request presents, if it counts.
fn holder(keys: &ArcSwap<KeyRing>, request: &HttpRequest) -> Result<Arc<HeldKey>, Refusal> {
    let presented = credential::presented(request.headers()).map_err(Refusal::Unauthorized)?;
    let unknown = Refusal::Unauthorized(Unauthorized::Unknown);
    let Some(key) = Secret::id_in(presented).and_then(|id| keys.load().get(id)) else {
        return Err(unknown);
    };
    if !key
        .fingerprint
        .matches(&Fingerprint::of(presented.as_bytes()))
    {
        return Err(unknown);
    }
    if key.ends.is_some_and(|ends| ends < SystemClock.now()) {
        return Err(Refusal::Unauthorized(Unauthorized::Expired));
    }
    Ok(key)
}

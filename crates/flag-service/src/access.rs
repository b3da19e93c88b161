//! Access control: API keys with scopes and projects, and a rate limit per caller.
//!
//! Knows no HTTP status. Without a key file every request is allowed within the rate limit, at the cost of a branch. With one, a request costs a
//! SHA-256 of its key and a look-up.
mod authorization;
mod client_address;
mod credential;
mod error;
mod identity_proxy;
mod key_set;
mod metrics;
mod rate;
mod reload;
mod requirement;
mod session;
mod stream_token;

use std::net::IpAddr;
use std::sync::Arc;

use actix_web::HttpRequest;
use arc_swap::ArcSwap;
use flag_keys::{Fingerprint, Scope, Secret};
use flag_model::ProjectName;
use flag_store::{Clock as _, SystemClock};
use prometheus_client::registry::Registry;
use tokio::runtime::Handle;

pub(crate) use self::authorization::{Authorization, Identity, NoEditor, Principal, Viewer};
pub(crate) use self::client_address::TrustedProxies;
pub(crate) use self::error::{AccessError, Forbidden, Unauthorized};
use self::identity_proxy::IdentityProxy;
pub(crate) use self::identity_proxy::IdentityProxySettings;
use self::key_set::{FileKey, KeySet};
use self::metrics::AccessMetrics;
use self::rate::RateLimit;
pub(crate) use self::rate::{Callers, RateSettings};
pub(crate) use self::reload::KeysSettings;
pub(crate) use self::requirement::AccessRequirement;
pub(crate) use self::session::{FormTokens, SESSION_COOKIE, SESSION_LASTS};

/// Settings of access control.
#[derive(Clone, Debug, Default)]
pub(crate) struct AccessSettings {
    /// The key file; without one no key is needed.
    pub(crate) keys: Option<KeysSettings>,
    /// The proxy that says who people are, if there is one.
    pub(crate) identity_proxy: Option<IdentityProxySettings>,
    /// The rate limit per caller.
    pub(crate) rate: Option<RateSettings>,
    /// The proxies whose `X-Forwarded-For` is trusted.
    pub(crate) proxies: TrustedProxies,
}

/// Authenticates callers and limits their rate.
#[derive(Debug)]
pub(crate) struct Authenticator {
    keys: Option<Arc<ArcSwap<KeySet>>>,
    identity_proxy: Option<IdentityProxy>,
    rate: Option<RateLimit>,
    proxies: TrustedProxies,
}

impl Authenticator {
    /// Starts with these settings, and reloads the key file when it changes.
    pub(crate) fn open(
        settings: &AccessSettings,
        runtime: &Handle,
        registry: &mut Registry,
    ) -> Self {
        let metrics = AccessMetrics::register(registry);
        let keys = settings.keys.clone().map(|keys| {
            let key_set = KeySet::with_arrivals_of(&KeySet::default(), &keys.file);
            keys.log_invalid_entries();
            metrics.loaded(&keys.file);
            let key_set = Arc::new(ArcSwap::from_pointee(key_set));
            runtime.spawn(reload::keep_current(keys, Arc::clone(&key_set), metrics));
            key_set
        });
        let proxy = settings.identity_proxy.as_ref();
        Self {
            keys,
            identity_proxy: proxy.map(|proxy| IdentityProxy::start(proxy, runtime)),
            rate: settings.rate.map(RateLimit::new),
            proxies: settings.proxies.clone(),
        }
    }

    /// Authenticates the caller of a request.
    pub(crate) fn authenticate(
        &self,
        request: &HttpRequest,
        requirement: AccessRequirement,
    ) -> Result<Principal, AccessError> {
        match (&self.keys, requirement) {
            (None, _) | (_, AccessRequirement::Open) => Ok(Principal::Anybody),
            (Some(keys), AccessRequirement::NeedsStreamToken) => {
                stream_token::valid_key(keys, request).map(Principal::Holder)
            }
            (Some(keys), AccessRequirement::CheckedByDashboard) => {
                let key = self.person(keys, request);
                let key = key.or_else(|| signed_in_key(keys, request));
                Ok(key.map_or(Principal::Unauthenticated, Principal::Holder))
            }
            (Some(keys), _) => valid_key(keys, request).map(Principal::Holder),
        }
    }

    /// Returns the key for people of the identity-aware proxy, with the name of the one who sent a request.
    fn person(&self, keys: &ArcSwap<KeySet>, request: &HttpRequest) -> Option<Arc<FileKey>> {
        let proxy = self.identity_proxy.as_ref()?;
        let key = keys.load().get(proxy.key.as_str())?;
        let person = proxy.person(request.headers())?;
        (!key.is_expired()).then(|| Arc::new(key.of_person(person)))
    }

    /// Returns the session of the holder of this key, for a cookie; an error if the key is not valid or lacks the scope
    /// `read`.
    pub(crate) fn sign_in(&self, presented: &str) -> Result<String, AccessError> {
        let unknown = AccessError::Unauthorized(Unauthorized::Unknown);
        let Some(keys) = &self.keys else {
            return Err(unknown);
        };
        let key = valid_secret(keys, presented)?;
        Principal::Holder(Arc::clone(&key)).check_scope(AccessRequirement::Needs(Scope::Read))?;
        session::seal(presented, &key.fingerprint, SystemClock.now()).ok_or(unknown)
    }

    /// Whether a principal that was admitted earlier still meets this requirement, for the project.
    pub(crate) fn still_admits(
        &self,
        principal: &Principal,
        requirement: AccessRequirement,
        project: &ProjectName,
    ) -> bool {
        let (Some(keys), Principal::Holder(before)) = (&self.keys, principal) else {
            return true;
        };
        let key = keys.load().get(before.id.as_str());
        key.is_some_and(|key| {
            let is_same = key.fingerprint.matches(&before.fingerprint) && !key.is_expired();
            let now = Principal::Holder(key);
            is_same && now.check_scope(requirement).is_ok() && now.check_project(project).is_ok()
        })
    }

    /// Returns the address of the client of a request, which may be behind trusted proxies.
    pub(crate) fn client(&self, request: &HttpRequest) -> Option<IpAddr> {
        self.proxies.client(request)
    }

    /// Counts a request of this principal, or of an unknown one; an error beyond the rate limit.
    pub(crate) fn check_rate_limit(
        &self,
        request: &HttpRequest,
        principal: &Result<Principal, AccessError>,
    ) -> Result<(), AccessError> {
        match &self.rate {
            Some(rate) => rate.take(|| self.client(request), principal.as_ref().ok()),
            None => Ok(()),
        }
    }

    /// Counts further answers of an admitted request; an error beyond the rate limit.
    pub(crate) fn charge(
        &self,
        request: &HttpRequest,
        principal: &Principal,
        more: usize,
    ) -> Result<(), AccessError> {
        match (&self.rate, u64::try_from(more)) {
            (Some(rate), Ok(more @ 1..)) => {
                rate.take_more(|| self.client(request), principal, more)
            }
            _ => Ok(()),
        }
    }
}

/// Returns the key of a request if it is valid.
fn valid_key(keys: &ArcSwap<KeySet>, request: &HttpRequest) -> Result<Arc<FileKey>, AccessError> {
    let presented = credential::presented(request.headers()).map_err(AccessError::Unauthorized)?;
    valid_secret(keys, presented)
}

/// Returns the key in the session of a request, or the one in its headers, if it is valid.
fn signed_in_key(keys: &ArcSwap<KeySet>, request: &HttpRequest) -> Option<Arc<FileKey>> {
    let now = SystemClock.now();
    let fingerprint_of = |id: &str| Some(keys.load().get(id)?.fingerprint.clone());
    let opened = session::cookie(request.headers())
        .and_then(|cookie| session::open(cookie, fingerprint_of, now));
    match opened {
        Some(key) => valid_secret(keys, &key).ok(),
        None => valid_key(keys, request).ok(),
    }
}

fn valid_secret(keys: &ArcSwap<KeySet>, presented: &str) -> Result<Arc<FileKey>, AccessError> {
    let unknown = AccessError::Unauthorized(Unauthorized::Unknown);
    let Some(key) = Secret::id_in(presented).and_then(|id| keys.load().get(id)) else {
        return Err(unknown);
    };
    if !key
        .fingerprint
        .matches(&Fingerprint::of(presented.as_bytes()))
    {
        return Err(unknown);
    }
    if key.is_expired() {
        return Err(AccessError::Unauthorized(Unauthorized::Expired));
    }
    Ok(key)
}

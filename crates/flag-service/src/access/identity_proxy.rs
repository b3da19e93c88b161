//! People who come through an identity-aware proxy, which signs who they are; as Google's IAP does.
//!
//! The proxy says who somebody is; an API key of the file, named by a setting, says what all of them may do.
mod assertion;
mod keys;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix_web::http::header::{HeaderMap, HeaderName};
use arc_swap::ArcSwap;
use flag_keys::KeyId;
use flag_store::{Clock as _, SystemClock};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tracing::warn;

use self::assertion::{Expected, Refusal, check};
use self::keys::{SigningKeys, keep_current};
use crate::outbound;

/// The header with the assertion.
const HEADER: HeaderName = HeaderName::from_static("x-goog-iap-jwt-assertion");

/// The largest document with keys.
const MAX: usize = 256 << 10;

/// How long fetching the keys may take.
const DEADLINE: Duration = Duration::from_secs(5);

/// The least time between two log lines about refused assertions: anybody can send some.
const WARN_EVERY: Duration = Duration::from_mins(1);

/// Settings of an identity-aware proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IdentityProxySettings {
    /// Whom its assertions must be for.
    pub(crate) audience: String,
    /// Who must have made them.
    pub(crate) issuer: String,
    /// Where its keys are.
    pub(crate) keys_url: String,
    /// The API key whose scopes and projects these people have.
    pub(crate) key: KeyId,
}

/// Identifies people by the assertions of a proxy.
#[derive(Debug)]
pub(super) struct IdentityProxy {
    pub(super) key: KeyId,
    expected: Expected,
    keys: Arc<ArcSwap<SigningKeys>>,
    /// Somebody showed an assertion that was signed with an unknown key.
    unknown: Arc<Notify>,
    /// When a refused assertion was last logged.
    last_warned: Mutex<Option<Instant>>,
}

impl IdentityProxy {
    /// Starts to fetch the keys, again and again.
    pub(super) fn start(settings: &IdentityProxySettings, runtime: &Handle) -> Self {
        let (keys, unknown) = (Arc::default(), Arc::default());
        let url = settings.keys_url.clone();
        let fetch = async move || {
            let text = outbound::get(&url, MAX, DEADLINE).await?;
            SigningKeys::parse(&text)
        };
        runtime.spawn(keep_current(fetch, Arc::clone(&keys), Arc::clone(&unknown)));
        Self {
            key: settings.key.clone(),
            expected: Expected {
                audience: settings.audience.clone(),
                issuer: settings.issuer.clone(),
            },
            keys,
            unknown,
            last_warned: Mutex::default(),
        }
    }

    /// Returns who has sent a request, if the proxy says so.
    pub(super) fn person(&self, headers: &HeaderMap) -> Option<String> {
        let mut values = headers.get_all(HEADER);
        let (value, None) = (values.next()?, values.next()) else {
            return None;
        };
        let assertion = value.to_str().unwrap_or_default();
        let person = check(
            assertion,
            &self.keys.load(),
            &self.expected,
            SystemClock.now(),
        );
        if person == Err(Refusal::UnknownKey) {
            self.unknown.notify_one();
        }
        person.inspect_err(|refusal| self.warn_of(*refusal)).ok()
    }

    fn warn_of(&self, refusal: Refusal) {
        let mut last_warned = self
            .last_warned
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if last_warned.is_none_or(|warned| warned.elapsed() >= WARN_EVERY) {
            *last_warned = Some(Instant::now());
            warn!(problem = %refusal, "an assertion of the identity-aware proxy was refused");
        }
    }
}

//! The keys of the proxy: a JWK set (RFC 7517), fetched, kept, and fetched again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use arc_swap::ArcSwap;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{info, warn};

/// How often the keys are fetched.
const EVERY: Duration = Duration::from_hours(1);

/// The least time between two fetches: invented key ids must not cause more.
const AT_LEAST: Duration = Duration::from_mins(1);

/// The same as long as there are no keys.
const WITHOUT_KEYS: Duration = Duration::from_secs(5);

/// Bytes of a coordinate of P-256.
const COORDINATE: usize = 32;

/// The beginning of a point that is not compressed.
const UNCOMPRESSED: u8 = 4;

/// Keys for ES256, by id.
#[derive(Debug, Default)]
pub(super) struct SigningKeys(HashMap<String, UnparsedPublicKey<Vec<u8>>>);

#[derive(Deserialize)]
struct JwkSet {
    keys: Vec<Value>,
}

/// A key, as far as it matters.
#[derive(Deserialize)]
struct Key {
    kid: String,
    kty: String,
    crv: String,
    x: String,
    y: String,
}

impl SigningKeys {
    /// Reads the keys for ES256 of a set; an error if there are none.
    pub(super) fn parse(text: &[u8]) -> anyhow::Result<Self> {
        let set: JwkSet = serde_json::from_slice(text)?;
        let keys = set.keys.into_iter().filter_map(read);
        let keys: HashMap<_, _> = keys.collect();
        ensure!(!keys.is_empty(), "the set has no key for ES256");
        Ok(Self(keys))
    }

    /// Returns the key with this id.
    pub(super) fn get(&self, id: &str) -> Option<&UnparsedPublicKey<Vec<u8>>> {
        self.0.get(id)
    }
}

/// Keys of other kinds are for others.
fn read(key: Value) -> Option<(String, UnparsedPublicKey<Vec<u8>>)> {
    let key: Key = serde_json::from_value(key).ok()?;
    if (key.kty.as_str(), key.crv.as_str()) != ("EC", "P-256") {
        return None;
    }
    let mut point = vec![UNCOMPRESSED];
    for coordinate in [key.x, key.y] {
        let coordinate = URL_SAFE_NO_PAD.decode(coordinate).ok()?;
        (coordinate.len() == COORDINATE).then(|| point.extend(coordinate))?;
    }
    let key_of_point = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
    Some((key.kid, key_of_point))
}

/// Fetches the keys for ever: every hour, and earlier when an unknown one is seen. Keys stay while none can be fetched.
pub(super) async fn keep_current(
    fetch: impl AsyncFn() -> anyhow::Result<SigningKeys>,
    keys: Arc<ArcSwap<SigningKeys>>,
    unknown: Arc<Notify>,
) {
    let mut is_failing = false;
    loop {
        let fetched = fetch().await;
        let at = Instant::now();
        let was_failing = std::mem::replace(&mut is_failing, fetched.is_err());
        match fetched {
            Ok(fetched) => {
                keys.store(Arc::new(fetched));
                if was_failing {
                    info!("the keys of the identity-aware proxy are fetched again");
                }
            }
            Err(error) if !was_failing => {
                let problem = format!("{error:#}");
                warn!(
                    problem,
                    "the keys of the identity-aware proxy cannot be fetched"
                );
            }
            Err(_) => {}
        }
        let pause = match (keys.load().0.is_empty(), is_failing) {
            (true, _) => WITHOUT_KEYS,
            (false, true) => AT_LEAST,
            (false, false) => EVERY,
        };
        let asked = async {
            unknown.notified().await;
            sleep_until(at + AT_LEAST.min(pause)).await;
        };
        tokio::select! {
            () = sleep(pause) => {}
            () = asked => {}
        }
    }
}

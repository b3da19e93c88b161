//! How instances are named in the log: by their ids, or by hashes with a secret key.

use std::fmt;
use std::fmt::Write as _;

use flag_model::InstanceId;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::exposures::Exposure;

/// The shortest key that is taken, in bytes.
const SHORTEST_KEY: usize = 16;

/// How instances are named in the log.
#[derive(Clone)]
pub enum InstanceIdMode {
    /// By their ids.
    Plain,
    /// By the HMAC-SHA-256 of their ids, in hexadecimal.
    Hashed(Box<Hmac<Sha256>>),
}

impl fmt::Debug for InstanceIdMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "Plain",
            Self::Hashed(_) => "Hashed",
        })
    }
}

impl InstanceIdMode {
    /// Names by hashes with this key; `None` if it is too short to keep anything secret.
    pub fn hashed(key: &[u8]) -> Option<Self> {
        if key.len() < SHORTEST_KEY {
            return None;
        }
        Some(Self::Hashed(Box::new(Hmac::new_from_slice(key).ok()?)))
    }

    /// The exposure as it is logged.
    ///
    /// Without its bucket where ids are hashed: the bucket follows from the id without the key, so anybody with
    /// a list of ids could use it to narrow down the id.
    pub fn apply<'a>(&self, exposure: Exposure<'a>) -> Exposure<'a> {
        match self {
            Self::Plain => exposure,
            Self::Hashed(key) => match hash(key, &exposure.instance) {
                Some(instance) => Exposure {
                    instance,
                    bucket: None,
                    ..exposure
                },
                None => exposure,
            },
        }
    }

    /// The pseudonym under which an instance is logged; `None` if it is logged by its id.
    pub fn pseudonym(&self, instance: &InstanceId<'_>) -> Option<InstanceId<'static>> {
        match self {
            Self::Plain => None,
            Self::Hashed(key) => hash(key, instance),
        }
    }
}

/// The name of an instance; a digest in hexadecimal is always an instance id.
fn hash(key: &Hmac<Sha256>, instance: &InstanceId<'_>) -> Option<InstanceId<'static>> {
    let digest = key
        .clone()
        .chain_update(instance.as_str())
        .finalize()
        .into_bytes();
    let mut name = String::with_capacity(2 * digest.len());
    for byte in digest {
        let _ = write!(name, "{byte:02x}");
    }
    InstanceId::new(name).ok()
}

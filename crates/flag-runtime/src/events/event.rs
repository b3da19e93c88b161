//! An event.

use std::sync::{Arc, OnceLock};

use flag_model::{FlagKey, Timestamp};
use flag_store::ProjectDigest;

/// A change of a project, shared by all its subscribers.
#[derive(Debug)]
pub struct Event {
    /// The digest of the project.
    pub digest: ProjectDigest,
    /// The changed flags, and the times of their revisions. Empty if any flag may have changed.
    pub flags: Vec<(FlagKey, Timestamp)>,
    encoded: OnceLock<Arc<[u8]>>,
}

impl Event {
    pub(super) fn new(digest: ProjectDigest, flags: Vec<(FlagKey, Timestamp)>) -> Self {
        Self {
            digest,
            flags,
            encoded: OnceLock::new(),
        }
    }

    /// Returns its encoded form, made once: the first caller's `encode` counts.
    pub fn encoded(&self, encode: impl FnOnce(&Self) -> Vec<u8>) -> Arc<[u8]> {
        let encoded = self.encoded.get_or_init(|| encode(self).into());
        Arc::clone(encoded)
    }
}

//! The keys that count, found by their ids.

use std::collections::HashMap;
use std::sync::Arc;

use flag_keys::{Fingerprint, KeyFile, KeyId, Projects, Scopes};
use flag_model::Timestamp;

use super::rate::Allowance;

/// A key, ready to be compared with what is presented.
#[derive(Debug)]
pub(crate) struct HeldKey {
    pub(super) fingerprint: Fingerprint,
    pub(super) scopes: Scopes,
    pub(super) projects: Projects,
    /// The last instant at which it counts.
    pub(super) ends: Option<Timestamp>,
    /// How often its holder may ask; outlives a change of the file.
    pub(super) allowance: Arc<Allowance>,
}

/// The keys of one version of the file.
#[derive(Debug, Default)]
pub(super) struct KeyRing(HashMap<KeyId, Arc<HeldKey>>);

impl KeyRing {
    /// The keys of a file; those that were in the ring before keep their allowances.
    pub(super) fn new(file: &KeyFile, before: &Self) -> Self {
        let keys = file.keys.iter().map(|key| {
            let allowance = before.0.get(&key.id).map(|key| Arc::clone(&key.allowance));
            let held = HeldKey {
                fingerprint: key.fingerprint.clone(),
                scopes: key.scopes,
                projects: key.projects.clone(),
                ends: key.ends(),
                allowance: allowance.unwrap_or_default(),
            };
            (key.id.clone(), Arc::new(held))
        });
        Self(keys.collect())
    }

    /// The key of this id. Ids are no secret, so the time that this takes may tell which there are.
    pub(super) fn get(&self, id: &str) -> Option<Arc<HeldKey>> {
        self.0.get(id).cloned()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

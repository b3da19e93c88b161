//! The valid keys, by id.

use std::collections::HashMap;
use std::sync::Arc;

use flag_keys::{Fingerprint, KeyFile, KeyId, Projects, Scopes};
use flag_model::Timestamp;
use flag_store::{Clock as _, SystemClock};

use super::rate::Allowance;

/// A valid key, which presented keys are compared with.
#[derive(Clone, Debug)]
pub(crate) struct ValidKey {
    pub(super) id: KeyId,
    pub(super) fingerprint: Fingerprint,
    pub(super) scopes: Scopes,
    pub(super) projects: Projects,
    /// Its last valid instant.
    pub(super) ends: Option<Timestamp>,
    /// The rate allowance of its holder; survives a reload of the file.
    pub(super) allowance: Arc<Allowance>,
    /// Who uses it, if an identity-aware proxy says so.
    pub(super) person: Option<String>,
}

impl ValidKey {
    /// The same in the hands of a person.
    pub(super) fn of_person(&self, person: String) -> Self {
        Self {
            person: Some(person),
            ..self.clone()
        }
    }

    /// Whether its last valid instant is over.
    pub(super) fn is_expired(&self) -> bool {
        self.ends.is_some_and(|ends| ends < SystemClock.now())
    }
}

/// The keys of one state of the file.
#[derive(Debug, Default)]
pub(super) struct KeySet(HashMap<KeyId, Arc<ValidKey>>);

impl KeySet {
    /// Returns the keys of a file; keys that were in `before` keep their allowances.
    pub(super) fn new(file: &KeyFile, before: &Self) -> Self {
        let keys = file.keys.iter().map(|key| {
            let allowance = before.0.get(&key.id).map(|key| Arc::clone(&key.allowance));
            let valid = ValidKey {
                id: key.id.clone(),
                fingerprint: key.fingerprint.clone(),
                scopes: key.scopes,
                projects: key.projects.clone(),
                ends: key.ends(),
                allowance: allowance.unwrap_or_default(),
                person: None,
            };
            (key.id.clone(), Arc::new(valid))
        });
        Self(keys.collect())
    }

    /// Returns the key with this id. Ids are not secret, so the timing of the look-up may reveal them.
    pub(super) fn get(&self, id: &str) -> Option<Arc<ValidKey>> {
        self.0.get(id).cloned()
    }

    /// Returns the number of keys.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

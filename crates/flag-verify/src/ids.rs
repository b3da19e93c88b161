//! Which instances are behind hashed ids.

use std::collections::HashMap;

use flag_model::InstanceId;
use flag_store::InstanceIdMode;

/// The ids that are known, by their pseudonyms; and the key, with which those in override lists are hashed.
#[derive(Clone, Debug)]
pub struct KnownIds {
    id_mode: InstanceIdMode,
    by_pseudonym: HashMap<InstanceId<'static>, InstanceId<'static>>,
}

impl KnownIds {
    /// Knows the key, and these ids.
    pub fn new(
        id_mode: InstanceIdMode,
        ids: impl IntoIterator<Item = InstanceId<'static>>,
    ) -> Self {
        let by_pseudonym = hashed(&id_mode, ids);
        Self {
            id_mode,
            by_pseudonym,
        }
    }

    /// Whether the key is known.
    pub(crate) fn has_key(&self) -> bool {
        matches!(self.id_mode, InstanceIdMode::Hashed(_))
    }

    /// These ids by their pseudonyms.
    pub(crate) fn hash<'a>(
        &self,
        ids: impl IntoIterator<Item = &'a InstanceId<'static>>,
    ) -> HashMap<InstanceId<'static>, InstanceId<'static>> {
        if !self.has_key() {
            return HashMap::new();
        }
        hashed(&self.id_mode, ids.into_iter().cloned())
    }

    /// The id with this pseudonym.
    pub(crate) fn resolve(&self, pseudonym: &InstanceId<'_>) -> Option<&InstanceId<'static>> {
        self.by_pseudonym.get(pseudonym.as_str())
    }
}

fn hashed(
    id_mode: &InstanceIdMode,
    ids: impl IntoIterator<Item = InstanceId<'static>>,
) -> HashMap<InstanceId<'static>, InstanceId<'static>> {
    let pairs = ids.into_iter();
    let pairs = pairs.filter_map(|id| Some((id_mode.pseudonym(&id)?, id)));
    pairs.collect()
}

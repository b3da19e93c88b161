//! The keys of the file, by id; they may have expired.

use std::collections::HashMap;
use std::sync::Arc;

use flag_keys::{Fingerprint, KeyFile, KeyId, Projects, Scopes};
use flag_model::{Invalid, OwnerId, Timestamp};
use flag_store::{Clock as _, SystemClock};

use super::rate::ArrivalTime;

/// A key of the file, which presented keys are compared with; it may have expired.
#[derive(Clone, Debug)]
pub(crate) struct FileKey {
    pub(super) id: KeyId,
    pub(super) fingerprint: Fingerprint,
    pub(super) scopes: Scopes,
    pub(super) projects: Projects,
    /// Its last valid instant.
    pub(super) ends: Option<Timestamp>,
    /// Who holds it, for people; may be empty.
    pub(super) comment: Box<str>,
    /// The theoretical arrival time of its holder; survives a reload of the file.
    pub(super) arrival: Arc<ArrivalTime>,
    /// Who uses it, if an identity-aware proxy says so.
    pub(super) person: Option<String>,
}

impl FileKey {
    /// The same in the hands of a person.
    pub(super) fn of_person(&self, person: String) -> Self {
        Self {
            person: Some(person),
            ..self.clone()
        }
    }

    /// Who makes a change with it, for the history of a flag: the person whom a proxy names; else its comment, as far as that fits,
    /// and its id.
    pub(super) fn editor(&self) -> Result<OwnerId, Invalid> {
        if let Some(person) = &self.person {
            return OwnerId::new(person.as_str());
        }
        let id = format!("key {}", self.id);
        let comment: String = self.comment.chars().filter(|c| !c.is_control()).collect();
        let max = OwnerId::MAX_BYTES.saturating_sub(id.len() + " ()".len());
        let comment = comment
            .get(..comment.floor_char_boundary(max))
            .unwrap_or_default();
        let name = match comment.trim() {
            "" => id,
            comment => format!("{comment} ({id})"),
        };
        OwnerId::new(name)
    }

    /// Whether its last valid instant is over.
    pub(super) fn is_expired(&self) -> bool {
        self.ends.is_some_and(|ends| ends < SystemClock.now())
    }
}

/// The keys of one state of the file.
#[derive(Debug, Default)]
pub(super) struct KeySet(HashMap<KeyId, Arc<FileKey>>);

impl KeySet {
    /// Returns the keys of a file; keys that were in `before` keep their arrival times, which the rate limit counts by.
    pub(super) fn with_arrivals_of(before: &Self, file: &KeyFile) -> Self {
        let keys = file.keys.iter().map(|key| {
            let arrival = before.0.get(&key.id).map(|key| Arc::clone(&key.arrival));
            let valid = FileKey {
                id: key.id.clone(),
                fingerprint: key.fingerprint.clone(),
                scopes: key.scopes,
                projects: key.projects.clone(),
                ends: key.ends(),
                comment: key.comment.as_str().into(),
                arrival: arrival.unwrap_or_default(),
                person: None,
            };
            (key.id.clone(), Arc::new(valid))
        });
        Self(keys.collect())
    }

    /// Returns the key with this id. Ids are not secret, so the timing of the look-up may reveal them.
    pub(super) fn get(&self, id: &str) -> Option<Arc<FileKey>> {
        self.0.get(id).cloned()
    }

    /// Returns the number of keys.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use flag_keys::Secret;

    use super::*;

    #[track_caller]
    fn check(comment: &str, expected: &str) {
        let valid = FileKey {
            id: KeyId::new("ann-1").unwrap(),
            fingerprint: Secret::new().unwrap().fingerprint(),
            scopes: Scopes::default(),
            projects: Projects::All,
            ends: None,
            comment: comment.into(),
            arrival: Arc::default(),
            person: None,
        };
        assert_eq!(valid.editor().unwrap().as_str(), expected);
        let person = valid.of_person("ann@example.com".to_owned());
        assert_eq!(person.editor().unwrap().as_str(), "ann@example.com");
    }

    #[test]
    fn an_editor_is_named_by_the_comment_and_the_id_of_the_key() {
        check("Dashboard, Ann", "Dashboard, Ann (key ann-1)");
        check("", "key ann-1");
        check(" \n\u{7}", "key ann-1");
        let long = "é".repeat(200);
        check(&long, &format!("{} (key ann-1)", "é".repeat(122)));
    }
}

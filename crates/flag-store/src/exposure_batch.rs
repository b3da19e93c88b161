//! Exposures that are appended together; what many of them have in common is kept once.

use std::borrow::Cow;

use flag_model::{Bucket, FlagKey, FlagValue, InstanceId, Reason, Timestamp};

use crate::exposures::{Exposure, looks_hashed};
use crate::options::Spelling;

/// The fields that exposures with the same flag, revision, value and group share; `None` has no column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The flag.
    pub flag: FlagKey,
    /// The revision that decided.
    pub revision: Option<Timestamp>,
    /// What was served.
    pub value: FlagValue,
    /// The rollout group that was served.
    pub rollout_group: String,
    /// Which rule decided.
    pub reason: Option<Reason>,
    /// Whether the flag came from the cache.
    pub from_cache: Option<bool>,
}

/// Identifies a batch, so that a log can recognize one that is appended again.
///
/// Callers must use unique ids; ids that ascend with time are cheapest for a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct BatchId(pub u128);

/// The index of an outcome in its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OutcomeIndex(u32);

impl OutcomeIndex {
    /// As an index of [`ExposureBatch::outcomes`].
    pub fn get(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// Exposures that are appended together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExposureBatch {
    id: BatchId,
    booleans: Spelling,
    outcomes: Vec<Outcome>,
    entries: Vec<Entry>,
    /// The request id and the instance id of each entry.
    text: String,
}

/// What is an exposure's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    outcome: OutcomeIndex,
    bucket: Option<Bucket>,
    created: Timestamp,
    /// Where its request id begins in the text, where its instance id begins, and where that ends.
    start: usize,
    middle: usize,
    end: usize,
}

/// An exposure of a batch, as the batch keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchEntry<'a> {
    /// What was served.
    pub outcome: OutcomeIndex,
    /// The request that it answered.
    pub request_id: &'a str,
    /// Whom it was for.
    pub instance: &'a str,
    /// Where the instance is on the rollout line; absent for an override.
    pub bucket: Option<Bucket>,
    /// When it was served.
    pub created: Timestamp,
}

impl BatchEntry<'_> {
    /// Whether the log names the instance by a hash, as far as that can be seen.
    pub fn is_hashed(&self) -> bool {
        looks_hashed(self.instance, self.bucket.is_some())
    }
}

impl ExposureBatch {
    /// An empty batch, whose booleans are spelled like this.
    pub fn new(id: BatchId, booleans: Spelling) -> Self {
        Self {
            id,
            booleans,
            outcomes: Vec::new(),
            entries: Vec::new(),
            text: String::new(),
        }
    }

    /// A batch of these exposures.
    pub fn of<'a>(
        id: BatchId,
        booleans: Spelling,
        exposures: impl IntoIterator<Item = &'a Exposure<'a>>,
    ) -> Self {
        let mut batch = Self::new(id, booleans);
        for exposure in exposures {
            let outcome = batch.outcome_of(exposure);
            batch.push(
                outcome,
                &exposure.request_id,
                &exposure.instance,
                exposure.bucket,
                exposure.created,
            );
        }
        batch
    }

    /// Reserves memory for `exposures` and `id_bytes` more.
    pub fn reserve(&mut self, exposures: usize, id_bytes: usize) {
        self.entries.reserve(exposures);
        self.text.reserve(id_bytes);
    }

    /// Adds an outcome, for exposures that follow.
    pub fn add_outcome(&mut self, outcome: Outcome) -> OutcomeIndex {
        let index = u32::try_from(self.outcomes.len()).unwrap_or(u32::MAX);
        self.outcomes.push(outcome);
        OutcomeIndex(index)
    }

    /// Adds an exposure.
    pub fn push(
        &mut self,
        outcome: OutcomeIndex,
        request_id: &str,
        instance: &InstanceId<'_>,
        bucket: Option<Bucket>,
        created: Timestamp,
    ) {
        let start = self.text.len();
        self.text.push_str(request_id);
        let middle = self.text.len();
        self.text.push_str(instance.as_str());
        self.entries.push(Entry {
            outcome,
            bucket,
            created,
            start,
            middle,
            end: self.text.len(),
        });
    }

    /// Its id.
    pub fn id(&self) -> BatchId {
        self.id
    }

    /// How its booleans are spelled.
    pub fn booleans(&self) -> Spelling {
        self.booleans
    }

    /// How many exposures it has.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Its outcomes, in the order of their indices.
    pub fn outcomes(&self) -> &[Outcome] {
        &self.outcomes
    }

    /// The outcome with an index.
    pub fn outcome(&self, index: OutcomeIndex) -> Option<&Outcome> {
        self.outcomes.get(index.get())
    }

    /// Its exposures, compact, in the order in which they were added.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = BatchEntry<'_>> + DoubleEndedIterator {
        self.entries.iter().map(|entry| self.entry(entry))
    }

    /// What was served of its exposures, and when, in the order in which they were added.
    pub fn served(&self) -> impl ExactSizeIterator<Item = (OutcomeIndex, Timestamp)> {
        let entries = self.entries.iter();
        entries.map(|entry| (entry.outcome, entry.created))
    }

    /// Its exposures, in the order in which they were added.
    pub fn exposures(&self) -> impl Iterator<Item = Exposure<'_>> {
        self.entries().filter_map(|entry| self.exposure(entry))
    }

    /// When the exposure with this index was served.
    pub fn created(&self, index: usize) -> Option<Timestamp> {
        self.entries.get(index).map(|entry| entry.created)
    }

    /// The exposures with these indices, as a batch of its own.
    #[must_use]
    pub fn select(&self, id: BatchId, indices: &[usize]) -> Self {
        let mut selected = Self::new(id, self.booleans);
        selected.outcomes.clone_from(&self.outcomes);
        let entries = indices.iter().filter_map(|&index| self.entries.get(index));
        for entry in entries {
            selected.push_entry(self.entry(entry), entry.outcome);
        }
        selected
    }

    /// Adds the exposures of another batch, whose booleans must be spelled the same.
    pub fn absorb(&mut self, other: Self) {
        let offset = u32::try_from(self.outcomes.len()).unwrap_or(u32::MAX);
        for entry in &other.entries {
            let outcome = OutcomeIndex(entry.outcome.0.saturating_add(offset));
            self.push_entry(other.entry(entry), outcome);
        }
        self.outcomes.extend(other.outcomes);
    }

    /// The exposure that a compact one stands for; `None` only for one of another batch.
    pub fn exposure<'a>(&'a self, entry: BatchEntry<'a>) -> Option<Exposure<'a>> {
        let outcome = self.outcome(entry.outcome)?;
        Some(Exposure {
            request_id: entry.request_id.into(),
            flag: Cow::Borrowed(&outcome.flag),
            instance: InstanceId::new(entry.instance).ok()?,
            value: Cow::Borrowed(&outcome.value),
            rollout_group: outcome.rollout_group.as_str().into(),
            reason: outcome.reason,
            bucket: entry.bucket,
            revision: outcome.revision,
            from_cache: outcome.from_cache,
            created: entry.created,
        })
    }

    fn entry(&self, entry: &Entry) -> BatchEntry<'_> {
        let Entry {
            start, middle, end, ..
        } = *entry;
        BatchEntry {
            outcome: entry.outcome,
            request_id: self.text.get(start..middle).unwrap_or_default(),
            instance: self.text.get(middle..end).unwrap_or_default(),
            bucket: entry.bucket,
            created: entry.created,
        }
    }

    pub(crate) fn push_entry(&mut self, entry: BatchEntry<'_>, outcome: OutcomeIndex) {
        let start = self.text.len();
        self.text.push_str(entry.request_id);
        let middle = self.text.len();
        self.text.push_str(entry.instance);
        self.entries.push(Entry {
            outcome,
            bucket: entry.bucket,
            created: entry.created,
            start,
            middle,
            end: self.text.len(),
        });
    }

    /// The index of the outcome of an exposure, which is added where it is new.
    fn outcome_of(&mut self, exposure: &Exposure<'_>) -> OutcomeIndex {
        let outcome = Outcome {
            flag: exposure.flag.clone().into_owned(),
            revision: exposure.revision,
            value: exposure.value.clone().into_owned(),
            rollout_group: exposure.rollout_group.clone().into_owned(),
            reason: exposure.reason,
            from_cache: exposure.from_cache,
        };
        match self.outcomes.iter().position(|found| *found == outcome) {
            Some(index) => OutcomeIndex(u32::try_from(index).unwrap_or(u32::MAX)),
            None => self.add_outcome(outcome),
        }
    }
}

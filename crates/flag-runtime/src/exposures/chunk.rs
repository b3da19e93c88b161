//! Waiting exposures, compact: a few numbers each, and all texts in one string.

use std::collections::HashMap;
use std::sync::Arc;

use flag_model::{Bucket, FlagValue, InstanceId, Reason, Timestamp};
use flag_rollout::Decision;
use flag_store::{BatchId, ExposureBatch, Outcome};

use super::format::ExposureFormat;
use crate::flags::Entry;

/// The most exposures in one chunk.
pub(crate) const CHUNK: usize = 500;

/// The most bytes of texts and values in one chunk.
const CHUNK_BYTES: usize = 1 << 20;

/// Memory for the usual ids of a chunk: a UUID and a dozen characters each.
const COMMON_TEXT: usize = CHUNK * 48;

/// A decision without references to its plan.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CompactDecision {
    treatment: Option<usize>,
    reason: Reason,
    bucket: Option<Bucket>,
    value_bytes: usize,
}

impl From<&Decision<'_>> for CompactDecision {
    fn from(decision: &Decision<'_>) -> Self {
        Self {
            treatment: decision.treatment,
            reason: decision.reason,
            bucket: decision.bucket,
            value_bytes: match decision.value {
                FlagValue::Boolean(_) => 0,
                FlagValue::Text(text) => text.len(),
            },
        }
    }
}

/// A served decision.
#[derive(Debug)]
pub(crate) struct ServedDecision<'a> {
    /// The id of the request.
    pub(crate) request_id: &'a str,
    /// The instance.
    pub(crate) instance: &'a InstanceId<'a>,
    /// The flag.
    pub(crate) flag: Arc<Entry>,
    /// The decision.
    pub(crate) decision: CompactDecision,
    /// Whether the flag came from the cache.
    pub(crate) from_cache: bool,
    /// When it was served.
    pub(crate) created: Timestamp,
}

impl ServedDecision<'_> {
    /// Returns the bytes of its texts.
    pub(crate) fn text_bytes(&self) -> usize {
        self.request_id.len() + self.instance.as_str().len()
    }
}

/// Exposures that are written together.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    records: Vec<Record>,
    /// The request id and the instance id of each record.
    text: String,
    value_bytes: usize,
}

#[derive(Debug)]
struct Record {
    flag: Arc<Entry>,
    decision: CompactDecision,
    created: Timestamp,
    text: Span,
    from_cache: bool,
}

/// The position of the texts of a record.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: usize,
    middle: usize,
    end: usize,
}

impl Chunk {
    /// Creates an empty chunk with capacity for the usual exposures.
    pub(crate) fn new() -> Self {
        Self {
            records: Vec::with_capacity(CHUNK),
            text: String::with_capacity(COMMON_TEXT),
            value_bytes: 0,
        }
    }

    /// Adds an exposure.
    pub(crate) fn push(&mut self, served: ServedDecision<'_>) {
        let start = self.text.len();
        self.text.push_str(served.request_id);
        let middle = self.text.len();
        self.text.push_str(served.instance.as_str());
        let end = self.text.len();
        self.value_bytes += served.decision.value_bytes;
        self.records.push(Record {
            flag: served.flag,
            decision: served.decision,
            created: served.created,
            text: Span { start, middle, end },
            from_cache: served.from_cache,
        });
    }

    /// Whether it must be written before more is added.
    pub(crate) fn is_full(&self) -> bool {
        self.records.len() >= CHUNK || self.text.len() + self.value_bytes >= CHUNK_BYTES
    }

    /// Returns the number of exposures.
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    /// Returns the bytes of its texts.
    pub(crate) fn text_bytes(&self) -> usize {
        self.text.len()
    }

    /// Returns its exposures as a batch for the log, in their order, and how many others were invalid.
    pub(crate) fn batch(&self, id: BatchId, format: &ExposureFormat) -> (ExposureBatch, usize) {
        let mut batch = ExposureBatch::new(id, format.booleans);
        batch.reserve(self.records.len(), self.text.len());
        let mut outcomes = HashMap::new();
        for record in &self.records {
            // A chunk has many exposures and few outcomes; an entry stays where it is while the chunk holds it.
            let key = (
                Arc::as_ptr(&record.flag),
                record.decision.treatment,
                record.decision.reason,
                record.from_cache,
            );
            let outcome = *outcomes
                .entry(key)
                .or_insert_with(|| record.outcome().map(|outcome| batch.add_outcome(outcome)));
            if let (Some(outcome), Some((request_id, instance))) = (outcome, self.ids(record)) {
                format.push(
                    &mut batch,
                    outcome,
                    request_id,
                    &instance,
                    record.decision.bucket,
                    record.created,
                );
            }
        }
        let invalid = self.len() - batch.len();
        (batch, invalid)
    }

    fn ids(&self, record: &Record) -> Option<(&str, InstanceId<'_>)> {
        let Span { start, middle, end } = record.text;
        let instance = InstanceId::new(self.text.get(middle..end)?).ok()?;
        Some((self.text.get(start..middle)?, instance))
    }
}

impl Record {
    fn outcome(&self) -> Option<Outcome> {
        let plan = self.flag.plan();
        let (value, rollout_group) = plan.outcome(self.decision.treatment)?;
        Some(Outcome {
            flag: plan.flag().clone(),
            revision: Some(plan.created()),
            value: value.clone(),
            rollout_group: rollout_group.to_string(),
            reason: Some(self.decision.reason),
            from_cache: Some(self.from_cache),
        })
    }
}

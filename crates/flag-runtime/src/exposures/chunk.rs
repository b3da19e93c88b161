//! Waiting exposures, compact: a few numbers each, and all texts in one string.

use std::borrow::Cow;
use std::sync::Arc;

use flag_model::{Bucket, FlagValue, InstanceId, Reason, Timestamp};
use flag_rollout::Decision;
use flag_store::Exposure;

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

    /// Returns its exposures; `None` for an invalid one.
    pub(crate) fn exposures(&self) -> impl Iterator<Item = Option<Exposure<'_>>> {
        self.records.iter().map(|record| self.exposure(record))
    }

    /// Returns when the exposure with this index was served.
    pub(crate) fn created(&self, index: usize) -> Option<Timestamp> {
        self.records.get(index).map(|record| record.created)
    }

    /// Adds the exposures of another chunk with these indices, which must ascend.
    pub(crate) fn append(&mut self, other: Self, indices: impl IntoIterator<Item = usize>) {
        let mut indices = indices.into_iter().peekable();
        for (index, mut record) in other.records.into_iter().enumerate() {
            if indices.next_if_eq(&index).is_none() {
                continue;
            }
            let Span { start, middle, end } = record.text;
            let text = other.text.get(start..end).unwrap_or_default();
            let moved = self.text.len();
            record.text = Span {
                start: moved,
                middle: moved + (middle - start),
                end: moved + (end - start),
            };
            self.text.push_str(text);
            self.value_bytes += record.decision.value_bytes;
            self.records.push(record);
        }
    }

    fn exposure<'a>(&'a self, record: &'a Record) -> Option<Exposure<'a>> {
        let Span { start, middle, end } = record.text;
        let plan = record.flag.plan();
        let (value, rollout_group) = plan.outcome(record.decision.treatment)?;
        Some(Exposure {
            request_id: self.text.get(start..middle)?.into(),
            flag: Cow::Borrowed(plan.flag()),
            instance: InstanceId::new(self.text.get(middle..end)?).ok()?,
            value: Cow::Borrowed(value),
            rollout_group: rollout_group.into(),
            reason: Some(record.decision.reason),
            bucket: record.decision.bucket,
            revision: Some(plan.created()),
            from_cache: Some(record.from_cache),
            created: record.created,
        })
    }
}

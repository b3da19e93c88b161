//! Exposures as they wait: a few numbers each, and their texts one after the other.

use std::borrow::Cow;
use std::sync::Arc;

use flag_model::{Bucket, FlagValue, InstanceId, Reason, Timestamp};
use flag_rollout::Decision;
use flag_store::Exposure;

use crate::cache::Entry;

/// How many exposures are written together at most.
pub(crate) const CHUNK: usize = 500;

/// Where a chunk is full however few exposures it has, in bytes of the texts and values in its rows.
const CHUNK_BYTES: usize = 1 << 20;

/// Memory for the ids of a chunk of common ones: a UUID and a dozen characters each.
const COMMON_TEXT: usize = CHUNK * 48;

/// What was decided, without the plan that it points into.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    treatment: Option<usize>,
    reason: Reason,
    bucket: Option<Bucket>,
    value_bytes: usize,
}

impl From<&Decision<'_>> for Outcome {
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

impl Outcome {
    /// The position of the treatment that was served; `None` for the control value.
    pub(crate) fn treatment(&self) -> Option<usize> {
        self.treatment
    }
}

/// A decision that was served, as the request knows it.
#[derive(Debug)]
pub(crate) struct Served<'a> {
    /// The request.
    pub(crate) request_id: &'a str,
    /// Whom it was for.
    pub(crate) instance: &'a InstanceId<'a>,
    /// What decided.
    pub(crate) decided: Arc<Entry>,
    /// What was decided.
    pub(crate) outcome: Outcome,
    /// Whether the flag came from the cache.
    pub(crate) from_cache: bool,
    /// When it was served.
    pub(crate) created: Timestamp,
}

impl Served<'_> {
    /// The bytes of its texts.
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
    decided: Arc<Entry>,
    outcome: Outcome,
    created: Timestamp,
    text: Span,
    from_cache: bool,
}

/// Where the texts of a record are.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: usize,
    middle: usize,
    end: usize,
}

impl Chunk {
    /// A chunk without exposures, and with room for them.
    pub(crate) fn new() -> Self {
        Self {
            records: Vec::with_capacity(CHUNK),
            text: String::with_capacity(COMMON_TEXT),
            value_bytes: 0,
        }
    }

    /// Takes an exposure in.
    pub(crate) fn push(&mut self, served: Served<'_>) {
        let start = self.text.len();
        self.text.push_str(served.request_id);
        let middle = self.text.len();
        self.text.push_str(served.instance.as_str());
        let end = self.text.len();
        self.value_bytes += served.outcome.value_bytes;
        self.records.push(Record {
            decided: served.decided,
            outcome: served.outcome,
            created: served.created,
            text: Span { start, middle, end },
            from_cache: served.from_cache,
        });
    }

    /// Whether it is to be written before it takes in more.
    pub(crate) fn is_full(&self) -> bool {
        self.records.len() >= CHUNK || self.text.len() + self.value_bytes >= CHUNK_BYTES
    }

    /// How many exposures it holds.
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    /// The bytes of its texts.
    pub(crate) fn text_bytes(&self) -> usize {
        self.text.len()
    }

    /// Its exposures; `None` for what cannot be one.
    pub(crate) fn exposures(&self) -> impl Iterator<Item = Option<Exposure<'_>>> {
        self.records.iter().map(|record| self.exposure(record))
    }

    /// When the exposure in this place was served.
    pub(crate) fn created(&self, place: usize) -> Option<Timestamp> {
        self.records.get(place).map(|record| record.created)
    }

    /// Adds the exposures of another chunk, of those in these places, which ascend.
    pub(crate) fn absorb(&mut self, other: Self, places: impl IntoIterator<Item = usize>) {
        let mut places = places.into_iter().peekable();
        for (place, mut record) in other.records.into_iter().enumerate() {
            if places.next_if_eq(&place).is_none() {
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
            self.value_bytes += record.outcome.value_bytes;
            self.records.push(record);
        }
    }

    fn exposure<'a>(&'a self, record: &'a Record) -> Option<Exposure<'a>> {
        let Span { start, middle, end } = record.text;
        let plan = record.decided.plan();
        let (value, rollout_group) = plan.outcome(record.outcome.treatment)?;
        Some(Exposure {
            request_id: self.text.get(start..middle)?.into(),
            flag: Cow::Borrowed(plan.flag()),
            instance: InstanceId::new(self.text.get(middle..end)?).ok()?,
            value: Cow::Borrowed(value),
            rollout_group: rollout_group.into(),
            reason: Some(record.outcome.reason),
            bucket: record.outcome.bucket,
            revision: Some(plan.created()),
            from_cache: Some(record.from_cache),
            created: record.created,
        })
    }
}

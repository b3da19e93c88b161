//! Pending exposures, compact: a few numbers each, and all texts in one string.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use flag_model::{Bucket, FlagValue, InstanceId, Reason, Timestamp};
use flag_rollout::Decision;
use flag_store::{BatchId, ExposureBatch, ExposureTemplate};

use super::format::ExposureFormat;
use crate::flags::CacheEntry;

/// The most exposures in one chunk; `cargo bench -p flag-runtime --bench exposures` shows what they cost.
pub(crate) const CHUNK: usize = 2_000;

/// The most bytes of texts and values in one chunk.
const CHUNK_BYTES: usize = 1 << 20;

/// Memory for the usual ids of a chunk: a UUID and a dozen characters each.
const COMMON_TEXT: usize = CHUNK * 48;

/// How many recent templates a chunk finds again, one for each value of a byte; others are kept once more.
const RECENT: usize = 256;

/// The multiplier of xorshift64*. With it, and with the order of the parts in `slot`, no two usual decisions of a flag have the
/// same slot, as `the_decisions_of_a_flag_keep_one_template_each` checks.
const SPREAD: u64 = 0x2545_F491_4F6C_DD1D;

/// A decision without references to its plan.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CompactDecision {
    treatment_index: Option<usize>,
    reason: Reason,
    bucket: Option<Bucket>,
    value_bytes: usize,
}

impl CompactDecision {
    /// The same decision in an answer that lists all flags.
    pub(crate) fn delivered(self) -> Self {
        Self {
            reason: Reason::Delivered,
            ..self
        }
    }
}

impl From<&Decision<'_>> for CompactDecision {
    fn from(decision: &Decision<'_>) -> Self {
        Self {
            treatment_index: decision.treatment_index,
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
#[derive(Clone, Copy, Debug)]
pub(crate) struct ServedDecision<'a> {
    /// The id of the request.
    pub(crate) request_id: &'a str,
    /// The instance.
    pub(crate) instance: &'a str,
    /// The cached revision that decided.
    pub(crate) entry: &'a Arc<CacheEntry>,
    /// The decision.
    pub(crate) decision: CompactDecision,
    /// Whether the flag came from the cache.
    pub(crate) from_cache: bool,
    /// When it was served.
    pub(crate) served_at: Timestamp,
}

impl ServedDecision<'_> {
    /// Returns the bytes of its texts.
    pub(crate) fn text_bytes(&self) -> usize {
        self.request_id.len() + self.instance.len()
    }
}

/// Exposures that are written together.
#[derive(Debug)]
pub(crate) struct Chunk {
    exposures: Vec<CompactExposure>,
    /// The request id and the instance id of each exposure.
    text: String,
    templates: Vec<ServedTemplate>,
    /// Indices of templates, by a hash of what they are.
    recent: [u16; RECENT],
    value_bytes: usize,
}

/// What is an exposure's own, in 32 bytes.
#[derive(Debug)]
struct CompactExposure {
    served_at: Timestamp,
    bucket: Option<Bucket>,
    request_id_bytes: u32,
    instance_id_bytes: u32,
    template: u16,
}

/// What many exposures of a chunk have in common.
#[derive(Debug)]
struct ServedTemplate {
    entry: Arc<CacheEntry>,
    treatment_index: Option<usize>,
    reason: Reason,
    from_cache: bool,
}

impl Chunk {
    /// Creates an empty chunk with capacity for the usual exposures.
    pub(crate) fn new() -> Self {
        Self {
            exposures: Vec::with_capacity(CHUNK),
            text: String::with_capacity(COMMON_TEXT),
            templates: Vec::new(),
            recent: [0; RECENT],
            value_bytes: 0,
        }
    }

    /// Adds an exposure. Allocates only for a template that is not among the recent ones.
    pub(crate) fn push(&mut self, served: ServedDecision<'_>) {
        let template = self.find_or_add_template(&served);
        self.text.push_str(served.request_id);
        self.text.push_str(served.instance);
        self.value_bytes += served.decision.value_bytes;
        self.exposures.push(CompactExposure {
            served_at: served.served_at,
            bucket: served.decision.bucket,
            request_id_bytes: length(served.request_id),
            instance_id_bytes: length(served.instance),
            template,
        });
    }

    /// The index of the template of a decision, which is added unless it is found among the recent ones.
    fn find_or_add_template(&mut self, served: &ServedDecision<'_>) -> u16 {
        let slot = slot(served);
        let recent = self.recent.get(slot).copied().unwrap_or_default();
        if let Some(template) = self.templates.get(usize::from(recent))
            && template.is_of(served)
        {
            return recent;
        }
        // There are no more templates than exposures.
        let index = u16::try_from(self.templates.len()).unwrap_or(u16::MAX);
        self.templates.push(ServedTemplate {
            entry: Arc::clone(served.entry),
            treatment_index: served.decision.treatment_index,
            reason: served.decision.reason,
            from_cache: served.from_cache,
        });
        if let Some(recent) = self.recent.get_mut(slot) {
            *recent = index;
        }
        index
    }

    /// Whether it must be written before more is added.
    pub(crate) fn is_full(&self) -> bool {
        self.exposures.len() >= CHUNK || self.text.len() + self.value_bytes >= CHUNK_BYTES
    }

    /// Returns the number of exposures.
    pub(crate) fn len(&self) -> usize {
        self.exposures.len()
    }

    /// Returns the bytes of its texts.
    pub(crate) fn text_bytes(&self) -> usize {
        self.text.len()
    }

    /// Returns its exposures as a batch for the exposure log, in their order, and how many others were invalid.
    pub(crate) fn batch(&self, id: BatchId, format: &ExposureFormat) -> (ExposureBatch, usize) {
        let mut batch = ExposureBatch::new(id, format.booleans);
        batch.reserve(self.exposures.len(), self.text.len());
        let templates = self
            .templates
            .iter()
            .map(ServedTemplate::to_exposure_template);
        let templates: Vec<_> = templates
            .map(|template| template.map(|template| batch.add_template(template)))
            .collect();
        let mut text = self.text.as_str();
        for exposure in &self.exposures {
            let template = templates
                .get(usize::from(exposure.template))
                .copied()
                .flatten();
            let (request_id, instance) = exposure.ids(&mut text);
            if let (Some(template), Ok(instance)) = (template, InstanceId::new(instance)) {
                format.push_pseudonymized(
                    &mut batch,
                    template,
                    request_id,
                    &instance,
                    exposure.bucket,
                    exposure.served_at,
                );
            }
        }
        let invalid = self.len() - batch.len();
        (batch, invalid)
    }
}

impl CompactExposure {
    /// Takes its ids from the beginning of the text.
    fn ids<'a>(&self, text: &mut &'a str) -> (&'a str, &'a str) {
        let mut take = |bytes| {
            let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
            let (taken, rest) = text.split_at_checked(bytes).unwrap_or((text, ""));
            *text = rest;
            taken
        };
        (take(self.request_id_bytes), take(self.instance_id_bytes))
    }
}

impl ServedTemplate {
    fn is_of(&self, served: &ServedDecision<'_>) -> bool {
        Arc::ptr_eq(&self.entry, served.entry)
            && self.treatment_index == served.decision.treatment_index
            && self.reason == served.decision.reason
            && self.from_cache == served.from_cache
    }

    fn to_exposure_template(&self) -> Option<ExposureTemplate> {
        let plan = self.entry.plan();
        let (value, rollout_group) = plan.group_value(self.treatment_index)?;
        Some(ExposureTemplate {
            flag: plan.flag().clone(),
            revision: Some(plan.created()),
            value: value.clone(),
            rollout_group: rollout_group.to_string(),
            reason: Some(self.reason),
            from_cache: Some(self.from_cache),
        })
    }
}

/// Where the template of a decision is among the recent ones: the highest byte of a hash.
fn slot(served: &ServedDecision<'_>) -> usize {
    let entry = Arc::as_ptr(served.entry).addr() as u64;
    let treatment_index = served.decision.treatment_index;
    let parts = [
        // Flags may lie at regular distances, which products alone would keep.
        entry.wrapping_mul(SPREAD).swap_bytes(),
        u64::from(served.from_cache),
        treatment_index.map_or(u64::MAX, |index| index as u64),
        served.decision.reason as u64,
    ];
    let mix = |hash: u64, part| hash.wrapping_add(part).wrapping_mul(SPREAD);
    let [highest, ..] = parts.into_iter().fold(0, mix).to_be_bytes();
    usize::from(highest)
}

/// The length of an id, which has a few hundred bytes at most.
fn length(id: &str) -> u32 {
    u32::try_from(id.len()).unwrap_or(u32::MAX)
}

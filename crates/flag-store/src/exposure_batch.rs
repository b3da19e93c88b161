//! Exposures that are appended together; what many of them have in common is kept once.

use std::borrow::Cow;

use flag_model::{Bucket, FlagKey, FlagValue, InstanceId, Reason, Timestamp};

use crate::exposures::{Exposure, ExposureRecord, looks_hashed};
use crate::options::CellFormat;

/// The fields that exposures with the same flag, revision, value, group, reason and source share; `None` has no column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExposureTemplate {
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

/// The index of a template in its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TemplateIndex(u32);

impl TemplateIndex {
    /// As an index of [`ExposureBatch::templates`].
    pub fn get(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// Exposures that are appended together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExposureBatch {
    id: BatchId,
    boolean_format: CellFormat,
    templates: Vec<ExposureTemplate>,
    entries: Vec<Entry>,
    /// The request id and the instance id of each entry.
    text: String,
}

/// What is an exposure's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    template: TemplateIndex,
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
    pub template: TemplateIndex,
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
    /// An empty batch, whose booleans are written like this.
    pub fn new(id: BatchId, boolean_format: CellFormat) -> Self {
        Self {
            id,
            boolean_format,
            templates: Vec::new(),
            entries: Vec::new(),
            text: String::new(),
        }
    }

    /// A batch of these exposures.
    pub fn of<'a>(
        id: BatchId,
        boolean_format: CellFormat,
        exposures: impl IntoIterator<Item = &'a Exposure<'a>>,
    ) -> Self {
        let mut batch = Self::new(id, boolean_format);
        for exposure in exposures {
            let template = batch.template_of(exposure);
            batch.push(
                template,
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

    /// Adds a template, for exposures that follow.
    pub fn add_template(&mut self, template: ExposureTemplate) -> TemplateIndex {
        let index = u32::try_from(self.templates.len()).unwrap_or(u32::MAX);
        self.templates.push(template);
        TemplateIndex(index)
    }

    /// Adds an exposure.
    pub fn push(
        &mut self,
        template: TemplateIndex,
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
            template,
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

    /// How its booleans are written.
    pub fn boolean_format(&self) -> CellFormat {
        self.boolean_format
    }

    /// How many exposures it has.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Its templates, in the order of their indices.
    pub fn templates(&self) -> &[ExposureTemplate] {
        &self.templates
    }

    /// The template with an index.
    pub fn template(&self, index: TemplateIndex) -> Option<&ExposureTemplate> {
        self.templates.get(index.get())
    }

    /// Its exposures, compact, in the order in which they were added.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = BatchEntry<'_>> + DoubleEndedIterator {
        self.entries.iter().map(|entry| self.entry(entry))
    }

    /// The template of each of its exposures, and when it was served, in the order in which they were added.
    pub fn templates_and_times(&self) -> impl ExactSizeIterator<Item = (TemplateIndex, Timestamp)> {
        let entries = self.entries.iter();
        entries.map(|entry| (entry.template, entry.created))
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
        let mut selected = Self::new(id, self.boolean_format);
        selected.templates.clone_from(&self.templates);
        let entries = indices.iter().filter_map(|&index| self.entries.get(index));
        for entry in entries {
            selected.push_entry(self.entry(entry), entry.template);
        }
        selected
    }

    /// Adds the exposures of another batch, whose booleans must be written the same.
    pub fn absorb(&mut self, other: Self) {
        let offset = u32::try_from(self.templates.len()).unwrap_or(u32::MAX);
        for entry in &other.entries {
            let template = TemplateIndex(entry.template.0.saturating_add(offset));
            self.push_entry(other.entry(entry), template);
        }
        self.templates.extend(other.templates);
    }

    /// The exposure that a compact one stands for; `None` only for one of another batch.
    pub fn exposure<'a>(&'a self, entry: BatchEntry<'a>) -> Option<Exposure<'a>> {
        let template = self.template(entry.template)?;
        Some(Exposure {
            request_id: entry.request_id.into(),
            flag: Cow::Borrowed(&template.flag),
            instance: InstanceId::new(entry.instance).ok()?,
            value: Cow::Borrowed(&template.value),
            rollout_group: template.rollout_group.as_str().into(),
            reason: template.reason,
            bucket: entry.bucket,
            revision: template.revision,
            from_cache: template.from_cache,
            created: entry.created,
        })
    }

    /// Likewise, as the log would store it; `None` also for one that no log would take.
    pub fn record(&self, entry: BatchEntry<'_>) -> Option<ExposureRecord> {
        self.exposure(entry)?.to_record(self.boolean_format()).ok()
    }

    fn entry(&self, entry: &Entry) -> BatchEntry<'_> {
        let Entry {
            start, middle, end, ..
        } = *entry;
        BatchEntry {
            template: entry.template,
            request_id: self.text.get(start..middle).unwrap_or_default(),
            instance: self.text.get(middle..end).unwrap_or_default(),
            bucket: entry.bucket,
            created: entry.created,
        }
    }

    pub(crate) fn push_entry(&mut self, entry: BatchEntry<'_>, template: TemplateIndex) {
        let start = self.text.len();
        self.text.push_str(entry.request_id);
        let middle = self.text.len();
        self.text.push_str(entry.instance);
        self.entries.push(Entry {
            template,
            bucket: entry.bucket,
            created: entry.created,
            start,
            middle,
            end: self.text.len(),
        });
    }

    /// The index of the template of an exposure, which is added where it is new.
    fn template_of(&mut self, exposure: &Exposure<'_>) -> TemplateIndex {
        let template = ExposureTemplate {
            flag: exposure.flag.clone().into_owned(),
            revision: exposure.revision,
            value: exposure.value.clone().into_owned(),
            rollout_group: exposure.rollout_group.clone().into_owned(),
            reason: exposure.reason,
            from_cache: exposure.from_cache,
        };
        match self.templates.iter().position(|found| *found == template) {
            Some(index) => TemplateIndex(u32::try_from(index).unwrap_or(u32::MAX)),
            None => self.add_template(template),
        }
    }
}

//! The bytes of a block, format 1. A change is a new format; the old ones are read for ever.
//!
//! A byte for the format, the number of bytes of what follows before it was compressed, and that as a block of LZ4:
//!
//! ```text
//! booleans                             0 as Python writes them, 1 as JSON does
//! templates                             how many; then each:
//!   tags                               which of the following are there, and the small ones
//!   revision                           microseconds since 1970, signed
//!   value                              text, where it is one
//!   rollout group                      text
//! exposures                            how many; then a column after the other:
//!   template                            of each its index, if there are several templates
//!   created                            microseconds since 1970 of the first, then differences; signed
//!   bucket                             0 for none, else 1 more than it is
//!   request id                         lengths: 0 for a UUID in 16 bytes, else 1 more than the bytes; then the bytes
//!   instance id                        likewise
//! ```
//!
//! Numbers are LEB128; signed ones are zigzag-encoded before; a text is its length in bytes and its UTF-8.

use flag_model::{Bucket, FlagKey, FlagValue, InstanceId, Invalid, Reason, Timestamp};

use super::bytes::{Bytes, Texts, put_number, put_signed, put_text};
use super::{ExposureBlock, filter};
use crate::exposure_batch::{BatchEntry, BatchId, ExposureBatch, ExposureTemplate, TemplateIndex};
use crate::options::CellFormat;
use crate::row_key::flag_exposures_prefix;

/// The format that is written.
const FORMAT: u8 = 1;

/// The most bytes of a block before it is compressed: beyond what any batch has, and no danger to a reader's memory.
const MAX_BYTES: u64 = 64 << 20;

/// The tags of a template: what of it is there, and what it is where that is one of a few.
mod tag {
    pub(super) const REVISION: u8 = 1;
    pub(super) const CACHE_KNOWN: u8 = 1 << 1;
    pub(super) const FROM_CACHE: u8 = 1 << 2;
    pub(super) const TEXT: u8 = 1 << 3;
    pub(super) const TRUE: u8 = 1 << 4;
    pub(super) const REASON_SHIFT: u32 = 5;
}

/// The reasons by their tags; 0 is none.
const REASONS: [Option<Reason>; 5] = [
    None,
    Some(Reason::Override),
    Some(Reason::Rollout),
    Some(Reason::Control),
    Some(Reason::Delivered),
];

/// Why bytes are no block: they are damaged, or made by other software.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// A format that this release does not know.
    #[error("block format {0} is unknown; this release reads format {FORMAT}")]
    Format(u8),
    /// It ends too early.
    #[error("a block ends too early")]
    Truncated,
    /// It cannot be decompressed.
    #[error("a block cannot be decompressed")]
    Compression,
    /// There are bytes after its end.
    #[error("a block has bytes after its end")]
    TooLong,
    /// A number that is invalid or too large.
    #[error("a block has a number that is out of range")]
    Number,
    /// A text that is not UTF-8.
    #[error("a block has a text that is not UTF-8")]
    Text,
    /// The flag that it names is invalid.
    #[error("a block names an invalid flag: {0}")]
    Flag(Invalid),
    /// A value that no exposure can have.
    #[error("a block has an invalid exposure: {0}")]
    Exposure(Invalid),
}

/// The block of these exposures of a batch, which must be of one flag; `None` if there are none.
pub(super) fn encode(batch: &ExposureBatch, entries: &[BatchEntry<'_>]) -> Option<ExposureBlock> {
    let (used, index) = used_templates(batch, entries);
    let key_prefix = flag_exposures_prefix(&used.first()?.flag);
    let mut bytes = vec![u8::from(batch.boolean_format() == CellFormat::Json)];
    put_number(&mut bytes, used.len() as u64);
    for template in &used {
        put_template(&mut bytes, template);
    }
    put_number(&mut bytes, entries.len() as u64);
    if used.len() > 1 {
        for entry in entries {
            let index = index.get(entry.template.get()).copied().flatten();
            put_number(&mut bytes, index.unwrap_or_default());
        }
    }
    let mut before = 0;
    for entry in entries {
        let created = entry.created.unix_micros();
        put_signed(&mut bytes, created.wrapping_sub(before));
        before = created;
    }
    for entry in entries {
        let bucket = entry.bucket.map_or(0, |bucket| bucket.get() + 1);
        put_number(&mut bytes, u64::from(bucket));
    }
    put_texts(&mut bytes, entries.iter().map(|entry| entry.request_id));
    put_texts(&mut bytes, entries.iter().map(|entry| entry.instance));
    let times = || entries.iter().map(|entry| entry.created);
    Some(ExposureBlock {
        key_prefix,
        oldest: times().min()?,
        newest: times().max()?,
        exposure_count: entries.len(),
        filter: filter::of(entries.iter().map(|entry| entry.instance)),
        bytes: compress(&bytes),
    })
}

fn compress(bytes: &[u8]) -> Vec<u8> {
    let mut compressed = vec![FORMAT];
    put_number(&mut compressed, bytes.len() as u64);
    compressed.extend(lz4_flex::block::compress(bytes));
    compressed
}

fn decompress(compressed: &[u8]) -> Result<Vec<u8>, BlockError> {
    let mut compressed = Bytes::new(compressed);
    match compressed.byte()? {
        FORMAT => {}
        format => return Err(BlockError::Format(format)),
    }
    let length = compressed.number()?;
    let length = usize::try_from(length).ok().filter(|_| length <= MAX_BYTES);
    let length = length.ok_or(BlockError::Number)?;
    let bytes = lz4_flex::block::decompress(compressed.rest(), length);
    bytes.map_err(|_| BlockError::Compression)
}

/// The templates that some exposures have, and by the index of a template in the batch its index among these.
fn used_templates<'a>(
    batch: &'a ExposureBatch,
    entries: &[BatchEntry<'_>],
) -> (Vec<&'a ExposureTemplate>, Vec<Option<u64>>) {
    let mut used = Vec::new();
    let mut index = vec![None; batch.templates().len()];
    for entry in entries {
        if let Some(index @ None) = index.get_mut(entry.template.get())
            && let Some(template) = batch.template(entry.template)
        {
            *index = Some(used.len() as u64);
            used.push(template);
        }
    }
    (used, index)
}

fn put_template(bytes: &mut Vec<u8>, template: &ExposureTemplate) {
    let reason = REASONS.iter().position(|reason| *reason == template.reason);
    let reason = u8::try_from(reason.unwrap_or_default()).unwrap_or_default();
    let mut tags = reason << tag::REASON_SHIFT;
    let mut set = |tag, is_set| tags |= if is_set { tag } else { 0 };
    set(tag::REVISION, template.revision.is_some());
    set(tag::CACHE_KNOWN, template.from_cache.is_some());
    set(tag::FROM_CACHE, template.from_cache == Some(true));
    set(tag::TEXT, matches!(template.value, FlagValue::Text(_)));
    set(tag::TRUE, template.value == FlagValue::Boolean(true));
    bytes.push(tags);
    if let Some(revision) = template.revision {
        put_signed(bytes, revision.unix_micros());
    }
    if let FlagValue::Text(text) = &template.value {
        put_text(bytes, text);
    }
    put_text(bytes, &template.rollout_group);
}

fn put_texts<'a>(bytes: &mut Vec<u8>, texts: impl Iterator<Item = &'a str>) {
    let mut column = Texts::default();
    texts.for_each(|text| column.push(text));
    column.put(bytes);
}

/// The exposures of a block of a flag.
pub(super) fn decode(
    flag: &FlagKey,
    bytes: &[u8],
    id: BatchId,
) -> Result<ExposureBatch, BlockError> {
    let bytes = decompress(bytes)?;
    let mut bytes = Bytes::new(&bytes);
    let boolean_format = match bytes.byte()? {
        0 => CellFormat::Python,
        1 => CellFormat::Json,
        _ => return Err(BlockError::Number),
    };
    let mut batch = ExposureBatch::new(id, boolean_format);
    let mut templates = Vec::new();
    for _ in 0..bytes.count()? {
        let template = take_template(&mut bytes, flag)?;
        templates.push(batch.add_template(template));
    }
    take_entries(&mut bytes, &templates, &mut batch)?;
    if bytes.len() > 0 {
        return Err(BlockError::TooLong);
    }
    Ok(batch)
}

fn take_template(bytes: &mut Bytes<'_>, flag: &FlagKey) -> Result<ExposureTemplate, BlockError> {
    let tags = bytes.byte()?;
    let is_set = |tag| tags & tag != 0;
    let revision = is_set(tag::REVISION).then(|| time(bytes.signed()?));
    let value = if is_set(tag::TEXT) {
        FlagValue::text(bytes.text()?).map_err(BlockError::Exposure)?
    } else {
        FlagValue::Boolean(is_set(tag::TRUE))
    };
    let reason = REASONS.get(usize::from(tags >> tag::REASON_SHIFT));
    Ok(ExposureTemplate {
        flag: flag.clone(),
        revision: revision.transpose()?,
        value,
        rollout_group: bytes.text()?.to_owned(),
        reason: *reason.ok_or(BlockError::Number)?,
        from_cache: is_set(tag::CACHE_KNOWN).then_some(is_set(tag::FROM_CACHE)),
    })
}

fn take_entries(
    bytes: &mut Bytes<'_>,
    templates: &[TemplateIndex],
    batch: &mut ExposureBatch,
) -> Result<(), BlockError> {
    let count = bytes.count()?;
    let indices = if templates.len() > 1 {
        bytes.numbers(count)?
    } else {
        vec![0; count]
    };
    let mut created = 0_i64;
    let times = (0..count).map(|_| {
        created = created.wrapping_add(bytes.signed()?);
        time(created)
    });
    let times = times.collect::<Result<Vec<_>, BlockError>>()?;
    let buckets = bytes.numbers(count)?;
    let mut requests = bytes.texts(count)?;
    let mut instances = bytes.texts(count)?;
    let (mut request_id, mut instance) = (String::new(), String::new());
    for (index, ((template, created), bucket)) in
        indices.into_iter().zip(times).zip(buckets).enumerate()
    {
        let template = usize::try_from(template)
            .ok()
            .and_then(|index| templates.get(index));
        request_id.clear();
        requests.append(index, &mut request_id)?;
        instance.clear();
        instances.append(index, &mut instance)?;
        let instance = InstanceId::new(&*instance).map_err(BlockError::Exposure)?;
        batch.push(
            *template.ok_or(BlockError::Number)?,
            &request_id,
            &instance,
            take_bucket(bucket)?,
            created,
        );
    }
    Ok(())
}

fn take_bucket(number: u64) -> Result<Option<Bucket>, BlockError> {
    let Some(number) = number.checked_sub(1) else {
        return Ok(None);
    };
    let bucket = u32::try_from(number).ok().and_then(Bucket::new);
    bucket.map(Some).ok_or(BlockError::Number)
}

fn time(micros: i64) -> Result<Timestamp, BlockError> {
    Timestamp::from_unix_micros(micros).ok_or(BlockError::Number)
}

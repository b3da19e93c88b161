//! Blocks: the exposures of one flag out of one batch, in a few bytes each.
//!
//! For logs that do not store a row for each exposure, as the embedded one. The format is described in [`format`](self::format); a block whose
//! format is unknown is an error, never a guess.

mod bytes;
mod filter;
mod format;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use flag_model::{FlagKey, InstanceId, Invalid, Timestamp};

use crate::exposure_batch::{BatchId, ExposureBatch, TemplateIndex};
use crate::row_key::{check_exposure_key, flag_of_exposure_prefix};

pub use self::filter::may_hold;
pub use self::format::BlockError;

/// The exposures of one flag out of one batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExposureBlock {
    /// What the keys of all exposures of the flag begin with.
    pub key_prefix: String,
    /// When the oldest of its exposures was served.
    pub oldest: Timestamp,
    /// When the newest of its exposures was served.
    pub newest: Timestamp,
    /// How many exposures it has.
    pub exposure_count: usize,
    /// Which instances it may hold; see [`may_hold`].
    pub filter: Vec<u8>,
    /// The exposures.
    pub bytes: Vec<u8>,
}

/// A batch as blocks.
#[derive(Debug)]
pub struct Blocks {
    /// A block for each flag of the batch that has a valid exposure.
    pub blocks: Vec<ExposureBlock>,
    /// Of each exposure in the order of the batch, whether it can be kept.
    pub results: Vec<Result<(), Invalid>>,
}

impl ExposureBatch {
    /// The batch as blocks, without the exposures whose keys would be too long.
    pub fn blocks(&self) -> Blocks {
        let flags = Flags::of(self);
        let mut results = Vec::with_capacity(self.len());
        let mut entries = vec![Vec::new(); flags.count];
        for entry in self.entries() {
            let (Some(template), Some(flag)) =
                (self.template(entry.template), flags.index(entry.template))
            else {
                results.push(Ok(()));
                continue;
            };
            let checked = check_exposure_key(&template.flag, entry.instance, entry.request_id);
            if checked.is_ok()
                && let Some(entries) = entries.get_mut(flag)
            {
                entries.push(entry);
            }
            results.push(checked);
        }
        let entries = entries.into_iter().filter(|entries| !entries.is_empty());
        let blocks = entries.filter_map(|entries| format::encode(self, &entries));
        Blocks {
            blocks: blocks.collect(),
            results,
        }
    }
}

/// Which flag each template of a batch is of.
struct Flags {
    of_template: Vec<usize>,
    count: usize,
}

impl Flags {
    fn of(batch: &ExposureBatch) -> Self {
        let mut indices: HashMap<&FlagKey, usize> = HashMap::new();
        let of_template = batch.templates().iter().map(|template| {
            let next = indices.len();
            *indices.entry(&template.flag).or_insert(next)
        });
        Self {
            of_template: of_template.collect(),
            count: indices.len(),
        }
    }

    fn index(&self, template: TemplateIndex) -> Option<usize> {
        self.of_template.get(template.get()).copied()
    }
}

/// The exposures of a block as a batch, in the order in which they were served as far as one process served them.
///
/// `key_prefix` is [`ExposureBlock::key_prefix`], `bytes` are [`ExposureBlock::bytes`].
pub fn decode_block(key_prefix: &str, bytes: &[u8]) -> Result<ExposureBatch, BlockError> {
    let flag = flag_of_exposure_prefix(key_prefix).map_err(BlockError::Flag)?;
    format::decode(&flag, bytes, BatchId::default())
}

/// A block without the exposures of an instance, and how many those were.
///
/// `None` as the block if nothing is left of it.
pub fn without_instance(
    key_prefix: &str,
    bytes: &[u8],
    instance: &InstanceId<'_>,
) -> Result<(Option<ExposureBlock>, usize), BlockError> {
    let batch = decode_block(key_prefix, bytes)?;
    let others = batch.entries();
    let others: Vec<_> = others
        .filter(|entry| entry.instance != instance.as_str())
        .collect();
    Ok((format::encode(&batch, &others), batch.len() - others.len()))
}

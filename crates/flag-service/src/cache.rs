//! Flags in memory, ready to decide.
mod absence;
mod budget;
mod entry;
mod flags;
mod held;
mod metrics;
mod positions;
mod reading;
mod restored;
mod served;
mod sought;
#[cfg(test)]
mod tests;
mod told;
mod unknown;

use std::path::PathBuf;
use std::time::Duration;

pub(crate) use self::entry::{Current, Entry, Source};
pub(crate) use self::flags::{FlagCache, FlagCacheSettings};
pub(crate) use self::held::{Held, Kept};
pub(crate) use self::positions::{PositionSettings, Positions};
pub(crate) use self::sought::Sought;
pub(crate) use self::told::Heard;
use crate::store::GateSettings;

/// What everything that keeps flags in memory was told.
#[derive(Clone, Debug)]
pub(crate) struct CacheSettings {
    /// The flag cache.
    pub(crate) flags: FlagCacheSettings,
    /// The position cache.
    pub(crate) positions: PositionSettings,
    /// How many reads of the store may be under way at once.
    pub(crate) reads: usize,
    /// How often changes are looked for, if at all.
    pub(crate) poll: Option<Duration>,
    /// Where the last known flags are kept over a restart, if anywhere.
    pub(crate) snapshot: Option<PathBuf>,
}

impl CacheSettings {
    /// What that means for the gate before the store.
    pub(crate) fn gate(&self) -> GateSettings {
        GateSettings {
            reads: self.reads,
            deadline: self.flags.deadline,
        }
    }
}

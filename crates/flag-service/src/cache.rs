//! Flags in memory, ready to decide.
mod flags;
#[cfg(test)]
mod tests;

pub(crate) use self::flags::{CacheSettings, FlagCache};

//! The store as the service has it: opened in the background, bounded, and left alone while it fails.
mod circuit;
mod deferred;
mod gate;
mod metrics;
mod opening;

pub(crate) use self::circuit::Circuit;
#[cfg(test)]
pub(crate) use self::deferred::Deferred;
pub(crate) use self::gate::{Gate, GateSettings};
pub(crate) use self::opening::Opening;

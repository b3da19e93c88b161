//! Facts about rollouts, through what the crate exports.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod decisions;
mod evenness;
mod flags;
mod laws;
mod vectors;

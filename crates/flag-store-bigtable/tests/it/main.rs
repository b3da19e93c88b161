//! Facts about the store in Bigtable: against the emulator, and against a server that misbehaves.

#![allow(clippy::unwrap_used, reason = "tests")]

mod conformance;
mod scripted;

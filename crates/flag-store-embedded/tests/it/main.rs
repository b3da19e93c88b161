//! Facts about the store in local files, through what the crate exports.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

mod conformance;
mod faults;
mod opening;
mod processes;

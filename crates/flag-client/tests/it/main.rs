//! Facts about the clients, whatever service they talk to and wherever they are called.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod allocation;
mod answers;
mod application;
mod building;
mod concurrency;
mod environment;
mod failures;
mod faults;
#[cfg(unix)]
mod forks;
mod log;
mod mistakes;
mod open_feature;
mod outages;
mod push;
mod runtimes;
mod server;
mod stream;

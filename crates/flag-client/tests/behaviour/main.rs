//! How the clients behave, whatever they talk to and wherever they are called.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod answers;
mod building;
mod concurrency;
mod environment;
mod failures;
mod faults;
#[cfg(unix)]
mod forks;
mod outages;
mod runtimes;
mod server;

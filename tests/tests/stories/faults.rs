//! What the system does when something fails, measured: each test is a row of the table in `docs/reliability.md`.
//!
//! They take minutes, want the machine for themselves, and hold figures; so `cargo xtask faults` runs them, one at a
//! time and in release builds, and the ordinary tests don't.

mod dashboard;
mod exposures;
mod freshness;
mod limits;
mod moves;
mod push;
mod push_clients;
mod push_proxies;
mod push_restored;
mod report;
mod rolling;
mod store;
mod verified;
mod world;
mod writers;

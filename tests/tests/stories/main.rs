//! Stories of the whole system: real processes, real stores, real HTTP.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::float_cmp,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests"
)]

mod access;
mod administration;
mod client;
mod exposures;
mod faults;
mod flag_owner;
mod freshness;
mod limits;
mod metrics;
mod outage;
mod procedures;
mod reference;
mod service;
mod traces;
mod writers;

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
mod bad_day;
mod client;
mod connections;
mod dashboard;
mod exposures;
mod faults;
mod flag_owner;
mod freshness;
mod google_cloud;
mod limits;
mod local_files;
mod metrics;
mod ofrep;
mod ofrep_clients;
mod outage;
mod overflow;
mod procedures;
mod propagation;
mod push;
mod python_reader;
mod record;
mod reference;
mod service;
mod settings;
mod systemd;
mod tls;
mod traces;
mod trusted_proxies;
mod tutorial;
mod unheard;
mod verified;
mod writers;

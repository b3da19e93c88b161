//! Generates load on an HTTP service, at a constant rate or as fast as it answers.
//!
//! One thread, so that the service has the other processors. Knows no flags: callers write the requests.
//! At a constant rate a request is due at its time whether or not a connection is free, and its latency counts from
//! then: a slow answer hides no request that it delays.
mod connection;
mod generate;
mod outcome;

pub use crate::generate::{Load, WriteRequest};
pub use crate::outcome::{Outcome, Second};

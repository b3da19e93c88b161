//! The server below HTTP: listening, guarded connections, start and end of the process.
mod chunked;
mod connection;
mod connections;
mod framing;
mod listen;
mod no_request_timer;
mod notify;
mod open_files;
mod opening;
mod reporting;
mod responses;
mod serve;
mod stop;
mod watchdog;

use std::time::Duration;

pub(crate) use self::serve::run;

/// How long the rest of a request that was answered early is still read, so that its sender receives the answer.
const LINGER: Duration = Duration::from_secs(1);

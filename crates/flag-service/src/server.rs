//! The server below HTTP: listening, guarded connections, start and end of the process.
mod answers;
mod chunked;
mod connection;
mod connections;
mod files;
mod framing;
mod listen;
mod notify;
mod serve;
mod stop;
mod tls;
mod watch;
mod watchdog;

use std::time::Duration;

pub(crate) use self::serve::run;
pub(crate) use self::tls::TlsSettings;

/// How long the rest of a request that was answered early is read, so that its sender sees the answer.
const LINGER: Duration = Duration::from_secs(1);

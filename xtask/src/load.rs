//! Load on a service: what is asked, how fast, what came of it; and services to load.
mod ask;
mod connection;
mod generate;
mod get;
mod server;
mod usage;

pub(crate) use self::ask::{Asks, Mix};
pub(crate) use self::generate::{Load, Second, latencies, run};
pub(crate) use self::get::{Answer, get, metric};
pub(crate) use self::server::{Order, Program, Servers, Store, build, on_processor};
pub(crate) use self::usage::Usage;

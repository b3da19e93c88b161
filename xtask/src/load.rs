//! Load on a service: what is asked, how fast, what came of it; and services to load.
mod ask;
mod connection;
mod generate;
mod server;

pub(crate) use self::ask::{Asks, Mix};
pub(crate) use self::generate::{Load, Second, latencies, run};
pub(crate) use self::server::{Order, Program, Servers, Store, Usage, build};

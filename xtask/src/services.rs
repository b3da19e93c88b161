//! The services that are measured: how they are started, what is asked of them, and what they use.
mod get;
mod requests;
mod server;
mod usage;

pub(crate) use self::get::{Answer, get, metric, send};
pub(crate) use self::requests::{Mix, Requests};
pub(crate) use self::server::{
    Program, ServerOptions, Servers, Store, build, build_service, on_processor,
};
pub(crate) use self::usage::Usage;

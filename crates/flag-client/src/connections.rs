//! The HTTP clients of a process: connections cannot be shared with a child, so each process builds its own.

use std::sync::Arc;

use reqwest::redirect;
use reqwest::{Client, ClientBuilder};

use crate::builder::BuildError;
use crate::tls::Trust;

const USER_AGENT: &str = concat!("flag-client/", env!("CARGO_PKG_VERSION"));

/// An application's own way to build an HTTP client.
pub(crate) type BuildHttp = dyn Fn() -> ClientBuilder + Send + Sync;

/// How HTTP clients are built.
#[derive(Clone)]
pub(crate) enum Http {
    /// As this crate does it.
    Own(Trust),
    /// As the application does it.
    Brought(Arc<BuildHttp>),
}

/// The HTTP clients of a process.
pub(crate) struct Connections {
    /// Keeps its connections for the next request.
    pub(crate) kept: Client,
    /// Opens a connection for each request: whatever cut off the kept ones has not touched it.
    pub(crate) fresh: Client,
}

impl Http {
    /// Builds the HTTP clients of a process. Opens no connection.
    pub(crate) fn connect(&self) -> Result<Connections, BuildError> {
        match self {
            Self::Own(trust) => {
                let tls = trust.config().map_err(BuildError::Tls)?;
                Connections::new(|| own().tls_backend_preconfigured(tls.clone()))
            }
            Self::Brought(build) => Connections::new(build.as_ref()),
        }
    }
}

impl Connections {
    fn new(build: impl Fn() -> ClientBuilder) -> Result<Self, BuildError> {
        let kept = build().build();
        let fresh = build().pool_max_idle_per_host(0).build();
        Ok(Self {
            kept: kept.map_err(BuildError::Http)?,
            fresh: fresh.map_err(BuildError::Http)?,
        })
    }
}

/// Follows no redirect, so that credentials go to nobody but the service.
fn own() -> ClientBuilder {
    Client::builder()
        .redirect(redirect::Policy::none())
        .user_agent(USER_AGENT)
}

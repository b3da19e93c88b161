//! The HTTP clients of a process. A forked child cannot use connections of its parent, so each process builds its own.

use std::sync::Arc;

use reqwest::header::HeaderMap;
use reqwest::redirect;
use reqwest::{Client, ClientBuilder, Url};

use crate::build_error::BuildError;
use crate::environment;
use crate::proxy::Proxy;
use crate::tls::Trust;

const USER_AGENT: &str = concat!("flag-client/", env!("CARGO_PKG_VERSION"));

/// An application's own way to build an HTTP client.
pub(crate) type BuildHttp = dyn Fn() -> ClientBuilder + Send + Sync;

/// How HTTP clients are built.
#[derive(Clone)]
pub(crate) enum HttpClientFactory {
    /// By this crate.
    Own { trust: Trust, proxy: Option<Proxy> },
    /// By a function of the application.
    Custom(Arc<BuildHttp>),
}

/// The HTTP clients of a process.
pub(crate) struct HttpClients {
    /// Reuses connections.
    pub(crate) pooled: Client,
    /// Opens a new connection for each request, for when idle ones were cut off.
    pub(crate) unpooled: Client,
}

impl HttpClientFactory {
    /// Clients of this crate, for a service and the headers of its requests.
    pub(crate) fn own(service: &Url, headers: &HeaderMap) -> Result<Self, BuildError> {
        let proxy = Proxy::of(service, environment::variable)?;
        if let Some(proxy) = &proxy {
            proxy.check(service, headers)?;
        }
        let is_https = |url: &Url| url.scheme() == "https";
        let trust = if is_https(service) || proxy.as_ref().is_some_and(|proxy| is_https(&proxy.url))
        {
            Trust::System
        } else {
            Trust::None
        };
        Ok(Self::Own { trust, proxy })
    }

    /// The proxy, if this crate has chosen one.
    pub(crate) fn proxy(&self) -> Option<&Proxy> {
        match self {
            Self::Own { proxy, .. } => proxy.as_ref(),
            Self::Custom(_) => None,
        }
    }

    /// Builds the HTTP clients of a process. Opens no connection.
    pub(crate) fn build_clients(&self) -> Result<HttpClients, BuildError> {
        match self {
            Self::Own { trust, proxy } => {
                let tls = trust.config().map_err(BuildError::Tls)?;
                let proxy = proxy
                    .as_ref()
                    .map(|proxy| reqwest::Proxy::all(proxy.url.clone()));
                let proxy = proxy.transpose().map_err(BuildError::Http)?;
                HttpClients::new(|| own(proxy.clone()).tls_backend_preconfigured(tls.clone()))
            }
            Self::Custom(build) => HttpClients::new(build.as_ref()),
        }
    }
}

impl HttpClients {
    fn new(build: impl Fn() -> ClientBuilder) -> Result<Self, BuildError> {
        let pooled = build().build();
        let unpooled = build().pool_max_idle_per_host(0).build();
        Ok(Self {
            pooled: pooled.map_err(BuildError::Http)?,
            unpooled: unpooled.map_err(BuildError::Http)?,
        })
    }
}

/// Follows no redirect, so that credentials are sent to the service only.
fn own(proxy: Option<reqwest::Proxy>) -> ClientBuilder {
    let client = Client::builder()
        .redirect(redirect::Policy::none())
        .user_agent(USER_AGENT);
    match proxy {
        Some(proxy) => client.proxy(proxy),
        None => client.no_proxy(),
    }
}

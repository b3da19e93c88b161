//! Why a client could not be built.

use flag_model::ProjectName;

/// Why a client could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The name of the project is invalid.
    #[error("project {found:?}: expected {}", ProjectName::EXPECTED)]
    Project {
        /// What was given.
        found: String,
    },
    /// The base URL is invalid.
    #[error("base URL {found:?}: expected http:// or https:// and a host")]
    Url {
        /// What was given, without user and password.
        found: String,
    },
    /// The name or the value of a header, or the API key, holds a character that no header may hold.
    #[error("header {name:?}: its name or value cannot be sent")]
    Header {
        /// Its name.
        name: String,
    },
    /// The API key in the environment holds a character that no header may hold.
    #[error("FLAG_API_KEY holds a character that cannot be sent in a header, such as a line break")]
    ApiKey,
    /// The proxy in the environment is not one that this client can use.
    #[error(
        "{variable}={found:?} is not a proxy that can be used: expected http:// or https:// and a host. \
         To go without it, list {host:?} in NO_PROXY"
    )]
    Proxy {
        /// The variable that names it.
        variable: &'static str,
        /// Its value, without user and password.
        found: String,
        /// The host of the service.
        host: String,
    },
    /// The API key would pass through a proxy in clear text.
    #[error(
        "the proxy {proxy} would read the API key, as the base URL is not https://. \
         To go without the proxy, list {host:?} in NO_PROXY"
    )]
    ExposedKey {
        /// The proxy.
        proxy: String,
        /// The host of the service.
        host: String,
    },
    /// TLS cannot be set up: the system has no trusted certificates.
    #[error("cannot set up TLS")]
    Tls(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The HTTP client cannot be built.
    #[error("cannot build the HTTP client")]
    Http(#[source] reqwest::Error),
}

/// A URL without user and password, even if it cannot be parsed.
pub(crate) fn without_password(url: &str) -> String {
    let parts = url.split_once("://");
    match parts.and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?.1))) {
        Some((scheme, host)) => format!("{scheme}://…@{host}"),
        None => url.to_owned(),
    }
}

//! TLS by rustls with ring, whatever the application has chosen for itself.

use std::error::Error;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt as _;

/// Which certificates are trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Those that the operating system trusts. Takes milliseconds to set up, as it reads them.
    System,
    /// None, for plain HTTP.
    None,
}

impl Trust {
    /// A new configuration.
    pub(crate) fn config(self) -> Result<ClientConfig, Box<dyn Error + Send + Sync>> {
        let provider: CryptoProvider = ring::default_provider();
        let builder = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()?;
        let builder = match self {
            Self::System => builder.with_platform_verifier()?,
            Self::None => builder.with_root_certificates(RootCertStore::empty()),
        };
        Ok(builder.with_no_client_auth())
    }
}

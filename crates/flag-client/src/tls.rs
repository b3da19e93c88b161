//! TLS by rustls with ring, whatever the application has chosen for itself.

use std::error::Error;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};
use rustls_platform_verifier::BuilderVerifierExt as _;

/// Trusts whom the operating system trusts. Takes milliseconds, as it reads certificates.
pub(crate) fn trusting_the_system() -> Result<ClientConfig, Box<dyn Error + Send + Sync>> {
    Ok(builder()?.with_platform_verifier()?.with_no_client_auth())
}

/// Trusts nobody, for who speaks plain HTTP.
pub(crate) fn trusting_nobody() -> Result<ClientConfig, Box<dyn Error + Send + Sync>> {
    let nobody = RootCertStore::empty();
    Ok(builder()?
        .with_root_certificates(nobody)
        .with_no_client_auth())
}

fn builder() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, rustls::Error> {
    let provider: CryptoProvider = ring::default_provider();
    ClientConfig::builder_with_provider(Arc::new(provider)).with_safe_default_protocol_versions()
}

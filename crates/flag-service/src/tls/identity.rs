//! A certificate and its key, as their files hold them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::expiry::Expiry;

/// The one protocol above TLS.
const HTTP_1_1: &[u8] = b"http/1.1";

/// The files of a certificate and its key, and what they held at the start.
#[derive(Clone, Debug)]
pub(crate) struct TlsSettings {
    pub(super) files: Files,
    pub(super) content: Content,
    identity: Identity,
}

/// The files of a certificate and its key, in PEM.
#[derive(Clone, Debug)]
pub(super) struct Files {
    pub(super) certificate: PathBuf,
    key: PathBuf,
}

/// What the files hold.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Content {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

/// A certificate with its key.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    pub(super) config: Arc<ServerConfig>,
    pub(super) expires: Expiry,
}

impl TlsSettings {
    /// Reads the files for the first time.
    pub(crate) fn read(certificate: PathBuf, key: PathBuf) -> anyhow::Result<Self> {
        let files = Files { certificate, key };
        let content = files.read()?;
        let identity = content.parse()?;
        Ok(Self {
            files,
            content,
            identity,
        })
    }

    pub(super) fn identity(&self) -> &Identity {
        &self.identity
    }
}

impl Files {
    pub(super) fn read(&self) -> anyhow::Result<Content> {
        Ok(Content {
            certificate: read(&self.certificate)?,
            key: read(&self.key)?,
        })
    }
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| path.display().to_string())
}

impl Content {
    /// Parses the certificate, with those between it and its authority, and the key, which must belong to it.
    pub(super) fn parse(&self) -> anyhow::Result<Identity> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.certificate).collect();
        let chain = chain.map_err(|_| anyhow!("the certificate file is not valid PEM"))?;
        let certificate = chain
            .first()
            .context("the certificate file holds no certificate in PEM")?;
        let expires = Expiry::of(certificate).context("the certificate cannot be read")?;
        // Not the library's own error: it may quote the file.
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|_| anyhow!("the key file holds no unencrypted private key in PEM"))?;
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let mut config = builder
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .context("certificate and key cannot be used")?;
        config.alpn_protocols = vec![HTTP_1_1.to_vec()];
        Ok(Identity {
            config: Arc::new(config),
            expires,
        })
    }
}

impl std::fmt::Debug for Content {
    /// Never shows the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Content").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOLDER: &str = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/fixtures/google_cloud"
    );

    fn read(certificate: &str, key: &str) -> Result<TlsSettings, String> {
        let path = |name: &str| Path::new(FOLDER).join(name);
        let read = TlsSettings::read(path(certificate), path(key));
        read.map_err(|error| format!("{error:#}"))
    }

    #[track_caller]
    fn check_refused(certificate: &str, key: &str, expected: &str) {
        let error = read(certificate, key).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn a_certificate_with_its_key_is_taken() {
        let settings = read("localhost.pem", "server.key").unwrap();
        let expires = settings.identity().expires.to_string();
        assert_eq!(expires, "2120-01-01T00:00:00Z");
        assert!(!format!("{settings:?}").contains("BEGIN"));
    }

    #[test]
    fn a_pair_that_does_not_fit_is_refused() {
        let (certificate, key) = ("localhost.pem", "server.key");
        check_refused(certificate, "service_account.key", "cannot be used");
        check_refused(key, key, "holds no certificate");
        check_refused("make.sh", key, "holds no certificate");
        check_refused(certificate, certificate, "no unencrypted private key");
        check_refused("absent.pem", key, "absent.pem");
    }
}

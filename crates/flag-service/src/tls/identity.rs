//! A certificate and its key, as their files hold them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::{Context as _, anyhow};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tracing::{info, warn};

use super::expiry::Validity;
use super::files::{Content, FileReading, Files};

/// The one protocol above TLS.
const HTTP_1_1: &[u8] = b"http/1.1";

/// The files of a certificate and its key, and what they held at the start.
#[derive(Clone, Debug)]
pub(crate) struct TlsSettings {
    pub(super) files: Files,
    pub(super) content: Content,
    identity: TlsIdentity,
}

/// One of the two files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TlsFile {
    Certificate,
    Key,
}

/// A certificate with its key.
#[derive(Clone, Debug)]
pub(super) struct TlsIdentity {
    pub(super) config: Arc<ServerConfig>,
    pub(super) validity: Validity,
}

impl TlsSettings {
    /// Reads the files for the first time; an error names each file that cannot be used.
    pub(crate) fn read(certificate: PathBuf, key: PathBuf) -> Result<Self, Vec<(TlsFile, String)>> {
        let files = Files { certificate, key };
        let content = FileReading::default().read(&files)?;
        let identity = content
            .parse()
            .map_err(|(file, error)| vec![(file, format!("{error:#}"))])?;
        Ok(Self {
            files,
            content,
            identity,
        })
    }

    pub(super) fn identity(&self) -> &TlsIdentity {
        &self.identity
    }

    /// Why the certificate is not valid now.
    pub(crate) fn warning(&self) -> Option<String> {
        self.identity.validity.problem(SystemTime::now())
    }
}

impl TlsIdentity {
    /// Logs that it is in use from now on.
    pub(super) fn log(&self) {
        info!(expires = %self.validity.ends, "TLS certificate loaded");
        if let Some(problem) = self.validity.problem(SystemTime::now()) {
            warn!(
                problem,
                "the TLS certificate is not valid now: clients refuse it"
            );
        }
    }
}

impl Content {
    /// Parses the certificate, with those between it and its authority, and the key, which must belong to it.
    pub(super) fn parse(&self) -> Result<TlsIdentity, (TlsFile, anyhow::Error)> {
        let (chain, validity) = self
            .chain()
            .map_err(|error| (TlsFile::Certificate, error))?;
        // Not the library's own error: it may quote the file.
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(|_| {
            let problem = "the key file holds no unencrypted private key in PEM";
            (TlsFile::Key, anyhow!(problem))
        })?;
        let config = config(chain, key).map_err(|error| (TlsFile::Certificate, error))?;
        Ok(TlsIdentity {
            config: Arc::new(config),
            validity,
        })
    }

    fn chain(&self) -> anyhow::Result<(Vec<CertificateDer<'static>>, Validity)> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.certificate).collect();
        let chain = chain.map_err(|_| anyhow!("the certificate file is not valid PEM"))?;
        let certificate = chain
            .first()
            .context("the certificate file holds no certificate in PEM")?;
        let validity = Validity::of(certificate).context("the certificate cannot be read")?;
        Ok((chain, validity))
    }
}

fn config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> anyhow::Result<ServerConfig> {
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let mut config = builder
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .context("certificate and key cannot be used")?;
    config.alpn_protocols = vec![HTTP_1_1.to_vec()];
    Ok(config)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const FOLDER: &str = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/fixtures/google_cloud"
    );

    fn read(certificate: &str, key: &str) -> Result<TlsSettings, String> {
        let path = |name: &str| Path::new(FOLDER).join(name);
        let read = TlsSettings::read(path(certificate), path(key));
        read.map_err(|problems| format!("{problems:?}"))
    }

    #[track_caller]
    fn check_refused(certificate: &str, key: &str, expected: &str) {
        let error = read(certificate, key).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn a_certificate_with_its_key_is_taken() {
        let settings = read("localhost.pem", "server.key").unwrap();
        let expires = settings.identity().validity.ends.to_string();
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
        check_refused("absent.pem", key, "(Certificate, \"");
        check_refused(certificate, "absent.key", "[(Key, \"");
        let both = read("absent.pem", "absent.key").unwrap_err();
        assert!(both.contains("absent.pem") && both.contains("absent.key"));
    }

    #[test]
    fn a_file_that_never_ends_is_refused() {
        check_refused("/dev/zero", "server.key", "no regular file");
        check_refused("localhost.pem", "/dev/zero", "[(Key, \"");
    }
}

//! The TLS files of a service, and clients that trust its authority.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
};
use tempfile::TempDir;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/google_cloud");

/// How long a busy machine may take to answer.
const ANSWERED: Duration = Duration::from_secs(20);

/// A certificate file and a key file, which a test may replace.
#[derive(Debug)]
pub struct TlsFiles(TempDir);

/// An encrypted connection of a client.
pub type TlsStream = StreamOwned<ClientConnection, TcpStream>;

impl TlsFiles {
    /// The certificate of `localhost`, with its key.
    pub fn of_localhost() -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        files.put("localhost.pem", "certificate.pem");
        files.put("server.key", "key.pem");
        files
    }

    /// Puts a certificate or a key into the place of the one there.
    pub fn put(&self, fixture: &str, name: &str) {
        fs::copy(format!("{FIXTURES}/{fixture}"), self.0.path().join(name)).unwrap();
    }

    /// The variables that name them.
    pub fn variables(&self) -> [(&'static str, String); 2] {
        let path = |name: &str| self.0.path().join(name).to_str().unwrap().to_owned();
        [
            ("FLAG_TLS_CERTIFICATE_FILE", path("certificate.pem")),
            ("FLAG_TLS_KEY_FILE", path("key.pem")),
        ]
    }
}

/// A client configuration that trusts the authority of the certificates, with these versions of TLS.
pub fn client_config(versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_file(format!("{FIXTURES}/authority.pem"));
    roots.add(authority.unwrap()).unwrap();
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// Connects to a service that must have a certificate of this name; an error if the handshake fails.
pub fn connect(config: ClientConfig, address: &str, name: &str) -> std::io::Result<TlsStream> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let session = ClientConnection::new(Arc::new(config), name).unwrap();
    let socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(ANSWERED))?;
    let mut stream = StreamOwned::new(session, socket);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(stream)
}

/// Sends this, and reads until the service closes the connection.
pub fn exchange(stream: &mut TlsStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

//! TLS: the certificate and its key, which are reloaded when their files change, and connections that are encrypted by them.
mod connection;
mod expiry;
mod identity;
mod metrics;
mod watch;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use prometheus_client::registry::Registry;
use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tracing::info;

use self::connection::TlsConnection;
pub(crate) use self::identity::TlsSettings;
use self::metrics::TlsMetrics;

/// Bytes of an answer that are encrypted ahead of a caller that does not read.
const ENCRYPTED_AHEAD: usize = 8 << 10;

/// Encrypts connections with the certificate that counts when they come.
#[derive(Clone, Debug)]
pub(crate) struct Tls {
    current: Arc<ArcSwap<ServerConfig>>,
    metrics: TlsMetrics,
}

impl Tls {
    /// Starts with this certificate, and reloads it when its files change.
    pub(crate) fn start(settings: &TlsSettings, registry: &mut Registry) -> io::Result<Self> {
        let metrics = TlsMetrics::register(registry);
        metrics.loaded(settings.identity());
        info!(expires = %settings.identity().expires, "TLS certificate loaded");
        let current = Arc::new(ArcSwap::new(Arc::clone(&settings.identity().config)));
        watch::start(settings.clone(), Arc::clone(&current), metrics.clone())?;
        Ok(Self { current, metrics })
    }

    /// Encrypts a connection; its handshake is made as it is read, and may take this long.
    pub(crate) fn accept(
        &self,
        connection: TcpStream,
        timeout: Duration,
    ) -> TlsConnection<TcpStream> {
        let acceptor = TlsAcceptor::from(self.current.load_full());
        let accept = acceptor.accept_with(connection, |session| {
            session.set_buffer_limit(Some(ENCRYPTED_AHEAD));
        });
        TlsConnection::new(accept, timeout, self.metrics.clone())
    }
}

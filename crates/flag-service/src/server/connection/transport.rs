//! What carries the bytes of a connection.

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::tls::TlsConnection;

/// A connection, encrypted or not.
pub(in crate::server) trait Transport: AsyncRead + AsyncWrite + Unpin {
    /// Bytes that were received and cannot be read yet.
    fn unread(&self) -> usize {
        0
    }

    /// Whether they may be the beginning of a request.
    fn has_begun(&self) -> bool {
        false
    }
}

impl Transport for TcpStream {}

impl Transport for TlsConnection<TcpStream> {
    fn unread(&self) -> usize {
        self.unread()
    }

    fn has_begun(&self) -> bool {
        self.has_begun()
    }
}

#[cfg(test)]
impl Transport for tokio::io::DuplexStream {}

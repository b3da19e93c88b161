//! Counts the bytes below TLS that have brought no request yet. TLS keeps them, and nothing else limits them.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The most bytes without any plaintext: more than the longest record, and what TLS reads with it. A client needs no longer
/// handshake.
const MAX: usize = 20 << 10;

/// Bytes of complete records without plaintext after which a connection is still idle, such as the 32 key updates that rustls
/// permits.
const IDLE: usize = 1 << 10;

/// Kind, version and length of a record (RFC 8446, 5.1).
const HEADER: usize = 5;

/// The encrypted side of a connection.
#[derive(Debug)]
pub(super) struct Ciphertext<T> {
    io: T,
    record: Record,
    /// Bytes since the last plaintext.
    unread: usize,
}

/// The position in the current record.
#[derive(Debug, Default)]
struct Record {
    /// Bytes of the header that have been read.
    header: usize,
    /// Of the body: the last two bytes of the header.
    length: u16,
    /// Bytes of the body that have not been read.
    missing: usize,
}

impl<T> Ciphertext<T> {
    pub(super) fn new(io: T) -> Self {
        Self {
            io,
            record: Record::default(),
            unread: 0,
        }
    }

    /// Bytes since the last plaintext, or since the handshake.
    pub(super) fn unread(&self) -> usize {
        self.unread
    }

    /// Whether a record has begun, or a message of several records.
    pub(super) fn has_begun(&self) -> bool {
        self.record.len() > 0 || self.unread > IDLE
    }

    /// Notes that plaintext was read, or the handshake is done: only an incomplete record is left.
    pub(super) fn note_plaintext(&mut self) {
        self.unread = self.record.len();
    }
}

impl Record {
    fn read(&mut self, mut bytes: &[u8]) {
        loop {
            let body = self.missing.min(bytes.len());
            self.missing -= body;
            let Some((byte, rest)) = bytes.get(body..).and_then(<[u8]>::split_first) else {
                return;
            };
            bytes = rest;
            self.length = self.length << 8 | u16::from(*byte);
            self.header += 1;
            if self.header == HEADER {
                self.header = 0;
                self.missing = usize::from(self.length);
            }
        }
    }

    /// Bytes of the record that have been read; none if it is complete.
    fn len(&self) -> usize {
        if self.missing == 0 {
            return self.header;
        }
        HEADER + usize::from(self.length) - self.missing
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Ciphertext<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(context, buffer))?;
        let fresh = buffer.filled().get(before..).unwrap_or_default();
        self.record.read(fresh);
        self.unread += fresh.len();
        if self.unread > MAX {
            buffer.set_filled(before);
            return Poll::Ready(Err(ErrorKind::InvalidData.into()));
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Ciphertext<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;

    fn record(length: u16) -> Vec<u8> {
        let [high, low] = length.to_be_bytes();
        [&[23, 3, 3, high, low], &*vec![0; usize::from(length)]].concat()
    }

    #[test]
    fn a_record_is_complete_however_it_is_cut() {
        let records = [record(300), record(0), record(1), record(16_640)].concat();
        for part in [1, 2, 5, 7, 4_096, records.len()] {
            let mut position = Record::default();
            for bytes in records.chunks(part) {
                position.read(bytes);
            }
            assert_eq!(position.len(), 0, "in parts of {part}");
            position.read(&record(300)[..104]);
            assert_eq!(position.len(), 104);
        }
    }

    #[tokio::test]
    async fn bytes_count_until_there_is_plaintext() {
        let bytes = [record(20), record(20), record(100)[..3].to_vec()].concat();
        let mut ciphertext = Ciphertext::new(&*bytes);
        let mut read = [0; 50];
        ciphertext.read_exact(&mut read).await.unwrap();
        assert_eq!(ciphertext.unread(), 50);
        assert!(!ciphertext.has_begun(), "as after two key updates");
        ciphertext.read_exact(&mut read[..3]).await.unwrap();
        assert!(ciphertext.has_begun());
        ciphertext.note_plaintext();
        assert_eq!((ciphertext.unread(), ciphertext.has_begun()), (3, true));
    }

    #[tokio::test]
    async fn a_long_handshake_message_is_refused() {
        let bytes = record(256).repeat(100);
        let mut ciphertext = Ciphertext::new(&*bytes);
        let mut read = vec![0; 261 * 4];
        ciphertext.read_exact(&mut read).await.unwrap();
        assert!(ciphertext.has_begun());
        let refused = ciphertext.read_to_end(&mut read).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidData);
    }
}

//! A connection to the service that is kept alive.
use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A connection that opens when it is used, and again after it was closed.
#[derive(Debug)]
pub(crate) struct Connection {
    target: SocketAddr,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
}

/// What counts of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) is_stale: bool,
}

impl Connection {
    pub(crate) fn new(target: SocketAddr) -> Self {
        Self {
            target,
            stream: None,
            buffer: Vec::with_capacity(1_024),
        }
    }

    /// Sends a request and waits for the whole answer.
    pub(crate) async fn ask(&mut self, request: &str) -> io::Result<Answer> {
        let stream = match self.stream.take() {
            Some(stream) => stream,
            None => connect(self.target).await?,
        };
        let stream = self.stream.insert(stream);
        stream.write_all(request.as_bytes()).await?;
        self.buffer.clear();
        loop {
            if stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(answer) = whole(&self.buffer)? {
                return Ok(answer);
            }
        }
    }

    /// Closes it; the next request opens another.
    pub(crate) fn close(&mut self) {
        self.stream = None;
    }
}

async fn connect(target: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(target).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// The answer, if the bytes hold all of it.
fn whole(bytes: &[u8]) -> io::Result<Option<Answer>> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut headers);
    let parsed = response.parse(bytes).map_err(io::Error::other)?;
    let (httparse::Status::Complete(head), Some(status)) = (parsed, response.code) else {
        return Ok(None);
    };
    let (mut length, mut is_stale) = (None, false);
    for header in &*response.headers {
        if header.name.eq_ignore_ascii_case("content-length") {
            let text = str::from_utf8(header.value).map_err(io::Error::other)?;
            length = Some(text.parse::<usize>().map_err(io::Error::other)?);
        } else if header.name.eq_ignore_ascii_case("cache-status") {
            is_stale = header.value == b"stale";
        }
    }
    let length = length.ok_or_else(|| io::Error::other("an answer without a length"))?;
    Ok((bytes.len() >= head + length).then_some(Answer { status, is_stale }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_with_its_body() {
        let bytes = b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nCache-Status: stale\r\n\r\nok";
        let expected = Answer {
            status: 404,
            is_stale: true,
        };
        assert_eq!(whole(bytes).unwrap(), Some(expected));
        for length in 0..bytes.len() {
            assert_eq!(whole(&bytes[..length]).unwrap(), None);
        }
        assert!(whole(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
        assert!(whole(b"SSH-2.0").is_err());
    }
}

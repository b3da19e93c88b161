//! A connection to the service that is kept alive.
use std::net::SocketAddr;

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A connection that opens when it is used, and again after it was closed.
#[derive(Debug)]
pub(super) struct Connection {
    target: SocketAddr,
    stream: Option<TcpStream>,
    answer: Vec<u8>,
}

impl Connection {
    /// A connection to this address.
    pub(super) fn new(target: SocketAddr) -> Self {
        Self {
            target,
            stream: None,
            answer: Vec::with_capacity(1_024),
        }
    }

    /// Sends a request and waits for the whole answer; its status.
    pub(super) async fn ask(&mut self, request: &str) -> Result<u16> {
        let stream = match self.stream.take() {
            Some(stream) => stream,
            None => connect(self.target).await?,
        };
        let stream = self.stream.insert(stream);
        stream.write_all(request.as_bytes()).await?;
        self.answer.clear();
        loop {
            ensure!(
                stream.read_buf(&mut self.answer).await? > 0,
                "the connection ended"
            );
            if let Some(status) = whole(&self.answer)? {
                return Ok(status);
            }
        }
    }

    /// Closes it; the next request opens another.
    pub(super) fn close(&mut self) {
        self.stream = None;
    }
}

async fn connect(target: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(target).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// The status of an answer that has arrived whole.
fn whole(answer: &[u8]) -> Result<Option<u16>> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = response.parse(answer)? else {
        return Ok(None);
    };
    let length = response
        .headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let Some(length) = length else {
        bail!("an answer without a length");
    };
    let length: usize = str::from_utf8(length.value)?.parse()?;
    let status = response.code.context("an answer without a status")?;
    Ok((answer.len() >= head + length).then_some(status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_with_its_body() {
        let answer = b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nok";
        assert_eq!(whole(answer).unwrap(), Some(404));
        for length in 0..answer.len() {
            assert_eq!(whole(&answer[..length]).unwrap(), None);
        }
        assert!(whole(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
        assert!(whole(b"SSH-2.0").is_err());
    }
}

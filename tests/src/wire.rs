//! HTTP byte for byte, as no client library would send it.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::{Method, Service};

/// How long a machine with much else to do may take for an answer.
const BORNE: Duration = Duration::from_secs(20);

/// A connection to a service.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    read: Vec<u8>,
}

/// An answer as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Its status line and headers.
    pub head: String,
    /// Its body.
    pub body: String,
}

impl Service {
    /// Connects, and says nothing.
    pub async fn connect(&self) -> Wire {
        Wire {
            stream: TcpStream::connect(self.address()).await.unwrap(),
            read: Vec::new(),
        }
    }
}

impl Wire {
    /// Sends a text.
    pub async fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
    }

    /// Sends as much of a text as is taken at once.
    pub fn push(&self, text: &str) {
        let _ = self.stream.try_write(text.as_bytes());
    }

    /// The answer to a request with this method; `None` if the connection was closed instead.
    pub async fn answer(&mut self, to: &Method) -> Option<Answer> {
        let head = loop {
            let end = self.read.windows(4).position(|four| four == b"\r\n\r\n");
            if let Some(end) = end {
                let head = self.read.drain(..end + 4).collect();
                break String::from_utf8(head).unwrap();
            }
            if self.more().await == 0 {
                assert!(self.read.is_empty(), "half an answer: {:?}", self.read);
                return None;
            }
        };
        let status = head.get(9..12).unwrap().parse().unwrap();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length = match length {
            Some(length) if *to != Method::HEAD && status != 100 => length.parse().unwrap(),
            _ => 0,
        };
        while self.read.len() < length {
            assert!(self.more().await > 0, "half a body after {head}");
        }
        let body = String::from_utf8(self.read.drain(..length).collect()).unwrap();
        Some(Answer { status, head, body })
    }

    /// The statuses of the answers to these requests and then whether the connection is closed without another word.
    pub async fn statuses(&mut self, to: &[Method]) -> Vec<Option<u16>> {
        let mut statuses = Vec::new();
        for method in to {
            statuses.push(self.answer(method).await.map(|answer| answer.status));
        }
        statuses
    }

    /// Whether nothing comes for a moment.
    pub async fn is_silent(&mut self, moment: Duration) -> bool {
        // A socket may say that it is readable and not be; a read knows.
        let read = self.stream.read_buf(&mut self.read);
        timeout(moment, read).await.is_err() && self.read.is_empty()
    }

    async fn more(&mut self) -> usize {
        let read = self.stream.read_buf(&mut self.read);
        // A reset ends a connection as well.
        timeout(BORNE, read)
            .await
            .expect("nothing comes")
            .unwrap_or(0)
    }
}

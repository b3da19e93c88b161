//! A request for an event stream, which a test answers step by step.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};

use crate::server::whole;

/// The service's end of an event stream; dropping it cuts the connection.
#[derive(Debug)]
pub(crate) struct Stream {
    connection: TcpStream,
    /// The first line and the headers of the request.
    pub(crate) request: String,
}

impl Stream {
    pub(crate) fn new(connection: TcpStream, request: String) -> Self {
        Self {
            connection,
            request,
        }
    }

    /// Opens the stream, as the service does.
    pub(crate) fn open(self) -> Self {
        self.send(
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
        )
        .say("retry: 1000\n\n")
    }

    /// Opens the stream, and sends the event of a first connection.
    pub(crate) fn begin(self, digest: &str) -> Self {
        self.open().event(digest, &[])
    }

    /// Announces a change of these flags, `type/name`.
    pub(crate) fn event(self, digest: &str, flags: &[&str]) -> Self {
        let flags: Vec<String> = flags
            .iter()
            .map(|flag| {
                let (flag_type, name) = flag.split_once('/').unwrap();
                format!(
                    r#"{{"flag_type":"{flag_type}","flag_name":"{name}","revision_time":"2024-09-25 19:15:28.248896"}}"#
                )
            })
            .collect();
        let flags = flags.join(",");
        self.say(&format!("id: {digest}\ndata: {{\"flags\":[{flags}]}}\n\n"))
    }

    /// Sends this as a piece of the stream.
    pub(crate) fn say(self, text: &str) -> Self {
        let length = text.len();
        self.send(&format!("{length:x}\r\n{text}\r\n"))
    }

    /// Ends the stream, as the service does from time to time.
    pub(crate) fn end(self) {
        self.send("0\r\n\r\n");
    }

    /// Answers with this status instead of a stream.
    pub(crate) fn refuse(self, status: &str, headers: &str) {
        self.send(&whole(status, headers, "{}"));
    }

    /// Sends these bytes.
    pub(crate) fn send(mut self, bytes: &str) -> Self {
        let _ = self.connection.write_all(bytes.as_bytes());
        self
    }

    /// Waits until the client has gone.
    pub(crate) fn await_end(mut self) {
        match self.connection.read(&mut [0]) {
            Ok(0) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            other => panic!("{other:?}"),
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // The server's reader holds the connection too.
        let _ = self.connection.shutdown(Shutdown::Both);
    }
}

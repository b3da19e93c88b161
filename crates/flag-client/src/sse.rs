//! Reads server-sent events, the format of `text/event-stream` in the HTML standard, within bounds of memory.
//!
//! Knows no network, no clock and no flags.

#[cfg(test)]
mod tests;

use std::mem;
use std::time::Duration;

/// The longest line, and the most data of an event, in bytes.
const LONGEST: usize = 1 << 20;

const BYTE_ORDER_MARK: char = '\u{feff}';

/// An event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Event {
    /// What `event:` says; empty if it says nothing.
    pub(crate) name: String,
    /// The lines of `data:`, joined by line feeds.
    pub(crate) data: String,
    /// The last `id:` of the stream; empty if there was none.
    pub(crate) id: String,
}

/// A line or an event is longer than is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event of more than {LONGEST} bytes")]
pub(crate) struct TooLong;

/// Turns the bytes of a stream, however they are cut, into events.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    line: Vec<u8>,
    ends_in_cr: bool,
    has_begun: bool,
    name: String,
    data: String,
    id: String,
    retry: Option<Duration>,
}

impl Parser {
    /// Reads more bytes; returns the events that end in them.
    pub(crate) fn read(&mut self, bytes: &[u8]) -> Result<Vec<Event>, TooLong> {
        let mut events = Vec::new();
        for &byte in bytes {
            let follows_cr = mem::replace(&mut self.ends_in_cr, byte == b'\r');
            match byte {
                b'\n' if follows_cr => {}
                b'\r' | b'\n' => events.extend(self.end_line()?),
                _ if self.line.len() == LONGEST => return Err(TooLong),
                _ => self.line.push(byte),
            }
        }
        Ok(events)
    }

    /// How long the server wants a client to wait before it connects again.
    pub(crate) fn retry(&self) -> Option<Duration> {
        self.retry
    }

    fn end_line(&mut self) -> Result<Option<Event>, TooLong> {
        let line = mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        let is_first = !mem::replace(&mut self.has_begun, true);
        let marked = line.strip_prefix(BYTE_ORDER_MARK).filter(|_| is_first);
        let line = marked.unwrap_or(&line);
        if line.is_empty() {
            return Ok(self.end_event());
        }
        // A comment is a line with an empty name, and ignored as every unknown one.
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        self.take(field, value.strip_prefix(' ').unwrap_or(value))?;
        Ok(None)
    }

    fn take(&mut self, field: &str, value: &str) -> Result<(), TooLong> {
        match field {
            "data" if self.data.len() + value.len() > LONGEST => return Err(TooLong),
            "data" => {
                self.data.push_str(value);
                self.data.push('\n');
            }
            "event" => value.clone_into(&mut self.name),
            "id" if !value.contains('\0') => value.clone_into(&mut self.id),
            "retry" if value.bytes().all(|byte| byte.is_ascii_digit()) => {
                let millis = value.parse().map(Duration::from_millis);
                self.retry = millis.ok().or(self.retry);
            }
            _ => {}
        }
        Ok(())
    }

    /// The event that an empty line ends, if it has data.
    fn end_event(&mut self) -> Option<Event> {
        let (name, mut data) = (mem::take(&mut self.name), mem::take(&mut self.data));
        data.pop()?;
        let id = self.id.clone();
        Some(Event { name, data, id })
    }
}

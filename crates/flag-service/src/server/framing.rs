//! Finds the ends of the requests of a connection.
//!
//! Knows no connection, and of HTTP only what frames a request: lines, headers with the length of a body, `Expect`, and `Connection`.
//! Malformed input is passed on for actix-http to refuse; a bare line feed in a head, which that accepts, is replaced by a
//! byte that it refuses.

use memchr::memchr;

use super::chunked::{CHUNK_COST, Chunked, Chunks};

/// Replaces a line feed without a carriage return: invalid in every head.
const REFUSED: u8 = 0;

/// The most bytes of a body that are passed on in one poll, before its reader runs. It limits the bytes in actix-http, which
/// are not counted.
const POLL_BUDGET: usize = 8 << 10;

/// Follows the requests of a connection, one after the other.
#[derive(Debug)]
pub(super) struct Framing {
    part: Part,
    /// How many bytes of a body may still be passed on in this poll.
    budget: usize,
    /// In a head: the start of its last line.
    line: usize,
    /// In a head: the end of what was searched for the end of that line.
    searched: usize,
    head: Head,
}

#[derive(Clone, Copy, Debug)]
enum Part {
    Head,
    /// A body, and how many bytes of it are to come.
    Sized(u64),
    Chunked(Chunked),
    /// actix-http refuses it in any case.
    Malformed,
    Whole,
}

/// The content of the lines of a head.
#[derive(Clone, Copy, Debug, Default)]
struct Head {
    has_begun: bool,
    length: u64,
    is_chunked: bool,
    expects_continue: bool,
}

impl Default for Framing {
    fn default() -> Self {
        Self {
            part: Part::Head,
            budget: POLL_BUDGET,
            line: 0,
            searched: 0,
            head: Head::default(),
        }
    }
}

impl Framing {
    /// Returns how many of these bytes, from the first, belong to the request and may be passed on now; they count as passed
    /// on. Overwrites bytes of a head, to hide some headers from actix-http, or to have it refuse the request.
    ///
    /// A head is passed on as a whole: before it is complete, the result is 0, and the caller must pass the same bytes again,
    /// followed by more. Bytes of a body that are not passed on must be passed again too, in the next poll if necessary.
    pub(super) fn prepare_to_pass(&mut self, bytes: &mut [u8]) -> usize {
        if !matches!(self.part, Part::Head) {
            return self.pass_body(bytes);
        }
        let Some(end) = self.end_of_head(bytes) else {
            return 0;
        };
        end + self.pass_body(bytes.get(end..).unwrap_or_default())
    }

    /// Whether all of the request has been passed on.
    pub(super) fn is_whole(&self) -> bool {
        matches!(self.part, Part::Whole)
    }

    /// Whether a head, or the rest of one, is to come.
    pub(super) fn is_in_head(&self) -> bool {
        matches!(self.part, Part::Head)
    }

    /// Whether the budget of this poll is used up; if so, renews it for the next poll.
    pub(super) fn renew_spent_budget(&mut self) -> bool {
        let is_spent = self.budget < CHUNK_COST;
        if is_spent {
            self.budget = POLL_BUDGET;
        }
        is_spent
    }

    /// Returns how many bytes at the beginning of what is not passed on are empty lines before a head. They must not be passed on.
    pub(super) fn take_empty_lines(&mut self) -> usize {
        if self.head.has_begun || !self.is_in_head() {
            return 0;
        }
        self.searched -= self.line;
        std::mem::take(&mut self.line)
    }

    /// Whether the sender waits for `100 Continue`; true at most once per request.
    pub(super) fn take_continue(&mut self) -> bool {
        std::mem::take(&mut self.head.expects_continue)
    }

    /// Continues with the next request.
    pub(super) fn next_request(&mut self) {
        *self = Self::default();
    }

    fn end_of_head(&mut self, bytes: &mut [u8]) -> Option<usize> {
        while let Some(found) = memchr(b'\n', bytes.get(self.searched..)?) {
            let feed = self.searched + found;
            let (begin, end) = (self.line, feed + 1);
            (self.line, self.searched) = (end, end);
            let line = bytes.get(begin..feed)?;
            let Some(line) = line.strip_suffix(b"\r") else {
                *bytes.get_mut(feed)? = REFUSED;
                self.part = Part::Malformed;
                return Some(end);
            };
            match line.first() {
                None if self.head.has_begun => {
                    self.part = self.head.body();
                    // A sender does not wait before an empty body.
                    self.head.expects_continue &= !self.is_whole();
                    return Some(end);
                }
                None => {}
                Some(_) if !self.head.has_begun => self.head.has_begun = true,
                Some(first) => {
                    let header = self.head.read(*first | 0x20, line);
                    if header == Some(HiddenHeader::Expectation) {
                        // actix-http would answer it before the request is checked.
                        self.head.expects_continue = is_http_11(bytes);
                    }
                    if header.is_some() {
                        // actix-http must not see it.
                        *bytes.get_mut(begin)? = b'x';
                    }
                }
            }
        }
        self.searched = bytes.len();
        None
    }

    fn pass_body(&mut self, bytes: &[u8]) -> usize {
        if !bytes.is_empty() && !self.is_whole() {
            // The sender no longer waits.
            self.head.expects_continue = false;
        }
        let bytes = bytes.get(..self.budget).unwrap_or(bytes);
        let passed = match &mut self.part {
            Part::Sized(left) => {
                let passed =
                    usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
                *left = left.saturating_sub(u64::try_from(passed).unwrap_or(u64::MAX));
                if *left == 0 {
                    self.part = Part::Whole;
                }
                passed
            }
            Part::Chunked(chunked) => match chunked.scan(bytes, &mut self.budget) {
                Chunks::More(at) => at,
                Chunks::End(at) => {
                    self.part = Part::Whole;
                    at
                }
                Chunks::Malformed => {
                    self.part = Part::Malformed;
                    bytes.len()
                }
            },
            Part::Malformed => bytes.len(),
            Part::Head | Part::Whole => 0,
        };
        self.budget = self.budget.saturating_sub(passed);
        passed
    }
}

/// The headers that the server beneath does not see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HiddenHeader {
    Expectation,
    /// An offer to speak another protocol, which the server beneath would take up by closing the connection.
    Upgrade,
}

impl Head {
    /// Reads a header, whose first letter in lower case is this.
    fn read(&mut self, first: u8, line: &[u8]) -> Option<HiddenHeader> {
        match first {
            b'c' => {
                if let Some(length) = value(line, b"content-length") {
                    // Another header of this name, or one that is no number, is refused beneath.
                    let length = str::from_utf8(length)
                        .ok()
                        .and_then(|text| text.parse().ok());
                    self.length = length.unwrap_or(0);
                } else if value(line, b"connection").is_some_and(offers_upgrade) {
                    return Some(HiddenHeader::Upgrade);
                }
            }
            b't' => {
                if let Some(encoding) = value(line, b"transfer-encoding") {
                    self.is_chunked = encoding.eq_ignore_ascii_case(b"chunked");
                }
            }
            b'e' if value(line, b"expect").is_some_and(names_continue) => {
                return Some(HiddenHeader::Expectation);
            }
            _ => {}
        }
        None
    }

    fn body(self) -> Part {
        if self.is_chunked {
            Part::Chunked(Chunked::new())
        } else if self.length > 0 {
            Part::Sized(self.length)
        } else {
            Part::Whole
        }
    }
}

/// Whether a `Connection` header names an upgrade and no close.
fn offers_upgrade(value: &[u8]) -> bool {
    let names = |token: &[u8]| {
        let mut tokens = value.split(|byte| *byte == b',');
        tokens.any(|found| found.trim_ascii().eq_ignore_ascii_case(token))
    };
    names(b"upgrade") && !names(b"close")
}

/// The value of a header, if it has this name.
fn value<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (found, value) = line.split_at_checked(name.len())?;
    let value = value.strip_prefix(b":")?;
    found.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
}

fn names_continue(value: &[u8]) -> bool {
    let wanted = b"100-continue";
    let mut windows = value.windows(wanted.len());
    windows.any(|window| window.eq_ignore_ascii_case(wanted))
}

/// Whether the first line of a head is of HTTP/1.1: older senders know no interim answers.
fn is_http_11(head: &[u8]) -> bool {
    let mut lines = head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let first = lines.find(|line| !line.is_empty());
    first.is_some_and(|line| line.ends_with(b" HTTP/1.1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shows a text in pieces of this size: what is passed on of it.
    fn passed(framing: &mut Framing, text: &str, size: usize) -> String {
        let (mut shown, mut passed) = (Vec::new(), Vec::new());
        for piece in text.as_bytes().chunks(size) {
            shown.extend_from_slice(piece);
            let now = framing.prepare_to_pass(&mut shown);
            passed.extend(shown.drain(..now));
            if framing.is_whole() {
                break;
            }
        }
        String::from_utf8(passed).unwrap()
    }

    #[track_caller]
    fn check(request: &str) {
        let two = format!("{request}GET /next HTTP/1.1\r\n\r\n");
        for size in 1..=two.len() {
            let mut framing = Framing::default();
            assert_eq!(
                passed(&mut framing, &two, size),
                request,
                "in pieces of {size}"
            );
            assert!(framing.is_whole());
        }
    }

    #[test]
    fn a_request_ends_where_its_head_says() {
        check("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        check("\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\nTE: x\r\nCookie: content-length: 5\r\n\r\n");
        check("POST / HTTP/1.1\r\ncontent-LENGTH:  5 \r\n\r\nab\n\r\n");
        check("POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n");
        check("POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n");
    }

    /// What is passed on of a request in each poll.
    fn polls(request: &str) -> Vec<usize> {
        let mut framing = Framing::default();
        let (mut rest, mut polls) = (request.as_bytes().to_vec(), Vec::new());
        while !framing.is_whole() {
            let mut now = 0;
            while !framing.is_whole() && !framing.renew_spent_budget() {
                let passed = framing.prepare_to_pass(&mut rest);
                assert!(passed > 0, "{} left", rest.len());
                rest.drain(..passed);
                now += passed;
            }
            polls.push(now);
        }
        assert!(rest.is_empty());
        polls
    }

    #[test]
    fn of_a_large_body_a_little_is_passed_on_in_each_poll() {
        let head = "POST / HTTP/1.1\r\nContent-Length: 100000\r\n\r\n";
        let polls = polls(&format!("{head}{}", "x".repeat(100_000)));
        assert!(polls.iter().all(|poll| *poll <= POLL_BUDGET + head.len()));
        assert_eq!(polls.len(), 100_000_usize.div_ceil(POLL_BUDGET));
    }

    #[test]
    fn of_tiny_chunks_few_are_passed_on_in_each_poll_and_of_large_ones_as_much_as_of_any_body() {
        let head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
        let tiny = "1\r\n \r\n".repeat(10_000);
        for poll in polls(&format!("{head}{tiny}0\r\n\r\n")) {
            assert!(poll <= POLL_BUDGET / CHUNK_COST * 6 + head.len(), "{poll}");
        }
        let large = format!("{head}1f00\r\n{}\r\n0\r\n\r\n", "x".repeat(0x1f00));
        assert_eq!(polls(&large), [large.len()]);
    }

    #[test]
    fn a_head_is_passed_on_as_a_whole() {
        let mut framing = Framing::default();
        let mut bytes = b"GET / HTTP/1.1\r\nHost: x\r\n\r".to_vec();
        assert_eq!(framing.prepare_to_pass(&mut bytes), 0);
        assert!(framing.is_in_head());
        assert_eq!(framing.take_empty_lines(), 0, "the head has begun");
        bytes.push(b'\n');
        assert_eq!(framing.prepare_to_pass(&mut bytes), bytes.len());
    }

    #[test]
    fn empty_lines_before_a_head_are_not_kept() {
        let mut framing = Framing::default();
        assert_eq!(framing.take_empty_lines(), 0);
        let mut bytes = b"\r\n\r\n\r".to_vec();
        assert_eq!(framing.prepare_to_pass(&mut bytes), 0);
        assert_eq!(framing.take_empty_lines(), 4);
        let mut bytes = b"\r\nGET / HTTP/1.1\r\n".to_vec();
        assert_eq!(framing.prepare_to_pass(&mut bytes), 0);
        assert_eq!(framing.take_empty_lines(), 0);
        bytes.extend(b"\r\n");
        assert_eq!(framing.prepare_to_pass(&mut bytes), bytes.len());
        assert_eq!(framing.take_empty_lines(), 0);
    }

    #[test]
    fn a_bare_line_feed_becomes_what_is_refused() {
        for head in [
            "\nGET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\nHost: x\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: x\n\n",
            "GET / HTTP/1.1\r\nHost: x\r\n\n",
        ] {
            let mut bytes = head.as_bytes().to_vec();
            assert_eq!(
                Framing::default().prepare_to_pass(&mut bytes),
                bytes.len(),
                "{head:?}"
            );
            assert!(bytes.contains(&REFUSED), "{head:?}");
        }
    }

    #[test]
    fn an_offer_to_upgrade_is_hidden() {
        for (value, expected) in [
            ("Upgrade, HTTP2-Settings", "xonnection"),
            ("keep-alive,upgrade", "xonnection"),
            ("close, Upgrade", "Connection"),
            ("keep-alive", "Connection"),
        ] {
            let mut bytes = format!("GET / HTTP/1.1\r\nConnection: {value}\r\n\r\n").into_bytes();
            let mut framing = Framing::default();
            assert_eq!(framing.prepare_to_pass(&mut bytes), bytes.len());
            let shown = String::from_utf8(bytes).unwrap();
            assert!(
                shown.contains(&format!("\r\n{expected}: {value}\r\n")),
                "{shown}"
            );
        }
    }

    #[test]
    fn an_expectation_is_hidden_and_kept() {
        let head = |version: &str| {
            format!("POST / {version}\r\nContent-Length: 1\r\nEXPECT: 100-Continue\r\n\r\n")
        };
        let mut framing = Framing::default();
        let mut bytes = head("HTTP/1.1").into_bytes();
        assert_eq!(framing.prepare_to_pass(&mut bytes), bytes.len());
        let shown = String::from_utf8(bytes).unwrap();
        assert!(shown.contains("\r\nxXPECT: 100-Continue\r\n"), "{shown}");
        assert!(framing.take_continue());
        assert!(!framing.take_continue(), "it is answered once");
        let mut framing = Framing::default();
        framing.prepare_to_pass(&mut head("HTTP/1.0").into_bytes());
        assert!(!framing.take_continue());
        let mut framing = Framing::default();
        framing.prepare_to_pass(&mut (head("HTTP/1.1") + "x").into_bytes());
        assert!(!framing.take_continue(), "the body has come without it");
        for length in ["", "Content-Length: 0\r\n"] {
            let head = format!("POST / HTTP/1.1\r\nExpect: 100-continue\r\n{length}\r\n");
            let mut framing = Framing::default();
            framing.prepare_to_pass(&mut head.into_bytes());
            assert!(!framing.take_continue(), "there is no body to wait for");
        }
    }
}

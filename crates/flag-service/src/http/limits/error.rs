//! Requests that exceed a limit.

use flag_api::Code;

/// Which limit a request exceeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LimitError {
    /// Its body is too large.
    PayloadTooLarge {
        /// The size in bytes, if a header contains it.
        found: Option<u64>,
        /// The limit in bytes.
        max: u64,
    },
    /// Its path and query are too long.
    UriTooLong(Size),
    /// Its headers are too large.
    HeadersTooLarge(Size),
    /// Too many requests wait already, callers hold too much memory, or there are too many connections.
    Overloaded,
    /// The queue of exposures had no room in time, and no answer is given without its exposure.
    ExposuresWait,
    /// No further event stream can be opened.
    TooManyStreams,
}

/// The size of a part of a request and its limit, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    /// The size.
    pub(crate) found: u64,
    /// The limit.
    pub(crate) max: u64,
}

impl LimitError {
    /// Returns its code.
    pub(crate) fn code(self) -> Code {
        match self {
            Self::PayloadTooLarge { .. } => Code::PayloadTooLarge,
            Self::UriTooLong(_) => Code::UriTooLong,
            Self::HeadersTooLarge(_) => Code::HeadersTooLarge,
            Self::Overloaded | Self::ExposuresWait | Self::TooManyStreams => Code::Overloaded,
        }
    }

    /// Describes it to the caller.
    pub(crate) fn detail(self) -> String {
        match self {
            Self::PayloadTooLarge {
                found: Some(found),
                max,
            } => Size { found, max }.detail("body"),
            Self::PayloadTooLarge { found: None, max } => {
                format!("body: expected at most {max} bytes")
            }
            Self::UriTooLong(size) => size.detail("path and query"),
            Self::HeadersTooLarge(size) => size.detail("headers"),
            Self::ExposuresWait => {
                "the exposure log is behind, and no answer is given without its exposure: ask again later".to_owned()
            }
            Self::TooManyStreams => "no further event stream can be opened: ask again later".to_owned(),
            Self::Overloaded => "there are too many requests or connections: ask again later".to_owned(),
        }
    }
}

impl Size {
    fn detail(self, what: &str) -> String {
        let Self { found, max } = self;
        format!("{what}: found {found} bytes, expected at most {max}")
    }
}

//! What a client knows of itself, for the health page of an application.

use std::time::Duration;

use crate::failure::Failure;

/// The state of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// The event stream.
    pub stream: StreamState,
    /// The state of the project's flags that the cache corresponds to, as the service names it. To be compared, never
    /// ordered: replicas with equal flags have equal digests.
    pub digest: Option<String>,
    /// How long ago anything arrived on the stream, such as a heartbeat.
    pub since_last_received: Option<Duration>,
    /// How many values are cached, expired ones included.
    pub entries: usize,
}

/// The state of an event stream.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamState {
    /// The client opens none: it was built without, is misconfigured, or has fixed values.
    Off,
    /// None was needed yet: the first call that the cache cannot answer opens it, `on_change`, or the first call in a forked child.
    Idle,
    /// It is being opened.
    Connecting,
    /// Changes are announced.
    Open,
    /// There is none, for this reason. It is opened again later, unless the client is closed.
    Closed(Failure),
}

//! Settings of log lines and traces.

use opentelemetry_sdk::trace::Sampler;

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// Text on a terminal, else JSON.
    Auto,
    /// A JSON object per line.
    Json,
    /// Text for people.
    Text,
}

/// Settings of telemetry.
#[derive(Clone, Debug)]
pub(crate) struct TelemetrySettings {
    /// The destination of traces; `None` for no traces.
    pub(crate) traces: Option<TraceSettings>,
    /// The Google Cloud project that log lines name with a trace, so that the two are shown together.
    pub(crate) project: Option<String>,
}

/// Settings of traces.
#[derive(Clone, Debug)]
pub(crate) struct TraceSettings {
    /// The collector.
    pub(crate) endpoint: String,
    /// Its protocol.
    pub(crate) protocol: Protocol,
    /// Which requests are traced.
    pub(crate) sampler: Sampler,
    /// The name of the service.
    pub(crate) service: String,
}

/// The protocol of a collector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// OTLP over gRPC.
    Grpc,
    /// OTLP over HTTP, as protobuf.
    HttpProtobuf,
}

//! What the service says of itself besides its metrics: log lines and traces.
//!
//! There is no log line per request. A request that fails by our fault has one, at most one a second of each code.
//! Traces go to a collector if one was named; without one they cost a request a branch. Neither a log line nor a trace
//! ever holds an instance id.
mod collector;
mod failures;
mod json;
mod log_writer;
mod logging;
mod panics;
mod spans;
mod trace;

use std::time::Duration;

use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider};
use prometheus_client::registry::Registry;
use tracing::warn;

use self::failures::Failures;
pub(crate) use self::log_writer::LogWriter;
pub(crate) use self::logging::start as start_logging;
use self::spans::SpanMetrics;
pub(crate) use self::trace::Trace;

/// What telemetry was told.
#[derive(Clone, Debug)]
pub(crate) struct TelemetrySettings {
    /// Where traces go; `None` for no traces.
    pub(crate) traces: Option<TraceSettings>,
    /// The Google Cloud project that log lines name with a trace, so that the two are shown together.
    pub(crate) project: Option<String>,
}

/// Where traces go, and which.
#[derive(Clone, Debug)]
pub(crate) struct TraceSettings {
    /// The collector.
    pub(crate) endpoint: String,
    /// How it is spoken to.
    pub(crate) protocol: Protocol,
    /// Which requests are traced.
    pub(crate) sampler: Sampler,
    /// What the service is called.
    pub(crate) service: String,
}

/// How a collector is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// OTLP over gRPC.
    Grpc,
    /// OTLP over HTTP, as protobuf.
    HttpProtobuf,
}

/// What the service says of itself.
#[derive(Debug)]
pub(crate) struct Telemetry {
    traces: Option<Traces>,
    failures: Failures,
}

/// What makes spans, and what sends them.
#[derive(Debug)]
struct Traces {
    tracer: SdkTracer,
    provider: SdkTracerProvider,
}

impl Telemetry {
    /// Begins to send traces, if they are wanted; on the runtime that this is called on.
    pub(crate) fn start(
        settings: &TelemetrySettings,
        registry: &mut Registry,
    ) -> anyhow::Result<Self> {
        let traces = match &settings.traces {
            Some(settings) => Some(spans::start(settings, SpanMetrics::register(registry))?),
            None => None,
        };
        Ok(Self {
            traces,
            failures: Failures::default(),
        })
    }

    /// Telemetry that nobody receives.
    #[cfg(test)]
    pub(crate) fn off() -> Self {
        Self {
            traces: None,
            failures: Failures::default(),
        }
    }

    /// Sends what is left of the traces, and gives up after `deadline`. Blocks its thread.
    pub(crate) fn shutdown(&self, deadline: Duration) {
        let Some(traces) = &self.traces else { return };
        if let Err(error) = traces.provider.shutdown_with_timeout(deadline) {
            warn!(problem = %error, "the last traces were not sent");
        }
    }
}

//! Log lines, traces and metrics.
//!
//! Knows no routes, handlers or errors of requests. Traces go to a collector if one is configured; otherwise they cost a
//! request a branch. No log line or trace contains an instance id.
mod collector;
mod json;
mod log_writer;
mod logging;
pub(crate) mod metrics;
mod panics;
mod request_span;
mod settings;
mod spans;

use std::time::Duration;

use prometheus_client::registry::Registry;
use tracing::warn;

pub(crate) use self::log_writer::LogWriter;
pub(crate) use self::logging::start as start_logging;
pub(crate) use self::request_span::RequestSpan;
pub(crate) use self::settings::{LogFormat, Protocol, TelemetrySettings, TraceSettings};
use self::spans::{SpanMetrics, Traces};

/// Creates traces, if a collector is configured.
#[derive(Debug)]
pub(crate) struct Telemetry {
    traces: Option<Traces>,
}

impl Telemetry {
    /// Starts to send traces, if configured, on the current runtime.
    pub(crate) fn start(
        settings: &TelemetrySettings,
        registry: &mut Registry,
    ) -> anyhow::Result<Self> {
        let traces = match &settings.traces {
            Some(settings) => Some(spans::start(settings, SpanMetrics::register(registry))?),
            None => None,
        };
        Ok(Self { traces })
    }

    /// Telemetry without traces.
    #[cfg(test)]
    pub(crate) fn off() -> Self {
        Self { traces: None }
    }

    /// Sends the remaining traces; gives up after `timeout`. Blocks the thread.
    pub(crate) fn shutdown(&self, timeout: Duration) {
        let Some(traces) = &self.traces else { return };
        if let Err(error) = traces.provider.shutdown_with_timeout(timeout) {
            warn!(problem = %error, "the last traces were not sent");
        }
    }
}

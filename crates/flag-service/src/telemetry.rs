//! Log lines, traces and metrics.
//!
//! There is no log line per request. A fault of the service is logged, at most once a second per code. Traces go to a
//! collector if one is configured; else they cost a request a branch. No log line or trace ever contains an instance id.
mod collector;
mod failures;
mod json;
mod log_writer;
mod logging;
pub(crate) mod metrics;
mod panics;
mod settings;
mod spans;
mod trace;

use std::time::Duration;

use prometheus_client::registry::Registry;
use tracing::warn;

pub(crate) use self::failures::FailedRequest;
use self::failures::Failures;
pub(crate) use self::log_writer::LogWriter;
pub(crate) use self::logging::start as start_logging;
pub(crate) use self::settings::{Protocol, TelemetrySettings, TraceSettings};
use self::spans::{SpanMetrics, Traces};
pub(crate) use self::trace::Trace;

/// Log lines of failures, and traces.
#[derive(Debug)]
pub(crate) struct Telemetry {
    traces: Option<Traces>,
    failures: Failures,
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
        Ok(Self {
            traces,
            failures: Failures::default(),
        })
    }

    /// Telemetry without traces.
    #[cfg(test)]
    pub(crate) fn off() -> Self {
        Self {
            traces: None,
            failures: Failures::default(),
        }
    }

    /// Sends the remaining traces; gives up after `deadline`. Blocks the thread.
    pub(crate) fn shutdown(&self, deadline: Duration) {
        let Some(traces) = &self.traces else { return };
        if let Err(error) = traces.provider.shutdown_with_timeout(deadline) {
            warn!(problem = %error, "the last traces were not sent");
        }
    }
}

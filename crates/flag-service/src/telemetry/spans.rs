//! Creates spans and sends them in batches from a thread of their own.
//!
//! Finished spans wait in a bounded queue, and are lost if it is full: a slow or missing collector costs spans, never a
//! request.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::SpanExporter as OtlpExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider, SpanData, SpanExporter};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use tracing::{info, warn};

use super::collector;
use super::metrics::VERSION;
use super::settings::TraceSettings;

/// The instrumentation scope.
const SCOPE: &str = "flag-service";

/// The tracer and its exporter.
#[derive(Debug)]
pub(super) struct Traces {
    pub(super) tracer: SdkTracer,
    pub(super) provider: SdkTracerProvider,
}

/// Metrics of sent and failed spans.
#[derive(Clone, Debug)]
pub(super) struct SpanMetrics {
    sent: Counter,
    failed: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    outcome: &'static str,
}

impl SpanMetrics {
    /// Registers the metrics.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let spans = Family::<Labels, Counter>::default();
        registry.register(
            "spans",
            "Spans by outcome: sent to the collector, or failed",
            spans.clone(),
        );
        let of = |outcome| spans.get_or_create_owned(&Labels { outcome });
        Self {
            sent: of("sent"),
            failed: of("failed"),
        }
    }
}

/// Starts to send spans, on the current runtime.
pub(super) fn start(settings: &TraceSettings, metrics: SpanMetrics) -> anyhow::Result<Traces> {
    let exporter = Counting {
        exporter: collector::exporter(settings)?,
        metrics,
        is_failing: AtomicBool::new(false),
    };
    let resource = Resource::builder()
        .with_service_name(settings.service.clone())
        .with_attribute(KeyValue::new("service.version", VERSION));
    let provider = SdkTracerProvider::builder()
        .with_sampler(settings.sampler.clone())
        .with_resource(resource.build())
        .with_batch_exporter(exporter)
        .build();
    Ok(Traces {
        tracer: provider.tracer(SCOPE),
        provider,
    })
}

/// Sends and counts spans, and logs when the collector fails and recovers.
#[derive(Debug)]
struct Counting {
    exporter: OtlpExporter,
    metrics: SpanMetrics,
    is_failing: AtomicBool,
}

impl SpanExporter for Counting {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        let sent = self.exporter.export(batch).await;
        let was_failing = self.is_failing.swap(sent.is_err(), Ordering::Relaxed);
        match &sent {
            Ok(()) => {
                self.metrics.sent.inc_by(spans);
                if was_failing {
                    info!("the collector accepts traces again");
                }
            }
            Err(error) => {
                self.metrics.failed.inc_by(spans);
                if !was_failing {
                    warn!(problem = %error, "the collector does not accept traces");
                }
            }
        }
        sent
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

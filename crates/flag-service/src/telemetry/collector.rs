//! The OTLP collector that receives spans.

use std::pin::Pin;
use std::time::Duration;

use anyhow::Context as _;
use http_body_util::{BodyExt as _, Full, Limited};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::settings::{Protocol, TraceSettings};
use crate::outbound;

/// How long the collector may take, retries included.
const DEADLINE: Duration = Duration::from_secs(3);

/// The longest response that is read.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// The path of traces below the endpoint, over HTTP.
const PATH: &str = "/v1/traces";

/// Creates the exporter, which connects when it sends the first spans.
pub(super) fn exporter(settings: &TraceSettings) -> anyhow::Result<SpanExporter> {
    let endpoint = settings.endpoint.trim_end_matches('/');
    let exporter = match settings.protocol {
        Protocol::Grpc => SpanExporter::builder()
            .with_tonic()
            .with_endpoint(endpoint)
            .with_timeout(DEADLINE)
            .build(),
        Protocol::HttpProtobuf => SpanExporter::builder()
            .with_http()
            .with_http_client(HttpCollector::new(endpoint)?)
            .with_protocol(opentelemetry_otlp::Protocol::HttpBinary)
            .with_endpoint(format!("{endpoint}{PATH}"))
            .with_timeout(DEADLINE)
            .build(),
    };
    // Not the endpoint itself, which may hold a password.
    exporter.context("cannot send traces to the address in OTEL_EXPORTER_OTLP_ENDPOINT")
}

/// Sends requests from the runtime of the service, as the exporting thread has none.
#[derive(Debug)]
struct HttpCollector {
    client: outbound::HttpClient,
    runtime: Handle,
}

impl HttpCollector {
    fn new(endpoint: &str) -> anyhow::Result<Self> {
        Ok(Self {
            client: outbound::http_client(endpoint)?,
            runtime: Handle::current(),
        })
    }
}

impl HttpClient for HttpCollector {
    fn send_bytes<'a, 'b>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        let sent = self.client.request(request.map(Full::new));
        let answered = async move {
            let (parts, body) = sent.await?.into_parts();
            let body = Limited::new(body, MAX_ANSWER_BYTES).collect().await?;
            Ok(Response::from_parts(parts, body.to_bytes()))
        };
        let answered = self
            .runtime
            .spawn(async { timeout(DEADLINE, answered).await });
        Box::pin(async move { answered.await?? })
    }
}

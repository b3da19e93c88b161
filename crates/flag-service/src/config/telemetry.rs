//! The settings of traces, with the names of OpenTelemetry.

use flag_settings::{Reader, Setting, StoreSettings, table};
use opentelemetry_sdk::trace::Sampler;

use crate::telemetry::{Protocol, TelemetrySettings, TraceSettings};

/// The settings read here.
pub(super) const SETTINGS: &[Setting] = &[
    table::OTLP_ENDPOINT,
    table::OTLP_PROTOCOL,
    table::SERVICE_NAME,
    table::TRACES_SAMPLER,
    table::TRACES_SAMPLER_ARG,
];

/// Reads them. Log lines name the project of the store, if that has one.
pub(super) fn read(
    reader: &mut Reader,
    store: Option<&StoreSettings>,
) -> Option<TelemetrySettings> {
    let endpoint = reader.parse(&table::OTLP_ENDPOINT, endpoint);
    let protocol = reader.parse(&table::OTLP_PROTOCOL, |text| match text {
        "http/protobuf" => Some(Protocol::HttpProtobuf),
        "grpc" => Some(Protocol::Grpc),
        _ => None,
    });
    let service = reader.text(&table::SERVICE_NAME);
    let ratio = reader.fraction(&table::TRACES_SAMPLER_ARG);
    let sampler = reader.parse(&table::TRACES_SAMPLER, |text| {
        sampler(text, ratio.unwrap_or(1.0))
    });
    let (endpoint, protocol) = (endpoint?, protocol?);
    let (service, sampler, _) = (service?, sampler?, ratio?);
    let project = store.and_then(|store| match store {
        StoreSettings::Bigtable(store) => Some(store.project.clone()),
        StoreSettings::Embedded(_) => None,
    });
    let traces = endpoint.map(|endpoint| TraceSettings {
        endpoint,
        protocol,
        sampler,
        service,
    });
    Some(TelemetrySettings { traces, project })
}

/// Reads an endpoint; empty for none.
#[expect(clippy::option_option, reason = "an error is not the same as none")]
fn endpoint(text: &str) -> Option<Option<String>> {
    if text.is_empty() {
        return Some(None);
    }
    let uri: actix_web::http::Uri = text.parse().ok()?;
    let is_http = matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some();
    is_http.then(|| Some(text.to_owned()))
}

fn sampler(text: &str, ratio: f64) -> Option<Sampler> {
    let of = |name| match name {
        "always_on" => Some(Sampler::AlwaysOn),
        "always_off" => Some(Sampler::AlwaysOff),
        "traceidratio" => Some(Sampler::TraceIdRatioBased(ratio)),
        _ => None,
    };
    match text.strip_prefix("parentbased_") {
        Some(root) => of(root).map(|root| Sampler::ParentBased(Box::new(root))),
        None => of(text),
    }
}

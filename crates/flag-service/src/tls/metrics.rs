//! Metrics of TLS.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::identity::TlsIdentity;

/// The certificate in use, and handshakes that failed.
#[derive(Clone, Debug)]
pub(super) struct TlsMetrics {
    expires: Gauge,
    is_current: Gauge,
    /// Handshakes that took too long.
    pub(super) slow: Counter,
    /// Handshakes that broke off for another reason.
    pub(super) invalid: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HandshakeLabels {
    reason: &'static str,
}

impl TlsMetrics {
    /// Registers the metrics.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let expires = Gauge::default();
        registry.register(
            "tls_certificate_expiry_timestamp_seconds",
            "When the TLS certificate in use expires, in seconds since 1970",
            expires.clone(),
        );
        let is_current = Gauge::default();
        registry.register(
            "tls_files_current",
            "0 if the files of the TLS certificate and key could not be used when they were last read, so that older ones are in use; else 1",
            is_current.clone(),
        );
        let failed = Family::<HandshakeLabels, Counter>::default();
        registry.register(
            "tls_handshakes_failed",
            "TLS handshakes that failed, by reason",
            failed.clone(),
        );
        let failed = |reason| failed.get_or_create(&HandshakeLabels { reason }).clone();
        Self {
            expires,
            is_current,
            slow: failed("slow"),
            invalid: failed("invalid"),
        }
    }

    /// Notes the certificate in use.
    pub(super) fn loaded(&self, identity: &TlsIdentity) {
        self.expires.set(identity.validity.ends.timestamp());
        self.is_current.set(1);
    }

    /// Notes whether the files hold the certificate in use.
    pub(super) fn set_current(&self, is_current: bool) {
        self.is_current.set(i64::from(is_current));
    }
}

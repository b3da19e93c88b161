//! Metrics of calls to the store.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use flag_store::StoreError;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Upper bounds of the buckets of the duration histogram, in seconds.
const SECONDS: [f64; 11] = [
    0.000_1, 0.000_25, 0.001, 0.002_5, 0.01, 0.025, 0.1, 0.3, 1.0, 2.5, 10.0,
];

/// An operation of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Get,
    Scan,
    Keys,
    InsertIfAbsent,
    CompareAndSet,
    WriteMany,
    Ping,
}

/// The circuit of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CircuitKind {
    Reads,
    Writes,
}

/// Why a call was rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rejection {
    CircuitOpen,
    Crowded,
}

/// Metrics of calls and circuits.
#[derive(Debug)]
pub(super) struct StoreMetrics {
    calls: Family<Called, Counter>,
    rejected: Family<Rejected, Counter>,
    durations: Family<Lasted, Histogram>,
    in_flight: Gauge,
    circuits: Family<Circuits, Gauge<u64, AtomicU64>>,
    openings: Family<Circuits, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Called {
    operation: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Rejected {
    operation: &'static str,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Lasted {
    operation: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Circuits {
    circuit: &'static str,
}

impl StoreMetrics {
    /// Registers the metrics.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            calls: Family::default(),
            rejected: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            in_flight: Gauge::default(),
            circuits: Family::default(),
            openings: Family::default(),
        };
        registry.register(
            "store_calls",
            "Calls to the store that ended, by operation and outcome",
            metrics.calls.clone(),
        );
        registry.register(
            "store_calls_rejected",
            "Calls that were not made, as the circuit was open or too many were in flight",
            metrics.rejected.clone(),
        );
        registry.register(
            "store_call_duration_seconds",
            "How long calls to the store took, by operation",
            metrics.durations.clone(),
        );
        registry.register(
            "store_calls_in_flight",
            "Calls to the store in flight",
            metrics.in_flight.clone(),
        );
        registry.register(
            "store_circuit_open",
            "1 while calls to the store are stopped because it failed, by circuit",
            metrics.circuits.clone(),
        );
        registry.register(
            "store_circuit_openings",
            "How often calls to the store were stopped because it failed, by circuit",
            metrics.openings.clone(),
        );
        for circuit_kind in [CircuitKind::Reads, CircuitKind::Writes] {
            metrics.set_open(circuit_kind, false);
            drop(metrics.openings.get_or_create(&circuit_kind.labels()));
        }
        metrics
    }

    /// Counts a call as in flight until the result is dropped.
    pub(super) fn begin(&self) -> CallInFlight<'_> {
        self.in_flight.inc();
        CallInFlight(&self.in_flight)
    }

    pub(super) fn ended(&self, operation: Operation, outcome: &'static str, lasted: Duration) {
        let operation = operation.as_str();
        let called = Called { operation, outcome };
        self.calls.get_or_create(&called).inc();
        self.durations
            .get_or_create(&Lasted { operation })
            .observe(lasted.as_secs_f64());
    }

    pub(super) fn rejected(&self, operation: Operation, rejection: Rejection) {
        let labels = Rejected {
            operation: operation.as_str(),
            reason: rejection.as_str(),
        };
        self.rejected.get_or_create(&labels).inc();
    }

    pub(super) fn opened(&self, circuit_kind: CircuitKind) {
        self.openings.get_or_create(&circuit_kind.labels()).inc();
        self.set_open(circuit_kind, true);
    }

    pub(super) fn closed(&self, circuit_kind: CircuitKind) {
        self.set_open(circuit_kind, false);
    }

    fn set_open(&self, circuit_kind: CircuitKind, is_open: bool) {
        self.circuits
            .get_or_create(&circuit_kind.labels())
            .set(u64::from(is_open));
    }
}

/// A call in flight.
#[derive(Debug)]
pub(super) struct CallInFlight<'a>(&'a Gauge);

impl Drop for CallInFlight<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Returns the label of a result.
pub(super) fn outcome<T>(result: &Result<T, StoreError>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(StoreError::TimedOut { .. }) => "timeout",
        Err(StoreError::Unavailable { .. }) => "unavailable",
        Err(StoreError::Misconfigured { .. } | StoreError::Refused { .. }) => "refused",
        Err(_) => "broken",
    }
}

impl Operation {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Scan => "scan",
            Self::Keys => "keys",
            Self::InsertIfAbsent => "insert_if_absent",
            Self::CompareAndSet => "compare_and_set",
            Self::WriteMany => "write_batch",
            Self::Ping => "ping",
        }
    }
}

impl CircuitKind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Reads => "reads",
            Self::Writes => "writes",
        }
    }

    fn labels(self) -> Circuits {
        Circuits {
            circuit: self.as_str(),
        }
    }
}

impl Rejection {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::CircuitOpen => "circuit_open",
            Self::Crowded => "crowded",
        }
    }
}

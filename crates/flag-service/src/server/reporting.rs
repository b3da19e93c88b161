//! Reports which revisions this replica serves, from start to stop.

use std::fs::read_to_string;
use std::sync::Arc;
use std::time::Duration;

use flag_runtime::{FlagCache, ReplicaReporter};
use flag_store::{Clock as _, ExposureLog, Replica, ReplicaId, SystemClock};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::config::Config;
use crate::telemetry::metrics::{COMMIT, VERSION};

/// How long removing the reports may take at the stop; what is left counts for three minutes.
const WITHDRAW_TIMEOUT: Duration = Duration::from_millis(300);

/// Where Linux has the name of the host.
const HOST_NAME: &str = "/proc/sys/kernel/hostname";

/// The reports of this replica.
pub(super) struct Reporting {
    reporter: ReplicaReporter,
    running: JoinHandle<()>,
}

impl Reporting {
    /// Starts to report.
    pub(super) fn start(config: &Config, log: &Arc<dyn ExposureLog>, flags: &FlagCache) -> Self {
        let now = SystemClock.now();
        let replica = Replica {
            id: ReplicaId(fastrand::u128(..)),
            name: name(config),
            build: format!("{VERSION} {COMMIT}"),
            started: now,
            reported: now,
            written: None,
            polls_every: config.cache.poll,
        };
        let reporter = ReplicaReporter::new(Arc::clone(log), flags.clone(), replica);
        let running = tokio::spawn(reporter.clone().run());
        Self { reporter, running }
    }

    /// Removes what was reported.
    pub(super) async fn stop(self) {
        self.running.abort();
        let _ = self.running.await;
        let _ = timeout(WITHDRAW_TIMEOUT, self.reporter.withdraw()).await;
    }
}

/// The name of the pod or the host.
fn name(config: &Config) -> String {
    let of_system = || read_to_string(HOST_NAME).ok();
    let name = config.host_name.clone().or_else(of_system);
    let name = name.unwrap_or_default().trim().to_owned();
    if name.is_empty() {
        "unknown".to_owned()
    } else {
        name
    }
}

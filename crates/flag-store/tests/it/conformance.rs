//! The stores in memory keep the promises of the ports.

use std::sync::Arc;

use flag_store::conformance::the_ports_are_apart;
use flag_store::memory::{MemoryLog, MemoryStore};

async fn fresh_store() -> MemoryStore {
    MemoryStore::default()
}

async fn fresh_log() -> MemoryLog {
    MemoryLog::default()
}

mod rows {
    use super::fresh_store;

    flag_store::row_store_tests!(fresh_store);
}

mod exposure_log {
    use super::fresh_log;

    flag_store::exposure_log_tests!(fresh_log);
}

#[tokio::test]
async fn the_log_is_apart_from_the_flags() {
    the_ports_are_apart(Arc::new(fresh_store().await), Arc::new(fresh_log().await)).await;
}

//! The store in memory keeps the promises of the port.

use flag_store::memory::MemoryStore;

async fn fresh_store() -> MemoryStore {
    MemoryStore::default()
}

flag_store::conformance_tests!(fresh_store);

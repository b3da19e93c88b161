//! The suites that every backend runs, on files of its own per check.

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::Arc;

use flag_store::conformance::the_ports_are_apart;
use flag_store_embedded::{EmbeddedLog, EmbeddedStore};
use tempfile::TempDir;

thread_local! {
    /// The directories of this thread's checks; removed when it ends.
    static DIRECTORIES: RefCell<Vec<TempDir>> = const { RefCell::new(Vec::new()) };
}

fn directory() -> PathBuf {
    let directory = TempDir::new().unwrap();
    let path = directory.path().to_owned();
    DIRECTORIES.with_borrow_mut(|directories| directories.push(directory));
    path
}

mod rows {
    use super::{EmbeddedStore, directory};

    async fn fresh_store() -> EmbeddedStore {
        EmbeddedStore::open(&directory()).unwrap()
    }

    flag_store::row_store_tests!(fresh_store);
}

mod exposure_log {
    use super::{EmbeddedLog, directory};

    async fn fresh_log() -> EmbeddedLog {
        EmbeddedLog::open(&directory()).unwrap()
    }

    flag_store::exposure_log_tests!(fresh_log);
}

#[tokio::test]
async fn the_log_is_apart_from_the_flags() {
    let directory = directory();
    let store = EmbeddedStore::open(&directory).unwrap();
    let log = EmbeddedLog::open(&directory).unwrap();
    the_ports_are_apart(Arc::new(store), Arc::new(log)).await;
}

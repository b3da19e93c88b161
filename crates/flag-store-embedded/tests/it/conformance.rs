//! The suite that every store runs, on files of its own per check.

use std::cell::RefCell;

use flag_store::RowStore;
use flag_store_embedded::EmbeddedStore;
use tempfile::TempDir;

thread_local! {
    /// The directories of this thread's checks; removed when it ends.
    static DIRECTORIES: RefCell<Vec<TempDir>> = const { RefCell::new(Vec::new()) };
}

async fn fresh_store() -> impl RowStore {
    let directory = TempDir::new().unwrap();
    let store = EmbeddedStore::open(directory.path()).unwrap();
    DIRECTORIES.with_borrow_mut(|directories| directories.push(directory));
    store
}

flag_store::conformance_tests!(fresh_store);

//! A port that is opened later.

use std::sync::{Arc, OnceLock};

use flag_store::StoreError;

/// Why the port is unavailable.
pub(super) const NOT_YET: &str = "it is not open yet";

/// A port, [`RowStore`](flag_store::RowStore) or [`ExposureLog`](flag_store::ExposureLog), that is unavailable until it is opened.
#[derive(Debug)]
pub struct DeferredStore<T: ?Sized>(OnceLock<Arc<T>>);

impl<T: ?Sized> Default for DeferredStore<T> {
    fn default() -> Self {
        Self(OnceLock::new())
    }
}

impl<T: ?Sized> From<Arc<T>> for DeferredStore<T> {
    fn from(opened: Arc<T>) -> Self {
        Self(opened.into())
    }
}

impl<T: ?Sized> DeferredStore<T> {
    /// Makes the port available.
    pub fn open(&self, opened: Arc<T>) {
        // A second call changes nothing.
        let _ = self.0.set(opened);
    }

    /// Returns the port, or why there is none yet.
    pub(super) fn opened(&self) -> Result<&T, StoreError> {
        let opened = self.0.get().map(|opened| &**opened);
        opened.ok_or_else(|| StoreError::Unavailable {
            source: NOT_YET.into(),
        })
    }
}

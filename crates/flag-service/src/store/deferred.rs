//! A store, or an exposure log, that is still to be opened.

use std::sync::{Arc, OnceLock};

use flag_store::StoreError;

/// Why it is unavailable.
pub(super) const NOT_YET: &str = "it could not be opened yet";

/// Unavailable until it is opened.
#[derive(Debug)]
pub(crate) struct Deferred<T: ?Sized>(OnceLock<Arc<T>>);

impl<T: ?Sized> Default for Deferred<T> {
    fn default() -> Self {
        Self(OnceLock::new())
    }
}

impl<T: ?Sized> From<Arc<T>> for Deferred<T> {
    fn from(opened: Arc<T>) -> Self {
        Self(opened.into())
    }
}

impl<T: ?Sized> Deferred<T> {
    /// From now on this is it.
    pub(super) fn open(&self, opened: Arc<T>) {
        // It is opened once.
        let _ = self.0.set(opened);
    }

    /// What was opened.
    pub(super) fn opened(&self) -> Result<&T, StoreError> {
        let opened = self.0.get().map(|opened| &**opened);
        opened.ok_or_else(|| StoreError::Unavailable {
            source: NOT_YET.into(),
        })
    }
}

//! What the store returns, with unreadable rows apart from a store that failed.

use flag_model::{FlagKey, Revision, Timestamp};
use flag_store::{FlagStore, ReadError, UnreadableRow};

use crate::dashboard::error::PageError;

/// A revision as it is stored.
pub(super) type StoredRevision = Result<Revision, UnreadableRow>;

/// Keeps an unreadable row apart from a store that failed.
pub(super) fn readable<T>(
    read: Result<Option<T>, ReadError>,
) -> Result<Option<Result<T, UnreadableRow>>, PageError> {
    match read {
        Ok(found) => Ok(found.map(Ok)),
        Err(ReadError::Unreadable(row)) => Ok(Some(Err(row))),
        Err(ReadError::Store(error)) => Err(error.into()),
        Err(_) => Err(PageError::Internal),
    }
}

/// The revision that was made at this very time.
pub(super) async fn revision_of(
    store: &FlagStore,
    flag: &FlagKey,
    created: Timestamp,
) -> Result<Revision, PageError> {
    match readable(store.revision_at(flag, created).await)? {
        Some(Err(problem)) => Err(PageError::Invalid(problem.to_string())),
        Some(Ok(revision)) if revision.created() == created => Ok(revision),
        _ => Err(no_revision(flag, created)),
    }
}

/// There is no revision that was made at this very time.
pub(super) fn no_revision(flag: &FlagKey, created: Timestamp) -> PageError {
    PageError::NotFound(format!("revision of {flag} made at {created}"))
}

//! What the store returns, with unreadable rows apart from a store that failed.

use flag_model::Revision;
use flag_store::{ReadError, UnreadableRow};

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

//! Rows too far ahead of the clock, which come into force by themselves later.

use flag_model::{FlagKey, Timestamp};

use crate::flags::FlagStore;
use crate::newest::created;
use crate::row_key::{RowType, flag_prefix};
use crate::rows::Scan;
use crate::store_error::StoreError;

/// A row that is not in force yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowAhead {
    /// The time in its key.
    pub created: Timestamp,
    /// When it comes into force, whatever is appended until then.
    pub effective_from: Timestamp,
}

impl FlagStore {
    /// The first revision of a flag that is not in force yet; one scan of keys.
    pub async fn revision_ahead(&self, flag: &FlagKey) -> Result<Option<RowAhead>, StoreError> {
        let prefix = flag_prefix(RowType::Revision, flag);
        let latest_time_in_force = self.latest_time_in_force();
        let scan = Scan {
            start: format!("{prefix}{latest_time_in_force}\0").into(),
            ..Scan::prefix(prefix.as_str())
        };
        let is_ahead =
            |key: &[u8]| created(&prefix, key).filter(|created| *created > latest_time_in_force);
        let found = self.first_key(scan, is_ahead).await?;
        Ok(found.map(|(_, created)| self.row_ahead(created)))
    }

    fn row_ahead(&self, created: Timestamp) -> RowAhead {
        RowAhead {
            created,
            effective_from: created.saturating_sub(self.options.max_future),
        }
    }
}

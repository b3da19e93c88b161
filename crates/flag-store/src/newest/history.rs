//! The newest rows of a flag, ordered by time, whatever the spelling of the time.

use flag_model::{FlagKey, Timestamp};

use super::{ROWS_PER_SCAN, created, second_of_z, time_of};
use crate::flags::FlagStore;
use crate::row_key::{RowType, flag_prefix};
use crate::rows::{Row, Scan};
use crate::store_error::StoreError;

impl FlagStore {
    /// At most `limit` rows with a valid time that is not ahead, the newest first; the last `limit` rows if there are none.
    pub(crate) async fn rows_newest_first(
        &self,
        row_type: RowType,
        flag: &FlagKey,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let prefix = flag_prefix(row_type, flag);
        let all = Scan::prefix(prefix.as_str()).descending().limit(limit);
        let latest_time_in_force = self.latest_time_in_force();
        let mut scan = Scan {
            end: Some(format!("{prefix}{}", end_of_day(latest_time_in_force)).into()),
            ..all.clone()
        };
        let mut rows: Vec<(Timestamp, Row)> = Vec::new();
        let (nth, mut below) = (limit.saturating_sub(1), None);
        // Later rows may come below, where times are spelled otherwise.
        while rows.get(nth).is_none_or(|(nth, _)| below > Some(*nth)) {
            let page = self.rows.scan(scan.clone()).await?;
            let is_last = Some(page.len()) < scan.limit.max(Some(1));
            scan.end = page.last().map(|row| row.key.clone());
            scan.limit = scan.limit.max(Some(ROWS_PER_SCAN));
            let with_valid_time = page
                .into_iter()
                .filter_map(|row| Some((created(&prefix, &row.key)?, row)));
            for (created, row) in with_valid_time {
                below = latest_below(&prefix, &row.key);
                if created <= latest_time_in_force {
                    rows.push((created, row));
                }
            }
            rows.sort_by_key(|(created, _)| std::cmp::Reverse(*created));
            if is_last {
                break;
            }
        }
        if rows.is_empty() {
            return self.rows.scan(all).await;
        }
        rows.truncate(limit);
        Ok(rows.into_iter().map(|(_, row)| row).collect())
    }
}

/// The latest time that a key below this one may have.
fn latest_below(prefix: &str, key: &[u8]) -> Option<Timestamp> {
    let time = time_of(prefix, key)?;
    let latest = match (time.split_once('T'), second_of_z(time)) {
        (Some((day, _)), _) => format!("{day} 23:59:59.999999"),
        (None, Some(second)) => format!("{second}.999999"),
        (None, None) => time.to_owned(),
    };
    Timestamp::parse(&latest).ok()
}

/// The end of all keys with a time of this day, in any spelling.
fn end_of_day(time: Timestamp) -> String {
    let time = time.to_string();
    let day = time.split(' ').next().unwrap_or_default();
    format!("{day}U")
}

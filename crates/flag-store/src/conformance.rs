//! The suites that every backend passes, against the real thing: one for each port.
//!
//! ```ignore
//! flag_store::row_store_tests!(fresh_store); // async fn fresh_store() -> impl RowStore, empty
//! flag_store::exposure_log_tests!(fresh_log); // async fn fresh_log() -> impl ExposureLog, empty
//! ```
//!
//! [`the_ports_are_apart`] takes both of one backend.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "suites of tests, whose names are the documentation"
)]

pub mod exposure_counts;
pub mod exposure_log;
pub mod reports;
pub mod rows;

use std::sync::Arc;

use flag_model::{InstanceId, ProjectName};
use tokio::task::JoinSet;

use crate::exposure_log::{ExposureLog, ExposureScope, TimeRange};
use crate::exposures::ExposureRecord;
use crate::rows::{Cells, Columns, CompareAndSet, Expected, Insert, Row, RowStore, Scan};

/// The store under test, shared by the tasks of a check.
pub type Store = Arc<dyn RowStore>;

/// Makes a `#[tokio::test]` of every check of a `RowStore`, each with a store of its own.
#[macro_export]
macro_rules! row_store_tests {
    ($fresh_store:path) => {
        $crate::conformance_checks! { rows, $fresh_store;
            a_missing_row_is_none,
            an_inserted_row_comes_back_byte_for_byte,
            a_large_row_comes_back_whole,
            a_second_insert_changes_nothing,
            of_many_inserts_of_one_key_exactly_one_wins,
            only_the_columns_asked_for_come_back,
            a_scan_is_ordered_by_bytes,
            a_scan_ends_before_its_end,
            a_prefix_does_not_reach_a_longer_name,
            a_descending_scan_with_limit_one_is_the_newest,
            a_limit_cuts_a_scan,
            a_scan_of_many_rows_is_complete,
            keys_are_those_of_the_rows,
            compare_and_set_creates_what_was_expected_absent,
            compare_and_set_replaces_what_was_as_expected,
            compare_and_set_leaves_what_differs,
            compare_and_set_compares_bytes_exactly,
            increments_from_many_tasks_are_all_counted,
            a_changed_revision_breaks_its_links_and_nothing_else_does,
            a_ping_is_answered,
        }
    };
}

/// Makes a `#[tokio::test]` of every check of an `ExposureLog`, each with a log of its own.
#[macro_export]
macro_rules! exposure_log_tests {
    ($fresh_log:path) => {
        $crate::conformance_checks! { exposure_log, $fresh_log;
            appended_exposures_are_read_back,
            appending_again_changes_nothing,
            an_append_of_nothing_is_nothing,
            what_cannot_be_logged_fails_alone,
            a_large_batch_is_written_whole,
            a_record_is_inserted_once_and_never_changes,
            what_was_appended_cannot_be_replaced,
            a_record_of_somebody_else_comes_back_byte_for_byte,
            pages_follow_each_other_without_a_gap,
            pages_of_a_time_have_what_was_served_then,
            batches_have_what_pages_have,
            a_scope_reaches_nobody_else,
            the_newest_come_first,
            the_newest_of_a_group_are_of_that_group,
            what_is_logged_is_followed_once,
            an_instance_is_found_in_every_flag_and_deleted,
            the_log_is_pinged,
        }
        $crate::conformance_checks! { exposure_counts, $fresh_log;
            counts_of_replicas_are_added_up,
            counts_written_again_replace_those_of_their_minute,
            counts_are_read_by_flag_and_minute,
            the_latest_minute_of_each_flag_is_found,
            counts_are_no_exposures,
        }
        $crate::conformance_checks! { reports, $fresh_log;
            a_report_replaces_that_with_its_key,
            reports_are_read_by_key_and_removed,
            reports_are_no_exposures,
            what_a_replica_reports_is_read_back,
        }
    };
}

/// Makes a `#[tokio::test]` of every check of an `ExposureRows`, each with a log of its own.
#[macro_export]
macro_rules! exposure_rows_tests {
    ($fresh_log:path) => {
        $crate::conformance_checks! { exposure_log, $fresh_log;
            a_batch_writes_every_row,
            a_batch_replaces_cells_and_keeps_others,
            an_empty_batch_is_nothing,
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! conformance_checks {
    ($port:ident, $fresh:path; $($check:ident),* $(,)?) => {
        $(
            #[tokio::test]
            async fn $check() {
                $crate::conformance::$port::$check(::std::sync::Arc::new($fresh().await)).await;
            }
        )*
    };
}

/// Writes rows over what is there through the port, as other tooling may have left them.
pub async fn put<S: RowStore + ?Sized>(store: &Arc<S>, rows: &[Row]) {
    let mut tasks = JoinSet::new();
    for part in rows.chunks(rows.len().div_ceil(50).max(1)) {
        let (store, part) = (Arc::clone(store), part.to_vec());
        tasks.spawn(async move {
            for row in part {
                put_one(&*store, &row).await;
            }
        });
    }
    tasks.join_all().await;
}

async fn put_one(store: &(impl RowStore + ?Sized), row: &Row) {
    if store.insert_if_absent(row).await.unwrap() == Insert::Inserted {
        return;
    }
    let there = store.get(&row.key, Columns::All).await.unwrap().unwrap();
    let column = row.cells.iter().next().unwrap().0;
    let column = str::from_utf8(column).unwrap();
    let value = there.cells.get(column);
    let expected = Expected { column, value };
    let set = store.compare_and_set(&row.key, expected, &row.cells).await;
    assert_eq!(set.unwrap(), CompareAndSet::Set);
}

fn row(key: &str, column: &str, value: &str) -> Row {
    Row {
        key: key.into(),
        cells: Cells::default().with(column, value),
    }
}

/// The two ports share no rows: the same key is another row in each, and deleting it in one keeps it in the other.
pub async fn the_ports_are_apart(store: Store, log: Arc<dyn ExposureLog>) {
    let project = ProjectName::new("p").unwrap();
    let exposure = "PROJECT#p#FLAGTYPE#data#FLAGNAME#f#INSTANCEID#A#REQUESTID#r#TIME#1";
    let flags = row(exposure, "Name", "flags");
    put(&store, std::slice::from_ref(&flags)).await;
    assert_eq!(log.find(exposure.as_bytes()).await.unwrap(), None);
    let record = ExposureRecord::from(row(exposure, "InstanceID", "A"));
    let inserted = log.insert_if_absent(&record).await;
    assert_eq!(inserted.unwrap(), Insert::Inserted);
    let of = ExposureScope::Project(&project);
    assert_eq!(
        log.page(of, TimeRange::ALL, None, 9).await.unwrap().records,
        [record]
    );
    let kept = async || store.scan(Scan::prefix("")).await.unwrap();
    assert_eq!(kept().await, std::slice::from_ref(&flags));
    let instance = InstanceId::new("A").unwrap();
    let found = log.of_instance(&project, &instance).await.unwrap();
    for exposures in found {
        log.delete(&exposures).await.unwrap();
    }
    assert_eq!(
        log.page(of, TimeRange::ALL, None, 9).await.unwrap().records,
        []
    );
    assert_eq!(kept().await, [flags]);
}

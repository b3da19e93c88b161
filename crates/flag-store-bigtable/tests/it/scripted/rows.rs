//! Rows arrive whole, however Bigtable sends them.

use std::sync::Arc;

use bigtable_rs::google::bigtable::v2::row_filter::Filter;
use bigtable_rs::google::bigtable::v2::row_range::StartKey;
use bigtable_rs::google::bigtable::v2::{ReadRowsRequest, RowFilter};
use flag_model::ProjectName;
use flag_store::{Clock as _, ExposureLog as _, ExposureScope, FlagStore, SystemClock};

use super::*;

#[tokio::test]
async fn a_row_in_one_message_arrives() {
    let server = Scripted::start([Answer::Rows(vec![whole("k", "1")])]).await;
    assert_eq!(
        get(&store(&server).await).await.unwrap(),
        Some(row("k", "1"))
    );
}

#[tokio::test]
async fn a_row_split_within_a_cell_over_two_messages_arrives_whole() {
    let server = Scripted::start([Answer::Rows(vec![
        vec![chunk("k", "hello ", 11)],
        vec![committed(more("world", 0))],
    ])])
    .await;
    assert_eq!(
        get(&store(&server).await).await.unwrap(),
        Some(row("k", "hello world"))
    );
}

#[tokio::test]
async fn a_row_split_over_many_messages_arrives_whole() {
    let mut messages = vec![vec![chunk("k", "0", 1_000)]];
    messages.extend((1..999).map(|_| vec![more("1", 1_000)]));
    messages.push(vec![committed(more("2", 0))]);
    let server = Scripted::start([Answer::Rows(messages)]).await;
    let value = format!("0{}2", "1".repeat(998));
    assert_eq!(
        get(&store(&server).await).await.unwrap(),
        Some(row("k", &value))
    );
}

#[tokio::test]
async fn half_a_row_at_the_end_is_an_error() {
    let server = Scripted::start([Answer::Rows(vec![
        whole("a", "1"),
        vec![chunk("b", "2", 0)],
    ])])
    .await;
    let scanned = store(&server).await.scan(Scan::prefix("")).await;
    assert!(
        matches!(scanned, Err(StoreError::Broken { .. })),
        "{scanned:?}"
    );
}

#[tokio::test]
async fn a_scan_that_breaks_half_way_is_read_again_without_duplicates() {
    let server = Scripted::start([
        Answer::RowsThen(
            vec![whole("a", "1"), vec![chunk("b", "2", 0)]],
            Status::unavailable("restarting"),
        ),
        Answer::Rows(vec![whole("a", "1"), whole("b", "2")]),
    ])
    .await;
    let scanned = store(&server).await.scan(Scan::prefix("")).await.unwrap();
    assert_eq!(scanned, [row("a", "1"), row("b", "2")]);
}

#[tokio::test]
async fn a_message_of_20_mib_is_accepted() {
    let value = "x".repeat(20 << 20);
    let server = Scripted::start([Answer::Rows(vec![whole("k", &value)])]).await;
    let found = get(&store(&server).await).await.unwrap().unwrap();
    assert_eq!(found.cells.get("Name").map(<[u8]>::len), Some(20 << 20));
}

#[tokio::test]
async fn a_descending_scan_says_that_it_understands_reverse_scans() {
    let server = Scripted::start([Answer::Rows(vec![whole("b", "2"), whole("a", "1")])]).await;
    let scan = Scan::prefix("").descending().limit(2);
    let scanned = store(&server).await.scan(scan).await.unwrap();
    assert_eq!(scanned, [row("b", "2"), row("a", "1")]);
    let asked = server.asked();
    let [(headers, Asked::Read(request))] = asked.as_slice() else {
        panic!("asked {asked:?}");
    };
    assert!(request.reversed);
    assert_eq!(request.rows_limit, 2);
    assert_eq!(headers.get("bigtable-features").unwrap(), "CAE=");
    assert_eq!(
        headers.get("x-goog-request-params").unwrap(),
        "table_name=projects%2Fp%2Finstances%2Fi%2Ftables%2Fflags&app_profile_id="
    );
}

/// Bigtable sends no more than these cells, however wide the row is.
#[tokio::test]
async fn a_look_for_changes_asks_for_two_cells() {
    let server = Scripted::start([Answer::Rows(vec![])]).await;
    let store = FlagStore::new(Arc::new(store(&server).await), Arc::new(SystemClock));
    let project = ProjectName::new("p").unwrap();
    store.change_mark(&project).await.unwrap();
    let asked = server.asked();
    let [(_, Asked::Read(request))] = asked.as_slice() else {
        panic!("asked {asked:?}");
    };
    let filter = format!("{:?}", request.filter);
    assert_eq!(filter.matches("ColumnRangeFilter").count(), 2, "{filter}");
    for column in ["ChangeId", "LatestChange"] {
        let column = format!("{:?}", column.as_bytes());
        assert_eq!(filter.matches(&column).count(), 2, "{column} in {filter}");
    }
}

#[tokio::test]
async fn what_must_be_empty_is_not_asked_for() {
    let server = Scripted::start([]).await;
    let store = store(&server).await;
    let none = store.scan(Scan::prefix("").limit(0)).await;
    assert_eq!(none.unwrap(), []);
    let no_cells = store.get(b"k", Columns::Only(&[])).await;
    assert_eq!(no_cells.unwrap(), None);
    assert!(log(&server).await.write_rows(&[]).await.is_empty());
    assert!(server.asked().is_empty());
}

/// The first time of writing that a filter lets through.
fn written_since(filter: &RowFilter) -> Option<i64> {
    match filter.filter.as_ref()? {
        Filter::TimestampRangeFilter(range) => Some(range.start_timestamp_micros),
        Filter::Chain(chain) => chain.filters.iter().find_map(written_since),
        _ => None,
    }
}

fn reads(server: &Scripted) -> Vec<ReadRowsRequest> {
    let asked = server.asked().into_iter();
    let reads = asked.filter_map(|(_, asked)| match asked {
        Asked::Read(read) => Some(read),
        _ => None,
    });
    reads.collect()
}

#[tokio::test]
async fn who_follows_the_log_is_sent_what_was_written_since_the_last_look() {
    let server = Scripted::start([
        Answer::Rows(vec![whole("a", "1")]),
        Answer::Rows(vec![whole("a", "1"), whole("b", "2")]),
    ])
    .await;
    let log = log(&server).await;
    let project = ProjectName::new("p").unwrap();
    let of = ExposureScope::Project(&project);
    let before = SystemClock.now().unix_micros();
    let first = log.logged_after(of, None).await.unwrap();
    assert_eq!(first.records, []);
    let next = log.logged_after(of, first.next.as_ref()).await.unwrap();
    let keys = next.records.iter().map(flag_store::ExposureRecord::key);
    assert_eq!(keys.collect::<Vec<_>>(), [b"b"]);
    for read in reads(&server) {
        let since = written_since(read.filter.as_ref().unwrap()).unwrap();
        assert!((before - since) < 120 * 1_000_000, "{since}");
        assert_eq!(since % 1_000, 0, "whole milliseconds");
    }
}

#[tokio::test]
async fn a_sparse_scan_that_breaks_goes_on_where_it_was() {
    let server = Scripted::start([
        Answer::RowsThen(vec![whole("a", "1")], Status::unavailable("restarting")),
        Answer::Rows(vec![whole("b", "2")]),
    ])
    .await;
    let log = log(&server).await;
    let since = flag_model::Timestamp::UNIX_EPOCH;
    let rows = log.written_since(Scan::prefix(""), since).await.unwrap();
    assert_eq!(rows, [row("a", "1"), row("b", "2")]);
    let reads = reads(&server);
    let ranges = &reads[1].rows.as_ref().unwrap().row_ranges;
    assert_eq!(
        ranges[0].start_key,
        Some(StartKey::StartKeyClosed(b"a\0".to_vec()))
    );
}

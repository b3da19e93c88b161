//! The suite that every [`RowStore`] passes, against the real thing.
//!
//! ```ignore
//! flag_store::conformance_tests!(fresh_store); // async fn fresh_store() -> impl RowStore, both tables empty
//! ```
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a suite of tests, whose names are the documentation"
)]

use std::sync::Arc;

use tokio::task::JoinSet;

use crate::port::{Cells, Columns, CompareAndSet, Expected, Insert, Row, RowStore, Scan, Table};

/// The store under test, shared by the tasks of a check.
pub type Store = Arc<dyn RowStore>;

/// Makes a `#[tokio::test]` of every check, each with a store of its own.
#[macro_export]
macro_rules! conformance_tests {
    ($fresh_store:path) => {
        $crate::conformance_tests! { @each $fresh_store;
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
            a_batch_writes_every_row,
            a_batch_replaces_cells_and_keeps_others,
            an_empty_batch_is_nothing,
            the_tables_are_apart,
            exposures_are_deleted_by_their_keys_and_flags_never,
            a_ping_is_answered,
        }
    };
    (@each $fresh_store:path; $($check:ident),* $(,)?) => {
        $(
            #[tokio::test]
            async fn $check() {
                $crate::conformance::$check(::std::sync::Arc::new($fresh_store().await)).await;
            }
        )*
    };
}

fn row(key: &str, column: &str, value: &str) -> Row {
    Row {
        key: key.into(),
        cells: Cells::default().with(column, value),
    }
}

async fn insert(store: &Store, row: &Row) -> Insert {
    store.insert_if_absent(Table::Flags, row).await.unwrap()
}

async fn get(store: &Store, key: &str) -> Option<Row> {
    store
        .get(Table::Flags, key.as_bytes(), Columns::All)
        .await
        .unwrap()
}

/// The keys that a scan gives, as text.
async fn keys(store: &Store, scan: Scan) -> Vec<String> {
    let rows = store.scan(Table::Flags, scan).await.unwrap();
    rows.into_iter()
        .map(|row| String::from_utf8(row.key).unwrap())
        .collect()
}

async fn insert_keys(store: &Store, keys: &[&str]) {
    for key in keys {
        assert_eq!(
            insert(store, &row(key, "Name", key)).await,
            Insert::Inserted
        );
    }
}

async fn compare_and_set(
    store: &Store,
    key: &str,
    expected: Option<&str>,
    value: &str,
) -> CompareAndSet {
    let expected = Expected {
        column: "feature/a",
        value: expected.map(str::as_bytes),
    };
    let cells = Cells::default()
        .with("feature/a", value)
        .with("LatestChange", value);
    store
        .compare_and_set(Table::Flags, key.as_bytes(), expected, &cells)
        .await
        .unwrap()
}

pub async fn a_missing_row_is_none(store: Store) {
    assert_eq!(get(&store, "PROJECT#p#nothing").await, None);
}

pub async fn an_inserted_row_comes_back_byte_for_byte(store: Store) {
    let cells = Cells::default()
        .with("Name", "日本語 \"quoted\" 'text'\n")
        .with("Bytes", (0..=255).collect::<Vec<u8>>())
        .with("Empty", "")
        .with("feature/a.b-c_d", "1");
    let row = Row {
        key: "PROJECT#p#a b%\u{e9}".into(),
        cells,
    };
    assert_eq!(insert(&store, &row).await, Insert::Inserted);
    assert_eq!(
        store
            .get(Table::Flags, &row.key, Columns::All)
            .await
            .unwrap(),
        Some(row)
    );
}

pub async fn a_large_row_comes_back_whole(store: Store) {
    let large = row(
        "large",
        "Treatments",
        &"0123456789abcdef".repeat(6 * 65_536),
    );
    insert(&store, &large).await;
    assert!(get(&store, "large").await == Some(large));
}

pub async fn a_second_insert_changes_nothing(store: Store) {
    let first = row("key", "Name", "first");
    insert(&store, &first).await;
    assert_eq!(
        insert(&store, &row("key", "Name", "second")).await,
        Insert::AlreadyThere
    );
    assert_eq!(
        insert(&store, &row("key", "Other", "second")).await,
        Insert::AlreadyThere
    );
    assert_eq!(get(&store, "key").await, Some(first));
}

pub async fn of_many_inserts_of_one_key_exactly_one_wins(store: Store) {
    let mut tasks = JoinSet::new();
    for writer in 0..20 {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            (
                writer,
                insert(&store, &row("key", "Writer", &writer.to_string())).await,
            )
        });
    }
    let winners: Vec<i32> = tasks
        .join_all()
        .await
        .into_iter()
        .filter(|(_, insert)| *insert == Insert::Inserted)
        .map(|(writer, _)| writer)
        .collect();
    assert_eq!(winners.len(), 1);
    assert_eq!(
        get(&store, "key").await,
        Some(row("key", "Writer", &winners[0].to_string()))
    );
}

pub async fn only_the_columns_asked_for_come_back(store: Store) {
    let cells = Cells::default()
        .with("LatestChange", "3")
        .with("data/a", "1")
        .with("feature/a", "2")
        .with("feature/a.b", "4");
    insert(
        &store,
        &Row {
            key: "head".into(),
            cells,
        },
    )
    .await;
    let get = async |columns: &[&str]| {
        store
            .get(Table::Flags, b"head", Columns::Only(columns))
            .await
            .unwrap()
    };
    assert_eq!(
        get(&["feature/a"]).await,
        Some(row("head", "feature/a", "2"))
    );
    let both = Row {
        key: "head".into(),
        cells: Cells::default()
            .with("LatestChange", "3")
            .with("data/a", "1"),
    };
    assert_eq!(get(&["LatestChange", "data/a", "data/b"]).await, Some(both));
    assert_eq!(get(&["feature/b"]).await, None);
    assert_eq!(get(&["feature/aXb"]).await, None);
}

pub async fn a_scan_is_ordered_by_bytes(store: Store) {
    insert_keys(&store, &["b", "a#", "é", "a", "B", "a$", "日"]).await;
    let ascending = ["B", "a", "a#", "a$", "b", "é", "日"];
    assert_eq!(keys(&store, Scan::prefix("")).await, ascending);
    let descending: Vec<&str> = ascending.into_iter().rev().collect();
    assert_eq!(
        keys(&store, Scan::prefix("").descending()).await,
        descending
    );
}

pub async fn a_scan_ends_before_its_end(store: Store) {
    insert_keys(&store, &["a", "b", "c", "d"]).await;
    let scan = Scan {
        start: "b".into(),
        end: Some("d".into()),
        ..Scan::prefix("")
    };
    assert_eq!(keys(&store, scan.clone()).await, ["b", "c"]);
    assert_eq!(keys(&store, scan.descending()).await, ["c", "b"]);
    assert_eq!(
        keys(
            &store,
            Scan {
                start: "c".into(),
                ..Scan::prefix("")
            }
        )
        .await,
        ["c", "d"]
    );
    let empty = Scan {
        start: "c".into(),
        end: Some("c".into()),
        ..Scan::prefix("")
    };
    assert_eq!(keys(&store, empty).await, [""; 0]);
}

pub async fn a_prefix_does_not_reach_a_longer_name(store: Store) {
    insert_keys(
        &store,
        &[
            "NAME#router#TIME#1",
            "NAME#router#TIME#2",
            "NAME#router_v2#TIME#1",
            "NAME#route#TIME#9",
        ],
    )
    .await;
    assert_eq!(
        keys(&store, Scan::prefix("NAME#router#TIME#")).await,
        ["NAME#router#TIME#1", "NAME#router#TIME#2"]
    );
}

pub async fn a_descending_scan_with_limit_one_is_the_newest(store: Store) {
    insert_keys(&store, &["a#1", "a#2", "a#3", "b#1"]).await;
    assert_eq!(
        keys(&store, Scan::prefix("a#").descending().limit(1)).await,
        ["a#3"]
    );
    assert_eq!(
        keys(&store, Scan::prefix("c#").descending().limit(1)).await,
        [""; 0]
    );
}

pub async fn a_limit_cuts_a_scan(store: Store) {
    insert_keys(&store, &["a", "b", "c"]).await;
    assert_eq!(keys(&store, Scan::prefix("").limit(2)).await, ["a", "b"]);
    assert_eq!(
        keys(&store, Scan::prefix("").descending().limit(2)).await,
        ["c", "b"]
    );
    assert_eq!(
        keys(&store, Scan::prefix("").limit(9)).await,
        ["a", "b", "c"]
    );
    assert_eq!(keys(&store, Scan::prefix("").limit(0)).await, [""; 0]);
}

pub async fn keys_are_those_of_the_rows(store: Store) {
    for key in ["a", "b\0", "b", "c"] {
        let row = row(key, "Name", "1");
        let cells = row.cells.with("Treatments", "x".repeat(100_000));
        insert(&store, &Row { cells, ..row }).await;
    }
    for scan in [
        Scan::prefix(""),
        Scan::prefix("b"),
        Scan::prefix("").descending().limit(2),
        Scan::prefix("").limit(0),
    ] {
        let keys = store.keys(Table::Flags, scan.clone()).await.unwrap();
        let rows = store.scan(Table::Flags, scan).await.unwrap();
        assert_eq!(
            keys,
            rows.into_iter().map(|row| row.key).collect::<Vec<_>>()
        );
    }
}

pub async fn a_scan_of_many_rows_is_complete(store: Store) {
    let rows: Vec<Row> = (0..2_500)
        .map(|n| row(&format!("key#{n:05}"), "Value", &"x".repeat(300)))
        .collect();
    for result in store.write_batch(Table::Flags, &rows).await {
        result.unwrap();
    }
    assert!(
        store
            .scan(Table::Flags, Scan::prefix("key#"))
            .await
            .unwrap()
            == rows
    );
}

pub async fn compare_and_set_creates_what_was_expected_absent(store: Store) {
    assert_eq!(
        compare_and_set(&store, "head", None, "1").await,
        CompareAndSet::Set
    );
    let head = get(&store, "head").await.unwrap();
    assert_eq!(
        (head.cells.get("feature/a"), head.cells.get("LatestChange")),
        (Some(&b"1"[..]), Some(&b"1"[..]))
    );
}

pub async fn compare_and_set_replaces_what_was_as_expected(store: Store) {
    insert(&store, &row("head", "data/other", "kept")).await;
    compare_and_set(&store, "head", None, "1").await;
    assert_eq!(
        compare_and_set(&store, "head", Some("1"), "2").await,
        CompareAndSet::Set
    );
    assert_eq!(
        compare_and_set(&store, "head", Some("2"), "3").await,
        CompareAndSet::Set
    );
    let expected = Cells::default()
        .with("LatestChange", "3")
        .with("data/other", "kept")
        .with("feature/a", "3");
    assert_eq!(get(&store, "head").await.unwrap().cells, expected);
}

pub async fn compare_and_set_leaves_what_differs(store: Store) {
    assert_eq!(
        compare_and_set(&store, "head", Some("1"), "2").await,
        CompareAndSet::Differs
    );
    assert_eq!(get(&store, "head").await, None);
    compare_and_set(&store, "head", None, "1").await;
    assert_eq!(
        compare_and_set(&store, "head", None, "2").await,
        CompareAndSet::Differs
    );
    assert_eq!(
        compare_and_set(&store, "head", Some("9"), "2").await,
        CompareAndSet::Differs
    );
    assert_eq!(
        get(&store, "head").await.unwrap().cells.get("feature/a"),
        Some(&b"1"[..])
    );
}

pub async fn compare_and_set_compares_bytes_exactly(store: Store) {
    compare_and_set(&store, "head", None, "a.c").await;
    for other in ["abc", "a.", "a.cd", ".*", "A.C", ""] {
        assert_eq!(
            compare_and_set(&store, "head", Some(other), "x").await,
            CompareAndSet::Differs,
            "{other}"
        );
    }
    assert_eq!(
        compare_and_set(&store, "head", Some("a.c"), "").await,
        CompareAndSet::Set
    );
    assert_eq!(
        compare_and_set(&store, "head", None, "x").await,
        CompareAndSet::Differs
    );
    assert_eq!(
        compare_and_set(&store, "head", Some(""), "x").await,
        CompareAndSet::Set
    );
}

pub async fn increments_from_many_tasks_are_all_counted(store: Store) {
    compare_and_set(&store, "counter", None, "0").await;
    let mut tasks = JoinSet::new();
    for _ in 0..8 {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            let mut done = 0;
            while done < 25 {
                let row = get(&store, "counter").await.unwrap();
                let old = String::from_utf8(row.cells.get("feature/a").unwrap().to_vec()).unwrap();
                let new = (old.parse::<u32>().unwrap() + 1).to_string();
                done += u32::from(
                    compare_and_set(&store, "counter", Some(&old), &new).await
                        == CompareAndSet::Set,
                );
            }
        });
    }
    tasks.join_all().await;
    assert_eq!(
        get(&store, "counter").await.unwrap().cells.get("feature/a"),
        Some(&b"200"[..])
    );
}

pub async fn a_batch_writes_every_row(store: Store) {
    let rows = [
        row("c", "Name", "1"),
        row("a", "Name", "2"),
        row("b", "Name", "3"),
    ];
    let results = store.write_batch(Table::Flags, &rows).await;
    assert!(results.len() == 3 && results.iter().all(Result::is_ok));
    for row in rows {
        assert_eq!(
            store
                .get(Table::Flags, &row.key, Columns::All)
                .await
                .unwrap(),
            Some(row)
        );
    }
}

pub async fn a_batch_replaces_cells_and_keeps_others(store: Store) {
    insert(
        &store,
        &Row {
            key: "a".into(),
            cells: Cells::default().with("Name", "old").with("Other", "kept"),
        },
    )
    .await;
    for result in store
        .write_batch(Table::Flags, &[row("a", "Name", "new")])
        .await
    {
        result.unwrap();
    }
    assert_eq!(
        get(&store, "a").await.unwrap().cells,
        Cells::default().with("Name", "new").with("Other", "kept")
    );
}

pub async fn an_empty_batch_is_nothing(store: Store) {
    assert!(store.write_batch(Table::Flags, &[]).await.is_empty());
}

pub async fn the_tables_are_apart(store: Store) {
    insert(&store, &row("key", "Name", "flags")).await;
    assert_eq!(
        store
            .get(Table::Exposures, b"key", Columns::All)
            .await
            .unwrap(),
        None
    );
    let exposure = row("key", "Name", "exposures");
    assert_eq!(
        store
            .insert_if_absent(Table::Exposures, &exposure)
            .await
            .unwrap(),
        Insert::Inserted
    );
    assert_eq!(
        store
            .scan(Table::Exposures, Scan::prefix(""))
            .await
            .unwrap(),
        [exposure]
    );
    assert_eq!(get(&store, "key").await, Some(row("key", "Name", "flags")));
}

pub async fn exposures_are_deleted_by_their_keys_and_flags_never(store: Store) {
    let rows = ["a", "b", "b\0", "c"].map(|key| row(key, "Name", "value"));
    for table in [Table::Flags, Table::Exposures] {
        let written = store.write_batch(table, &rows).await;
        assert!(written.iter().all(Result::is_ok));
    }
    let keys = ["b", "c", "gone"].map(|key| key.as_bytes().to_vec());
    for _ in 0..2 {
        store.delete_exposures(&keys).await.unwrap();
    }
    store.delete_exposures(&[]).await.unwrap();
    let left = async |table| {
        let left = store.scan(table, Scan::prefix("")).await.unwrap();
        left.into_iter().map(|row| row.key).collect::<Vec<_>>()
    };
    assert_eq!(
        left(Table::Exposures).await,
        [b"a".to_vec(), b"b\0".to_vec()]
    );
    assert_eq!(left(Table::Flags).await.len(), rows.len());
}

pub async fn a_ping_is_answered(store: Store) {
    store.ping().await.unwrap();
}

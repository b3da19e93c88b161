//! The suite that every `RowStore` passes.

use std::sync::Arc;

use flag_model::{BucketScheme, FlagKey, FlagValue, HashAlgorithm, RevisionParts, Salt};
use tokio::task::JoinSet;

use super::{Store, put, row};
use crate::append::Base;
use crate::clock::SystemClock;
use crate::flags::FlagStore;
use crate::history_check::{Broken, HistoryCheck};
use crate::inspection::FlagRow;
use crate::pages::project_rows;
use crate::rows::{Cells, Columns, CompareAndSet, Expected, Insert, Row, Scan};

async fn insert(store: &Store, row: &Row) -> Insert {
    store.insert_if_absent(row).await.unwrap()
}

async fn get(store: &Store, key: &str) -> Option<Row> {
    store.get(key.as_bytes(), Columns::All).await.unwrap()
}

/// The keys that a scan gives, as text.
async fn keys(store: &Store, scan: Scan) -> Vec<String> {
    let rows = store.scan(scan).await.unwrap();
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
        .compare_and_set(key.as_bytes(), expected, &cells)
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
    assert_eq!(store.get(&row.key, Columns::All).await.unwrap(), Some(row));
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
    let get = async |columns: &[&str]| store.get(b"head", Columns::Only(columns)).await.unwrap();
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
        let keys = store.keys(scan.clone()).await.unwrap();
        let rows = store.scan(scan).await.unwrap();
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
    put(&store, &rows).await;
    assert!(store.scan(Scan::prefix("key#")).await.unwrap() == rows);
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

/// Links name rows by the hash of the bytes that come back, whatever the backend does with empty cells and large ones.
pub async fn a_changed_revision_breaks_its_links_and_nothing_else_does(store: Store) {
    let flag: FlagKey = "p/data/f".parse().unwrap();
    let flags = FlagStore::new(Arc::clone(&store), Arc::new(SystemClock));
    let mut last = None;
    for number in 0..4 {
        let parts = RevisionParts {
            flag: flag.clone(),
            scheme: BucketScheme::V2 {
                algorithm: HashAlgorithm::Md5,
                salt: Salt::new("f").unwrap(),
            },
            control: FlagValue::text(&"日本語\n".repeat(1_000 * number)).unwrap(),
            treatments: vec![],
            comment: String::new(),
            owner: None,
            rollback_of: None,
        };
        last = flags.append_revision(Base::Newest, parts).await.ok();
    }
    let broken = async || {
        let mut found = Vec::new();
        let mut each = |check: HistoryCheck| found.push((check.with_link, check.broken));
        let checked = flags.check_histories(&flag.project, None, &mut each);
        checked.await.unwrap();
        found
    };
    assert_eq!(broken().await, [(4, None)]);
    let mut rows = store.scan(project_rows(&flag.project)).await.unwrap();
    rows.retain(|row| !FlagRow::is_head(&row.key));
    let changed = Row {
        key: rows[2].key.clone(),
        cells: Cells::default().with("Comment", "changed"),
    };
    put(&store, &[changed]).await;
    let found = broken().await;
    let [(4, Some(broken))] = found.as_slice() else {
        panic!("{found:?}")
    };
    let (last, _) = last.unwrap();
    assert_eq!(broken.number, 3);
    let Broken::Changed { named_by, .. } = broken.broken else {
        panic!("{broken:?}")
    };
    assert_eq!(named_by, last.created());
}

pub async fn a_ping_is_answered(store: Store) {
    store.ping().await.unwrap();
}

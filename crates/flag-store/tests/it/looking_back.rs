//! Facts about what was: revisions at an instant, and metadata through time.
use std::sync::Arc;

use flag_model::{FlagKey, Timestamp};
use flag_store::memory::MemoryStore;
use flag_store::{FlagStore, ReadError, Row, SystemClock};

fn flag() -> FlagKey {
    "p/feature/f".parse().unwrap()
}

fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn row(key: &str, time: &str, cells: &[(&str, &str)]) -> Row {
    let common = [("Name", "f"), ("Type", "FEATURE"), ("CreatedTime", time)];
    Row {
        key: format!("{key}{time}").into(),
        cells: common.iter().chain(cells).copied().collect(),
    }
}

/// A revision of the flag as the Python framework writes it.
fn revision(time: &str, treatments: &str) -> Row {
    let cells = [
        ("FormatVersion", "1"),
        ("ControlValue", "False"),
        ("Comment", "Why"),
        ("Treatments", treatments),
    ];
    let key = "PROJECT#p#ROWTYPE#REVISION#FLAGTYPE#feature#FLAGNAME#f#TIME#";
    row(key, time, &cells)
}

fn metadata(time: &str, description: &str) -> Row {
    let key = "PROJECT#p#ROWTYPE#FLAG#FLAGTYPE#feature#FLAGNAME#f#TIME#";
    row(key, time, &[("Description", description)])
}

fn store(rows: &[Row]) -> FlagStore {
    let memory = MemoryStore::default();
    memory.put(rows.iter().cloned());
    FlagStore::new(Arc::new(memory), Arc::new(SystemClock))
}

/// A store with revisions of three seconds, the second one as Python writes a whole second, and of a longer name.
fn with_revisions() -> FlagStore {
    let mut other = revision("2024-01-01 00:00:00.000001", "[]");
    other.key =
        "PROJECT#p#ROWTYPE#REVISION#FLAGTYPE#feature#FLAGNAME#f_2#TIME#2024-01-01 00:00:00.000001"
            .into();
    let rows = [
        revision("2024-09-25 10:00:01.500000", "[]"),
        revision("2024-09-25 10:00:02", "[]"),
        revision("2024-09-25 10:00:03.000000", "[]"),
        other,
    ];
    store(&rows)
}

#[track_caller]
fn check_created(found: Option<Timestamp>, expected: Option<&str>) {
    assert_eq!(found, expected.map(time));
}

async fn check_at(at: &str, expected: Option<&str>) {
    let store = with_revisions();
    let revision = store.revision_at(&flag(), time(at)).await.unwrap();
    check_created(revision.map(|revision| revision.created()), expected);
}

#[tokio::test(start_paused = true)]
async fn a_revision_is_in_force_from_the_microsecond_that_it_was_made() {
    let [first, second] = ["2024-09-25 10:00:01.500000", "2024-09-25 10:00:02.000000"];
    check_at("2024-09-25 10:00:01.500000", Some(first)).await;
    check_at("2024-09-25 10:00:01.999999", Some(first)).await;
    check_at("2024-09-25 10:00:02", Some(second)).await;
    check_at("2024-09-25 10:00:02.000001", Some(second)).await;
}

#[tokio::test(start_paused = true)]
async fn the_newest_revision_is_in_force_ever_after() {
    let newest = Some("2024-09-25 10:00:03.000000");
    check_at("2024-09-25 10:00:03", newest).await;
    check_at("9999-12-31 23:59:59.999999", newest).await;
}

#[tokio::test(start_paused = true)]
async fn no_revision_is_in_force_before_the_first() {
    check_at("2024-09-25 10:00:01.499999", None).await;
    let first = with_revisions().first_revision_created(&flag()).await;
    check_created(first.unwrap(), Some("2024-09-25 10:00:01.500000"));
    let nothing = store(&[]).first_revision_created(&flag()).await;
    check_created(nothing.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn a_revision_that_cannot_be_read_fails_the_instants_that_it_was_in_force() {
    let rows = [
        revision("2024-09-25 10:00:01", "[]"),
        revision("2024-09-25 10:00:02", "[{"),
    ];
    let store = store(&rows);
    let flag = flag();
    let before = store.revision_at(&flag, time("2024-09-25 10:00:01.5"));
    assert!(before.await.unwrap().is_some());
    let after = store.revision_at(&flag, time("2024-09-25 10:00:02")).await;
    assert!(matches!(after, Err(ReadError::Unreadable(_))), "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn metadata_is_listed_through_time_the_newest_first() {
    let mut unreadable = metadata("2024-09-25 10:00:02", "Two");
    unreadable.cells.set("Type", "DATA");
    let rows = [
        metadata("2024-09-25 10:00:01", "One"),
        unreadable,
        metadata("2024-09-25 10:00:03", "Three"),
    ];
    let store = store(&rows);
    let history = store.metadata_history(&flag(), 9).await.unwrap();
    let told: Vec<Option<&str>> = history
        .iter()
        .map(|metadata| Some(metadata.as_ref().ok()?.description.as_str()))
        .collect();
    assert_eq!(told, [Some("Three"), None, Some("One")]);
    assert_eq!(store.metadata_history(&flag(), 1).await.unwrap().len(), 1);
}

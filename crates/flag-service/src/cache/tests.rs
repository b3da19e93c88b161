//! Facts about the flag cache, with a store that counts its reads and answers when it is told to.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use flag_model::{FlagKey, FlagName, FlagType, FlagValue, Format, ProjectName, RevisionParts};
use flag_store::memory::MemoryStore;
use flag_store::{
    Base, BoxFuture, Cells, Columns, CompareAndSet, Expected, FlagStore, Insert, Row, RowStore,
    Scan, StoreError, SystemClock, Table,
};
use tokio::runtime::Handle;
use tokio::time::{advance, sleep};

use super::{CacheSettings, FlagCache};
use crate::problem::ApiError;

const LIFETIME: Duration = Duration::from_mins(5);
const DEADLINE: Duration = Duration::from_millis(280);

/// What a read does after it was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// Answers after a millisecond.
    Reads,
    /// Fails after a millisecond.
    Fails,
    /// Never answers.
    Hangs,
    /// Panics.
    Panics,
}

#[derive(Debug)]
struct Counting {
    inner: MemoryStore,
    reads: AtomicU32,
    answer: Answer,
}

impl RowStore for Counting {
    fn get<'a>(
        &'a self,
        table: Table,
        key: &'a [u8],
        columns: Columns<'a>,
    ) -> BoxFuture<'a, Result<Option<Row>, StoreError>> {
        self.inner.get(table, key, columns)
    }

    fn scan(&self, table: Table, scan: Scan) -> BoxFuture<'_, Result<Vec<Row>, StoreError>> {
        Box::pin(async move {
            self.reads.fetch_add(1, Ordering::Relaxed);
            sleep(Duration::from_millis(1)).await;
            match self.answer {
                Answer::Reads => self.inner.scan(table, scan).await,
                Answer::Fails => Err(StoreError::Unavailable {
                    source: "down".into(),
                }),
                Answer::Hangs => std::future::pending().await,
                Answer::Panics => panic!("for the test"),
            }
        })
    }

    fn insert_if_absent<'a>(
        &'a self,
        table: Table,
        row: &'a Row,
    ) -> BoxFuture<'a, Result<Insert, StoreError>> {
        self.inner.insert_if_absent(table, row)
    }

    fn compare_and_set<'a>(
        &'a self,
        table: Table,
        key: &'a [u8],
        expected: Expected<'a>,
        cells: &'a Cells,
    ) -> BoxFuture<'a, Result<CompareAndSet, StoreError>> {
        self.inner.compare_and_set(table, key, expected, cells)
    }

    fn write_batch<'a>(
        &'a self,
        table: Table,
        rows: &'a [Row],
    ) -> BoxFuture<'a, Vec<Result<(), StoreError>>> {
        self.inner.write_batch(table, rows)
    }

    fn ping(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.inner.ping()
    }
}

/// A cache before a store that holds the flag `known`.
struct World {
    rows: Arc<Counting>,
    store: FlagStore,
    cache: Arc<FlagCache>,
}

impl World {
    async fn new(answer: Answer, lifetime: Duration) -> Self {
        let rows = Arc::new(Counting {
            inner: MemoryStore::default(),
            reads: AtomicU32::new(0),
            answer,
        });
        let store = FlagStore::new(
            Arc::clone(&rows) as Arc<dyn RowStore>,
            Arc::new(SystemClock),
        );
        let settings = CacheSettings {
            lifetime,
            entries: 100,
            deadline: DEADLINE,
        };
        let world = Self {
            rows,
            cache: Arc::new(FlagCache::new(store.clone(), settings, Handle::current())),
            store,
        };
        if answer == Answer::Reads {
            world.revise("known", false).await;
        }
        world
    }

    async fn revise(&self, name: &str, control: bool) {
        let parts = RevisionParts {
            flag: flag(name),
            format: Format::V1,
            control: FlagValue::Boolean(control),
            treatments: vec![],
            comment: String::new(),
            owner: None,
            rollback_of: None,
        };
        self.store
            .append_revision(Base::Newest, parts)
            .await
            .unwrap();
        self.rows.reads.store(0, Ordering::Relaxed);
    }

    fn reads(&self) -> u32 {
        self.rows.reads.load(Ordering::Relaxed)
    }

    async fn ask(&self, name: &str) -> Result<(), ApiError> {
        self.cache
            .current(&flag(name))
            .await
            .map(|plan| assert_eq!(*plan.0.flag(), flag(name)))
    }

    /// The answers of so many requests at once.
    async fn ask_at_once(&self, requests: u32, name: &'static str) -> Vec<Result<(), ApiError>> {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..requests {
            let cache = Arc::clone(&self.cache);
            tasks.spawn(async move { cache.current(&flag(name)).await.map(drop) });
        }
        tasks.join_all().await
    }
}

fn flag(name: &str) -> FlagKey {
    FlagKey {
        project: ProjectName::new("p").unwrap(),
        flag_type: FlagType::Feature,
        name: FlagName::new(name).unwrap(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_flag_is_read_once_in_its_lifetime() {
    let world = World::new(Answer::Reads, LIFETIME).await;
    for _ in 0..10 {
        world.ask("known").await.unwrap();
        advance(LIFETIME / 20).await;
    }
    assert_eq!(world.reads(), 1);
    advance(LIFETIME).await;
    world.ask("known").await.unwrap();
    assert_eq!(world.reads(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_change_is_served_when_the_lifetime_has_ended() {
    let world = World::new(Answer::Reads, LIFETIME).await;
    world.ask("known").await.unwrap();
    let before = world
        .cache
        .current(&flag("known"))
        .await
        .unwrap()
        .0
        .created();
    world.revise("known", true).await;
    assert_eq!(
        world
            .cache
            .current(&flag("known"))
            .await
            .unwrap()
            .0
            .created(),
        before
    );
    advance(LIFETIME * 2).await;
    assert!(
        world
            .cache
            .current(&flag("known"))
            .await
            .unwrap()
            .0
            .created()
            > before
    );
}

#[tokio::test(start_paused = true)]
async fn a_thousand_requests_for_a_cold_flag_read_once() {
    let world = World::new(Answer::Reads, LIFETIME).await;
    let answers = world.ask_at_once(1_000, "known").await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(world.reads(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_requests_share_a_read_that_fails() {
    for answer in [Answer::Fails, Answer::Hangs] {
        let world = World::new(answer, LIFETIME).await;
        let answers = world.ask_at_once(1_000, "known").await;
        assert!(
            answers
                .iter()
                .all(|answer| matches!(answer, Err(ApiError::Store { .. })))
        );
        assert_eq!(world.reads(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_read_is_remembered_for_a_moment() {
    let world = World::new(Answer::Fails, LIFETIME).await;
    for _ in 0..10 {
        world.ask("known").await.unwrap_err();
    }
    assert_eq!(world.reads(), 1);
    advance(Duration::from_millis(100)).await;
    world.ask("known").await.unwrap_err();
    assert_eq!(world.reads(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_read_that_panics_is_an_internal_error_and_can_be_made_again() {
    let world = World::new(Answer::Panics, LIFETIME).await;
    for reads in 1..=2 {
        assert!(matches!(world.ask("known").await, Err(ApiError::Internal)));
        assert_eq!(world.reads(), reads);
    }
}

#[tokio::test(start_paused = true)]
async fn unknown_flags_drive_no_other_flag_out() {
    let world = World::new(Answer::Reads, LIFETIME).await;
    world.ask("known").await.unwrap();
    for n in 0..1_000 {
        world.ask(&format!("unknown_{n}")).await.unwrap_err();
    }
    let reads = world.reads();
    world.ask("known").await.unwrap();
    assert_eq!(world.reads(), reads);
}

/// The thread that reads is stuck, as in a huge cell, and its timer with it.
#[tokio::test]
async fn a_request_waits_for_no_thread_that_is_stuck() {
    let world = World::new(Answer::Reads, LIFETIME).await;
    let stuck = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .unwrap();
    let (release, released) = std::sync::mpsc::channel::<()>();
    stuck.spawn(async move { released.recv() });
    let settings = CacheSettings {
        lifetime: LIFETIME,
        entries: 100,
        deadline: Duration::from_millis(20),
    };
    let cache = FlagCache::new(world.store.clone(), settings, stuck.handle().clone());
    let error = cache.current(&flag("known")).await.unwrap_err();
    assert!(
        matches!(error, ApiError::Store { error, .. } if matches!(*error, StoreError::TimedOut { .. }))
    );
    drop(release);
    stuck.shutdown_background();
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_is_left_at_the_deadline() {
    let world = World::new(Answer::Hangs, LIFETIME).await;
    let started = tokio::time::Instant::now();
    let error = world.ask("known").await.unwrap_err();
    assert!(
        matches!(error, ApiError::Store { error, .. } if matches!(*error, StoreError::TimedOut { .. }))
    );
    assert_eq!(started.elapsed(), DEADLINE);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_flag_is_remembered_for_some_seconds() {
    let world = World::new(Answer::Reads, LIFETIME).await;
    for _ in 0..1_000 {
        assert!(matches!(
            world.ask("unknown").await,
            Err(ApiError::FlagNotFound(_))
        ));
    }
    assert_eq!(world.reads(), 1);
    world.revise("unknown", true).await;
    advance(Duration::from_secs(6)).await;
    world.ask("unknown").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_lifetime_of_zero_reads_for_every_request() {
    let world = World::new(Answer::Reads, Duration::ZERO).await;
    world.ask("known").await.unwrap();
    world.ask("known").await.unwrap();
    assert_eq!(world.reads(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_goes_away_leaves_the_read_to_the_others() {
    let world = World::new(Answer::Reads, LIFETIME).await;
    let gone = tokio::time::timeout(Duration::from_micros(1), world.ask("known")).await;
    assert!(gone.is_err());
    world.ask("known").await.unwrap();
    assert_eq!(world.reads(), 1);
}

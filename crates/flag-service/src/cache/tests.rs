//! Facts about the flag cache, with a store that counts its reads and answers as it is told to.
#![allow(clippy::float_cmp, reason = "metrics that count")]

mod changes;
mod hits;
mod reads;
mod stale;
mod unknown;

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use flag_model::{
    FlagKey, FlagName, FlagType, FlagValue, Format, HashAlgorithm, ProjectName, RevisionParts,
};
use flag_store::memory::MemoryStore;
use flag_store::{
    Base, BoxFuture, Cells, Clock as _, Columns, CompareAndSet, Expected, FlagStore, Insert, Row,
    RowStore, Scan, StoreError, SystemClock, Table,
};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::runtime::Handle;
use tokio::time::{advance, sleep};

use super::entry::Current;
use super::{FlagCache, FlagCacheSettings, Source};
use crate::problem::ApiError;
use crate::store::{Gate, GateSettings};

const LIFETIME: Duration = Duration::from_mins(5);
const MAX_STALE: Duration = Duration::from_hours(24);
const DEADLINE: Duration = Duration::from_millis(280);

/// What a read does after it was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// Answers after a millisecond.
    Reads,
    /// Fails after a millisecond.
    Fails,
    /// Refuses after a millisecond.
    Refuses,
    /// Never answers.
    Hangs,
    /// Panics.
    Panics,
}

#[derive(Debug)]
struct Counting {
    inner: MemoryStore,
    reads: AtomicU32,
    answer: Mutex<Answer>,
}

impl Counting {
    async fn read(&self) -> Result<(), StoreError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        sleep(Duration::from_millis(1)).await;
        let answer = *self.answer.lock().unwrap();
        match answer {
            Answer::Reads => Ok(()),
            Answer::Fails => Err(StoreError::Unavailable {
                source: "down".into(),
            }),
            Answer::Refuses => Err(StoreError::Refused {
                source: "no permission".into(),
            }),
            Answer::Hangs => std::future::pending().await,
            Answer::Panics => panic!("for the test"),
        }
    }
}

impl RowStore for Counting {
    fn get<'a>(
        &'a self,
        table: Table,
        key: &'a [u8],
        columns: Columns<'a>,
    ) -> BoxFuture<'a, Result<Option<Row>, StoreError>> {
        Box::pin(async move {
            self.read().await?;
            self.inner.get(table, key, columns).await
        })
    }

    fn scan(&self, table: Table, scan: Scan) -> BoxFuture<'_, Result<Vec<Row>, StoreError>> {
        Box::pin(async move {
            self.read().await?;
            self.inner.scan(table, scan).await
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
        Box::pin(self.read())
    }
}

/// A cache before a store that holds the flag `known`.
struct World {
    rows: Arc<Counting>,
    /// The store as its writers see it, uncounted.
    writers: FlagStore,
    gate: Arc<Gate>,
    store: FlagStore,
    cache: FlagCache,
    registry: Registry,
}

impl World {
    async fn new() -> Self {
        Self::with(settings()).await
    }

    async fn with(settings: FlagCacheSettings) -> Self {
        Self::reading_on(settings, Handle::current()).await
    }

    async fn reading_on(settings: FlagCacheSettings, reads: Handle) -> Self {
        let rows = Arc::new(Counting {
            inner: MemoryStore::default(),
            reads: AtomicU32::new(0),
            answer: Mutex::new(Answer::Reads),
        });
        let clock = || Arc::new(SystemClock);
        let mut registry = Registry::default();
        let gate = GateSettings {
            reads: 64,
            deadline: settings.deadline,
        };
        let gate = Gate::new(rows.clone(), gate, &mut registry);
        let gate = Arc::new(gate);
        let store = FlagStore::new(gate.clone(), clock());
        let cache = FlagCache::new(
            store.clone(),
            gate.circuit(),
            settings,
            reads,
            &mut registry,
        );
        let world = Self {
            writers: FlagStore::new(rows.clone(), clock()),
            rows,
            gate,
            store,
            cache,
            registry,
        };
        world.revise("known", false).await;
        world
    }

    /// From now on the store does this.
    fn store(&self, answer: Answer) {
        *self.rows.answer.lock().unwrap() = answer;
    }

    /// Appends a revision; the reads that this takes don't count.
    async fn revise(&self, name: &str, control: bool) {
        let parts = RevisionParts {
            flag: flag(name),
            format: Format::v1(HashAlgorithm::Md5),
            control: FlagValue::Boolean(control),
            treatments: vec![],
            comment: String::new(),
            owner: None,
            rollback_of: None,
        };
        let reads = self.reads();
        let appended = self.writers.append_revision(Base::Newest, parts).await;
        appended.unwrap();
        self.rows.reads.store(reads, Ordering::Relaxed);
    }

    /// Reads since the last time.
    fn reads(&self) -> u32 {
        self.rows.reads.swap(0, Ordering::Relaxed)
    }

    async fn current(&self, name: &str) -> Result<Current, ApiError> {
        self.cache.current(&flag(name)).await
    }

    /// Where the flag came from, or why there is none.
    async fn ask(&self, name: &str) -> Result<Source, ApiError> {
        let current = self.current(name).await?;
        assert_eq!(*current.flag(), flag(name));
        Ok(current.source)
    }

    /// The value that everybody receives.
    async fn value(&self, name: &str) -> FlagValue {
        let current = self.current(name).await.unwrap();
        let anybody = flag_model::InstanceId::new("A").unwrap();
        flag_rollout::decide(&current, &anybody).value.clone()
    }

    /// The answers of so many requests at once.
    async fn ask_at_once(&self, requests: u32, name: &'static str) -> Vec<Result<(), ApiError>> {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..requests {
            let cache = self.cache.clone();
            tasks.spawn(async move { cache.current(&flag(name)).await.map(drop) });
        }
        tasks.join_all().await
    }

    /// Lets what goes on in the background come to its end.
    async fn settle(&self) {
        sleep(Duration::from_millis(5)).await;
    }

    /// The value of a metric.
    #[track_caller]
    fn metric(&self, name: &str) -> f64 {
        let mut text = String::new();
        encode(&mut text, &self.registry).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let value = line.unwrap_or_else(|| panic!("no {name} in {text}"));
        value.trim().parse().unwrap()
    }
}

fn settings() -> FlagCacheSettings {
    FlagCacheSettings {
        lifetime: LIFETIME,
        max_stale: MAX_STALE,
        entries: 100,
        deadline: DEADLINE,
        is_polled: true,
        keeps_rows: false,
    }
}

fn flag(name: &str) -> FlagKey {
    format!("p/feature/{name}").parse().unwrap()
}

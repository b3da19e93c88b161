//! Facts about the flag cache, with a scripted store that counts its reads.
#![allow(clippy::float_cmp, reason = "metrics that count")]

mod changes;
mod hits;
mod metrics;
mod projects;
mod reads;
mod recovery;
mod snapshot;
mod stale;
mod unknown;
mod unreadable;

use std::sync::Arc;
use std::time::Duration;

use flag_model::{
    BucketScheme, FlagKey, FlagName, FlagType, FlagValue, HashAlgorithm, ProjectName, RevisionParts,
};
use flag_store::scripted::{RowCall, ScriptedRows, Step};
use flag_store::{Base, Clock as _, FlagStore, RowStore, StoreError, SystemClock};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::runtime::Handle;
use tokio::time::{advance, sleep};

use super::entry::ServedPlan;
use super::{CacheError, FlagCache, FlagCacheSettings, Source};
use crate::log_lines::LogLines;
use crate::store::{DeferredStore, GuardSettings, StoreGuard};

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

impl Answer {
    async fn step(self, call: RowCall) -> Step {
        if call.is_write() {
            return Step::Pass;
        }
        sleep(Duration::from_millis(1)).await;
        match self {
            Self::Reads => Step::Pass,
            Self::Fails => Step::Fail(StoreError::Unavailable {
                source: "down".into(),
            }),
            Self::Refuses => Step::Fail(StoreError::Refused {
                source: "no permission".into(),
            }),
            Self::Hangs => std::future::pending().await,
            Self::Panics => panic!("for the test"),
        }
    }
}

/// A cache before a store that holds the flag `known`.
pub(super) struct World {
    rows: Arc<ScriptedRows>,
    /// The store as its writers see it, uncounted.
    writers: FlagStore,
    guard: Arc<StoreGuard<dyn RowStore>>,
    store: FlagStore,
    pub(super) cache: FlagCache,
    registry: Registry,
}

impl World {
    pub(super) async fn new() -> Self {
        Self::with(settings()).await
    }

    async fn with(settings: FlagCacheSettings) -> Self {
        Self::reading_on(settings, Handle::current()).await
    }

    async fn reading_on(settings: FlagCacheSettings, reads: Handle) -> Self {
        let rows = Arc::new(ScriptedRows::default());
        let clock = || Arc::new(SystemClock);
        let mut registry = Registry::default();
        let guard = GuardSettings {
            concurrent_reads: 64,
            read_timeout: settings.read_timeout,
        };
        let deferred = DeferredStore::from(rows.clone() as Arc<dyn RowStore>);
        let guard = StoreGuard::new(Arc::new(deferred), guard, &mut registry);
        let guard = Arc::new(guard);
        let store = FlagStore::new(guard.clone(), clock());
        let cache = FlagCache::new(
            store.clone(),
            guard.read_circuit(),
            settings,
            reads,
            &mut registry,
        );
        let world = Self {
            writers: FlagStore::new(rows.store(), clock()),
            rows,
            guard,
            store,
            cache,
            registry,
        };
        world.store(Answer::Reads);
        world.revise("known", false).await;
        world
    }

    /// From now on the store does this.
    fn store(&self, answer: Answer) {
        self.rows.script(move |call| answer.step(call));
    }

    /// Appends a revision.
    async fn revise(&self, name: &str, control: bool) {
        let parts = RevisionParts {
            flag: flag(name),
            scheme: BucketScheme::v1(HashAlgorithm::Md5),
            control: FlagValue::Boolean(control),
            treatments: vec![],
            comment: String::new(),
            owner: None,
            rollback_of: None,
        };
        let appended = self.writers.append_revision(Base::Newest, parts).await;
        appended.unwrap();
    }

    /// Reads since the last time.
    fn reads(&self) -> usize {
        self.rows
            .take_calls()
            .iter()
            .filter(|call| call.is_read())
            .count()
    }

    async fn current(&self, name: &str) -> Result<ServedPlan, CacheError> {
        self.cache.get_or_read(&flag(name)).await
    }

    /// Where the flag came from, or why there is none.
    async fn ask(&self, name: &str) -> Result<Source, CacheError> {
        let current = self.current(name).await?;
        assert_eq!(*current.flag(), flag(name));
        Ok(current.source)
    }

    /// The value that everybody receives.
    async fn value(&self, name: &str) -> FlagValue {
        let current = self.current(name).await.unwrap();
        let instance = flag_model::InstanceId::new("A").unwrap();
        flag_rollout::decide(&current, &instance).value.clone()
    }

    /// The answers to this many concurrent requests.
    async fn ask_at_once(&self, requests: u32, name: &'static str) -> Vec<Result<(), CacheError>> {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..requests {
            let cache = self.cache.clone();
            tasks.spawn(async move { cache.get_or_read(&flag(name)).await.map(drop) });
        }
        tasks.join_all().await
    }

    /// Waits until the reads in the background have ended.
    async fn finish_reads(&self) {
        sleep(Duration::from_millis(5)).await;
    }

    /// Has failing reads open the circuit.
    async fn open_circuit(&self) {
        self.store(Answer::Fails);
        for n in 0..5 {
            self.ask(&format!("failing_{n}")).await.unwrap_err();
        }
        assert!(self.cache.shared.circuit.is_open());
    }

    /// Has a probe close the circuit.
    async fn close_circuit(&self) {
        self.store(Answer::Reads);
        advance(Duration::from_secs(1)).await;
        self.store.head_row(&flag("known").project).await.unwrap();
        assert!(!self.cache.shared.circuit.is_open());
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

pub(crate) fn settings() -> FlagCacheSettings {
    FlagCacheSettings {
        lifetime: LIFETIME,
        max_stale: MAX_STALE,
        entries: 100,
        read_timeout: DEADLINE,
        watches_changes: true,
        keeps_rows: false,
    }
}

fn flag(name: &str) -> FlagKey {
    format!("p/feature/{name}").parse().unwrap()
}

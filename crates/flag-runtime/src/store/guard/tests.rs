//! Facts about the guard, with a scripted store.

use std::borrow::Cow;
use std::sync::Mutex;

use flag_model::{FlagValue, InstanceId, Timestamp};
use flag_store::scripted::{ScriptedLog, ScriptedRows, Step};
use flag_store::{
    BatchId, CellFormat, Columns, Exposure, ExposureBatch, ExposureScope, Order, Scan, TimeRange,
};
use flag_store_embedded::EmbeddedLog;
use prometheus_client::encoding::text::encode;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{advance, sleep, timeout};

use super::*;

const READS: usize = 4;
const DEADLINE: Duration = Duration::from_millis(280);

/// How the store behaves, and counts of its calls: in all, in flight, and the most in flight.
#[derive(Debug, Default)]
struct Behaviour {
    mode: Mutex<Mode>,
    in_flight: AtomicUsize,
    max: AtomicUsize,
    calls: AtomicUsize,
    woken: Notify,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mode {
    #[default]
    Answers,
    Fails,
    Silent,
}

struct InFlight<'a>(&'a Behaviour);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Behaviour {
    async fn step(self: Arc<Self>) -> Step {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let in_flight = self.in_flight.fetch_add(1, Ordering::Relaxed) + 1;
        let _in_flight = InFlight(&self);
        self.max.fetch_max(in_flight, Ordering::Relaxed);
        let mode = *self.mode.lock().unwrap();
        match mode {
            Mode::Answers => Step::Pass,
            Mode::Fails => Step::Fail(StoreError::Unavailable {
                source: "down".into(),
            }),
            Mode::Silent => {
                self.woken.notified().await;
                Step::Pass
            }
        }
    }
}

struct World {
    store: Arc<Behaviour>,
    guard: Arc<StoreGuard<dyn RowStore>>,
    log: StoreGuard<dyn ExposureLog>,
    registry: Registry,
}

impl World {
    fn new(mode: Mode) -> Self {
        let store = Arc::new(Behaviour::default());
        let (rows, log) = (ScriptedRows::default(), ScriptedLog::default());
        let behaviour = Arc::clone(&store);
        rows.script(move |_| Arc::clone(&behaviour).step());
        let behaviour = Arc::clone(&store);
        log.script(move |_| Arc::clone(&behaviour).step());
        let mut registry = Registry::default();
        let settings = GuardSettings {
            concurrent_reads: READS,
            read_timeout: DEADLINE,
        };
        let rows = DeferredStore::from(Arc::new(rows) as Arc<dyn RowStore>);
        let guard = Arc::new(StoreGuard::new(Arc::new(rows), settings, &mut registry));
        let log = DeferredStore::from(Arc::new(log) as Arc<dyn ExposureLog>);
        let world = Self {
            store,
            log: guard.for_log(Arc::new(log)),
            guard,
            registry,
        };
        world.mode(mode);
        world
    }

    fn mode(&self, mode: Mode) {
        *self.store.mode.lock().unwrap() = mode;
    }

    async fn get(&self) -> Result<(), StoreError> {
        let got = self.guard.get(b"k", Columns::All).await;
        got.map(drop)
    }

    fn get_at_once(&self, calls: usize) -> JoinSet<Result<(), StoreError>> {
        let mut tasks = JoinSet::new();
        for _ in 0..calls {
            let guard = Arc::clone(&self.guard);
            tasks.spawn(async move { guard.get(b"k", Columns::All).await.map(drop) });
        }
        tasks
    }

    async fn write(&self) -> Result<(), StoreError> {
        let batch = batch();
        let mut results = self.log.append(&batch).await;
        results.remove(0).map_err(|error| match error {
            WriteExposureError::Store(error) => error,
            other => panic!("{other:?}"),
        })
    }

    fn scrape(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).unwrap();
        text
    }
}

fn batch() -> ExposureBatch {
    let exposure = Exposure {
        request_id: "r".into(),
        flag: Cow::Owned("p/feature/f".parse().unwrap()),
        instance: InstanceId::new("A").unwrap(),
        value: Cow::Owned(FlagValue::Boolean(true)),
        rollout_group: "control".into(),
        reason: None,
        bucket: None,
        revision: None,
        from_cache: None,
        created: Timestamp::UNIX_EPOCH,
    };
    ExposureBatch::of(BatchId(1), CellFormat::Json, &[exposure])
}

fn failed_with(result: &Result<(), StoreError>, expected: &str) -> bool {
    let source = result.as_ref().err().and_then(std::error::Error::source);
    source.is_some_and(|source| source.to_string() == expected)
}

#[tokio::test(start_paused = true)]
async fn reads_are_bounded_and_all_end_at_their_deadline() {
    let world = World::new(Mode::Silent);
    let began = Instant::now();
    let results = world.get_at_once(1_000).join_all().await;
    assert!(began.elapsed() <= DEADLINE + Duration::from_millis(1));
    assert!(results.iter().all(Result::is_err));
    assert_eq!(world.store.max.load(Ordering::Relaxed), READS);
    let crowded = results
        .iter()
        .filter(|result| failed_with(result, "too many concurrent reads"));
    assert!(crowded.count() >= 1_000 - READS * (2 + WAITING_PER_READ));
    assert_eq!(world.guard.calls.waiting.load(Ordering::Relaxed), 0);
    assert!(world.scrape().contains("store_calls_in_flight 0"));
}

#[tokio::test(start_paused = true)]
async fn a_read_that_waits_gets_the_next_permit() {
    let world = World::new(Mode::Silent);
    let tasks = world.get_at_once(READS + 2);
    sleep(DEADLINE / 2).await;
    assert_eq!(world.store.calls.load(Ordering::Relaxed), READS);
    world.mode(Mode::Answers);
    world.store.woken.notify_waiters();
    assert!(tasks.join_all().await.iter().all(Result::is_ok));
    assert_eq!(world.store.calls.load(Ordering::Relaxed), READS + 2);
}

#[tokio::test(start_paused = true)]
async fn failures_in_a_row_are_answered_without_the_store() {
    let world = World::new(Mode::Fails);
    for _ in 0..5 {
        assert!(failed_with(&world.get().await, "down"));
    }
    for _ in 0..100 {
        assert!(failed_with(&world.get().await, "circuit open"));
    }
    assert_eq!(world.store.calls.load(Ordering::Relaxed), 5);
    let text = world.scrape();
    for line in [
        "store_circuit_open{circuit=\"reads\"} 1",
        "store_circuit_openings_total{circuit=\"reads\"} 1",
        "store_calls_total{operation=\"get\",outcome=\"unavailable\"} 5",
        "store_calls_rejected_total{operation=\"get\",reason=\"circuit_open\"} 100",
    ] {
        assert!(text.contains(line), "no {line} in {text}");
    }
    world.mode(Mode::Answers);
    advance(Duration::from_millis(500)).await;
    world.get().await.unwrap();
    assert!(
        world
            .scrape()
            .contains("store_circuit_open{circuit=\"reads\"} 0")
    );
}

#[tokio::test(start_paused = true)]
async fn a_store_is_found_again_though_nobody_asks() {
    let world = World::new(Mode::Fails);
    for _ in 0..5 {
        world.get().await.unwrap_err();
    }
    let guard = Arc::clone(&world.guard);
    let probing = tokio::spawn(async move { guard.probe().await });
    sleep(Duration::from_mins(1)).await;
    world.mode(Mode::Answers);
    sleep(Duration::from_millis(1_100)).await;
    assert!(!world.guard.read_circuit().is_open());
    let calls = world.store.calls.load(Ordering::Relaxed);
    sleep(Duration::from_mins(1)).await;
    assert_eq!(world.store.calls.load(Ordering::Relaxed), calls);
    probing.abort();
}

#[tokio::test(start_paused = true)]
async fn exposures_have_a_circuit_of_their_own_and_need_no_permit() {
    let world = World::new(Mode::Silent);
    let _reads = world.get_at_once(READS);
    sleep(Duration::from_millis(1)).await;
    world.mode(Mode::Fails);
    for _ in 0..5 {
        assert!(failed_with(&world.write().await, "down"));
    }
    assert!(failed_with(&world.write().await, "circuit open"));
    assert!(!world.guard.read_circuit().is_open());
    assert!(
        world
            .scrape()
            .contains("store_circuit_open{circuit=\"writes\"} 1")
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_that_nobody_waits_for_returns_its_permit() {
    let world = World::new(Mode::Silent);
    for _ in 0..READS * 2 {
        let gone = timeout(Duration::from_millis(1), world.get()).await;
        assert!(gone.is_err());
    }
    world.mode(Mode::Answers);
    world.get().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_scan_of_everything_may_take_longer() {
    let world = World::new(Mode::Silent);
    let scan = world.guard.scan(Scan::prefix(""));
    assert!(timeout(DEADLINE * 2, scan).await.is_err());
    let scan = Scan {
        order: Order::Descending,
        ..Scan::prefix("").limit(1)
    };
    let scan = world.guard.scan(scan);
    assert!(timeout(DEADLINE * 2, scan).await.unwrap().is_err());
}

/// As a log has them: taken apart into records they cost more, and one that cannot be read would hide all others.
#[tokio::test]
async fn batches_come_through_the_guard() {
    let directory = tempfile::tempdir().unwrap();
    let log: Arc<dyn ExposureLog> = Arc::new(EmbeddedLog::open(directory.path()).unwrap());
    let world = World::new(Mode::Answers);
    let guarded = world.guard.for_log(Arc::new(DeferredStore::from(log)));
    for result in guarded.append(&batch()).await {
        result.unwrap();
    }
    let flag = "p/feature/f".parse().unwrap();
    let scope = ExposureScope::Flag(&flag);
    let page = guarded.batches(scope, TimeRange::ALL, None, 10).await;
    let page = page.unwrap();
    assert_eq!((page.batches.len(), page.records.len()), (1, 0));
    guarded.close().await;
}

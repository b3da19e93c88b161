//! Facts about the gate, with a store that answers when it is told to.

use std::sync::Mutex;

use flag_store::Order;
use flag_store::memory::MemoryStore;
use prometheus_client::encoding::text::encode;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{advance, sleep, timeout};

use super::*;

const READS: usize = 4;
const DEADLINE: Duration = Duration::from_millis(280);

/// A store that is silent, fails, or answers, and knows how many calls it has had at once.
#[derive(Debug, Default)]
struct Moody {
    inner: MemoryStore,
    mood: Mutex<Mood>,
    under_way: AtomicUsize,
    most: AtomicUsize,
    calls: AtomicUsize,
    woken: Notify,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mood {
    #[default]
    Answers,
    Fails,
    Silent,
}

struct UnderWay<'a>(&'a Moody);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Moody {
    async fn call(&self) -> Result<(), StoreError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let under_way = self.under_way.fetch_add(1, Ordering::Relaxed) + 1;
        let _under_way = UnderWay(self);
        self.most.fetch_max(under_way, Ordering::Relaxed);
        let mood = *self.mood.lock().unwrap();
        match mood {
            Mood::Answers => Ok(()),
            Mood::Fails => Err(StoreError::Unavailable {
                source: "down".into(),
            }),
            Mood::Silent => {
                self.woken.notified().await;
                Ok(())
            }
        }
    }
}

impl RowStore for Moody {
    fn get<'a>(
        &'a self,
        table: Table,
        key: &'a [u8],
        columns: Columns<'a>,
    ) -> BoxFuture<'a, Result<Option<Row>, StoreError>> {
        Box::pin(async move {
            self.call().await?;
            self.inner.get(table, key, columns).await
        })
    }

    fn scan(&self, table: Table, scan: Scan) -> BoxFuture<'_, Result<Vec<Row>, StoreError>> {
        Box::pin(async move {
            self.call().await?;
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
        Box::pin(async move {
            if let Err(error) = self.call().await {
                return vec![Err(error)];
            }
            self.inner.write_batch(table, rows).await
        })
    }

    fn ping(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.call())
    }
}

struct World {
    store: Arc<Moody>,
    gate: Arc<Gate>,
    registry: Registry,
}

impl World {
    fn new(mood: Mood) -> Self {
        let store = Arc::new(Moody::default());
        let mut registry = Registry::default();
        let settings = GateSettings {
            reads: READS,
            deadline: DEADLINE,
        };
        let gate = Arc::new(Gate::new(store.clone(), settings, &mut registry));
        let world = Self {
            store,
            gate,
            registry,
        };
        world.mood(mood);
        world
    }

    fn mood(&self, mood: Mood) {
        *self.store.mood.lock().unwrap() = mood;
    }

    async fn get(&self) -> Result<(), StoreError> {
        let got = self.gate.get(Table::Flags, b"k", Columns::All).await;
        got.map(drop)
    }

    fn get_at_once(&self, calls: usize) -> JoinSet<Result<(), StoreError>> {
        let mut tasks = JoinSet::new();
        for _ in 0..calls {
            let gate = Arc::clone(&self.gate);
            tasks.spawn(async move { gate.get(Table::Flags, b"k", Columns::All).await.map(drop) });
        }
        tasks
    }

    async fn write(&self) -> Result<(), StoreError> {
        let row = Row {
            key: b"k".into(),
            cells: Cells::default().with("Name", "1"),
        };
        let mut results = self.gate.write_batch(Table::Exposures, &[row]).await;
        results.remove(0)
    }

    fn scrape(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).unwrap();
        text
    }
}

fn says(result: &Result<(), StoreError>, expected: &str) -> bool {
    let source = result.as_ref().err().and_then(std::error::Error::source);
    source.is_some_and(|source| source.to_string() == expected)
}

#[tokio::test(start_paused = true)]
async fn reads_are_bounded_and_all_end_at_their_deadline() {
    let world = World::new(Mood::Silent);
    let began = Instant::now();
    let results = world.get_at_once(1_000).join_all().await;
    assert!(began.elapsed() <= DEADLINE + Duration::from_millis(1));
    assert!(results.iter().all(Result::is_err));
    assert_eq!(world.store.most.load(Ordering::Relaxed), READS);
    let crowded = results
        .iter()
        .filter(|result| says(result, "too many reads under way"));
    assert!(crowded.count() >= 1_000 - READS * (2 + WAITING_PER_PLACE));
    assert_eq!(world.gate.waiting.load(Ordering::Relaxed), 0);
    assert!(world.scrape().contains("store_calls_in_flight 0"));
}

#[tokio::test(start_paused = true)]
async fn a_read_that_waits_gets_the_next_place() {
    let world = World::new(Mood::Silent);
    let tasks = world.get_at_once(READS + 2);
    sleep(DEADLINE / 2).await;
    assert_eq!(world.store.calls.load(Ordering::Relaxed), READS);
    world.mood(Mood::Answers);
    world.store.woken.notify_waiters();
    assert!(tasks.join_all().await.iter().all(Result::is_ok));
    assert_eq!(world.store.calls.load(Ordering::Relaxed), READS + 2);
}

#[tokio::test(start_paused = true)]
async fn failures_in_a_row_are_answered_without_the_store() {
    let world = World::new(Mood::Fails);
    for _ in 0..5 {
        assert!(says(&world.get().await, "down"));
    }
    for _ in 0..100 {
        assert!(says(&world.get().await, "circuit open"));
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
    world.mood(Mood::Answers);
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
    let world = World::new(Mood::Fails);
    for _ in 0..5 {
        world.get().await.unwrap_err();
    }
    let gate = Arc::clone(&world.gate);
    let probing = tokio::spawn(async move { gate.probe().await });
    sleep(Duration::from_mins(1)).await;
    world.mood(Mood::Answers);
    sleep(Duration::from_millis(1_100)).await;
    assert!(!world.gate.circuit().is_open());
    let calls = world.store.calls.load(Ordering::Relaxed);
    sleep(Duration::from_mins(1)).await;
    assert_eq!(world.store.calls.load(Ordering::Relaxed), calls);
    probing.abort();
}

#[tokio::test(start_paused = true)]
async fn exposures_have_a_circuit_of_their_own_and_need_no_place() {
    let world = World::new(Mood::Silent);
    let _reads = world.get_at_once(READS);
    sleep(Duration::from_millis(1)).await;
    world.mood(Mood::Fails);
    for _ in 0..5 {
        assert!(says(&world.write().await, "down"));
    }
    assert!(says(&world.write().await, "circuit open"));
    assert!(!world.gate.circuit().is_open());
    assert!(
        world
            .scrape()
            .contains("store_circuit_open{circuit=\"writes\"} 1")
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_that_nobody_waits_for_leaves_its_place() {
    let world = World::new(Mood::Silent);
    for _ in 0..READS * 2 {
        let gone = timeout(Duration::from_millis(1), world.get()).await;
        assert!(gone.is_err());
    }
    world.mood(Mood::Answers);
    world.get().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_scan_of_everything_may_take_longer() {
    let world = World::new(Mood::Silent);
    let scan = world.gate.scan(Table::Flags, Scan::prefix(""));
    assert!(timeout(DEADLINE * 2, scan).await.is_err());
    let scan = Scan {
        order: Order::Descending,
        ..Scan::prefix("").limit(1)
    };
    let scan = world.gate.scan(Table::Flags, scan);
    assert!(timeout(DEADLINE * 2, scan).await.unwrap().is_err());
}

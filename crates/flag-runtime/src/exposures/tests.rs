//! Facts about the recorder, and what the tests of its parts have in common: decisions, and a scripted store.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flag_model::{
    BucketScheme, FlagValue, HashAlgorithm, InstanceId, Reason, Revision, RevisionParts, Timestamp,
};
use flag_rollout::{Plan, decide};
use flag_store::scripted::{LogCall, ScriptedLog, Step};
use flag_store::{
    BatchId, CellFormat, ExposureBatch, ExposureLog, ExposureRecord, InstanceIdMode, StoreError,
};
use prometheus_client::registry::Registry;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use super::batch::PendingBatch;
use super::chunk::{CHUNK, CompactDecision, ServedDecision};
use super::*;
use crate::flags::{CacheEntry, test_settings};
use crate::log_lines::LogLines;

/// A flag that gives `false` to everybody.
pub(super) fn decided() -> Arc<CacheEntry> {
    decided_by("p/feature/f", FlagValue::Boolean(false))
}

/// A flag that gives a value to everybody.
pub(super) fn decided_by(flag: &str, control: FlagValue) -> Arc<CacheEntry> {
    let parts = RevisionParts {
        flag: flag.parse().unwrap(),
        scheme: BucketScheme::v1(HashAlgorithm::Md5),
        control,
        comment: "Test".to_owned(),
        owner: None,
        treatments: Vec::new(),
        rollback_of: None,
    };
    let created = Timestamp::parse("2024-10-01 08:00:00").unwrap();
    let plan = Plan::compile(Revision::new(created, parts).unwrap());
    Arc::new(CacheEntry::new(
        plan,
        None,
        created,
        Instant::now(),
        &test_settings(),
    ))
}

/// The reason of each exposure, and whether its flag came from the cache.
pub(super) fn reasons(batch: &ExposureBatch) -> Vec<(Reason, bool)> {
    let exposures = batch.exposures();
    exposures
        .map(|exposure| (exposure.reason.unwrap(), exposure.from_cache.unwrap()))
        .collect()
}

/// How exposures are written here.
pub(super) fn format() -> ExposureFormat {
    ExposureFormat {
        id_mode: InstanceIdMode::Plain,
        booleans: CellFormat::Json,
    }
}

/// What a flag gives to an instance, as served at some time.
pub(super) fn served<'a>(decided: &'a Arc<CacheEntry>, instance: &'a str) -> ServedDecision<'a> {
    let id = InstanceId::new(instance).unwrap();
    ServedDecision {
        request_id: "r-1",
        instance,
        entry: decided,
        decision: CompactDecision::from(&decide(decided.plan(), &id)),
        from_cache: true,
        served_at: Timestamp::parse("2026-11-22 10:00:00").unwrap(),
    }
}

/// A batch of this many exposures, which are due at once.
pub(super) fn batch_of(exposures: usize) -> PendingBatch {
    let decided = decided();
    let mut chunk = chunk::Chunk::new();
    for _ in 0..exposures {
        chunk.push(served(&decided, "A"));
    }
    PendingBatch::new(&chunk, &format())
}

/// What is left of a batch, which is due after the first pause.
pub(super) async fn rest_of(exposures: usize) -> PendingBatch {
    let store = Scripted::new(move |_, record| {
        if is_of(record, "B") {
            Ok(())
        } else {
            unavailable()
        }
    });
    let decided = decided();
    let mut chunk = chunk::Chunk::new();
    chunk.push(served(&decided, "B"));
    for _ in 0..exposures {
        chunk.push(served(&decided, "A"));
    }
    let attempt = PendingBatch::new(&chunk, &format())
        .write(&*store.log)
        .await;
    attempt.failed.unwrap().0
}

type Script = dyn Fn(usize, &ExposureRecord) -> Result<(), StoreError> + Send + Sync;

/// A log whose appends do what a script says, by the number of the call and the exposure.
pub(super) struct Scripted {
    pub(super) log: Arc<ScriptedLog>,
    script: Box<Script>,
    takes: Duration,
    pub(super) calls: AtomicUsize,
    /// How often each exposure was written.
    written: Mutex<BTreeMap<Vec<u8>, usize>>,
}

impl Scripted {
    pub(super) fn new(
        script: impl Fn(usize, &ExposureRecord) -> Result<(), StoreError> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Self::slow(Duration::ZERO, script)
    }

    pub(super) fn slow(
        takes: Duration,
        script: impl Fn(usize, &ExposureRecord) -> Result<(), StoreError> + Send + Sync + 'static,
    ) -> Arc<Self> {
        let scripted = Arc::new(Self {
            log: Arc::default(),
            script: Box::new(script),
            takes,
            calls: AtomicUsize::new(0),
            written: Mutex::default(),
        });
        let steps = Arc::downgrade(&scripted);
        scripted.log.script(move |call| {
            let scripted = steps.upgrade().unwrap();
            async move { scripted.step(call).await }
        });
        scripted
    }

    async fn step(&self, call: LogCall) -> Step {
        let records = match call {
            LogCall::Append(records) => records,
            LogCall::WriteCounts(..) => return Step::Pass,
            _ => panic!("exposures are only appended: {call:?}"),
        };
        let number = self.calls.fetch_add(1, Ordering::Relaxed);
        sleep(self.takes).await;
        let write = |record: &ExposureRecord| {
            (self.script)(number, record).err().or_else(|| {
                let mut written = self.written.lock().unwrap();
                *written.entry(record.key().to_vec()).or_default() += 1;
                None
            })
        };
        Step::FailOf(records.iter().map(write).collect())
    }

    /// How many exposures were written, and how often the one that was written most.
    pub(super) fn written(&self) -> (usize, usize) {
        let written = self.written.lock().unwrap();
        (written.len(), written.values().copied().max().unwrap_or(0))
    }
}

pub(super) fn unavailable() -> Result<(), StoreError> {
    Err(StoreError::Unavailable {
        source: "for the test".into(),
    })
}

pub(super) fn refused() -> Result<(), StoreError> {
    Err(StoreError::Refused {
        source: "for the test".into(),
    })
}

pub(super) fn is_of(record: &ExposureRecord, instance: &str) -> bool {
    String::from_utf8_lossy(record.key()).contains(&format!("#INSTANCEID#{instance}#"))
}

/// A recorder that writes into a store, with a queue for this many exposures; others are dropped.
pub(super) fn recorder_of(store: &Arc<Scripted>, queue: usize) -> ExposureRecorder {
    recorder(store, queue, Overflow::Drop, Duration::ZERO)
}

/// A recorder whose requests wait for room.
pub(super) fn waiting_recorder(
    store: &Arc<Scripted>,
    queue: usize,
    window: Duration,
) -> ExposureRecorder {
    recorder(store, queue, Overflow::Wait(WAIT), window)
}

/// How long requests wait here.
pub(super) const WAIT: Duration = Duration::from_millis(100);

pub(super) fn recorder(
    store: &Arc<Scripted>,
    queue: usize,
    overflow: Overflow,
    window: Duration,
) -> ExposureRecorder {
    let settings = settings(queue, overflow, window);
    let log: Arc<dyn ExposureLog> = store.log.clone();
    let background = (Arc::clone(&log), &Handle::current());
    ExposureRecorder::start(log, background, &settings, &mut Registry::default())
}

pub(super) fn settings(queue: usize, overflow: Overflow, window: Duration) -> ExposureSettings {
    ExposureSettings {
        recording: Recording::On,
        queue,
        overflow,
        retention: Duration::ZERO,
        dedup: DedupSettings {
            window,
            entries: 1_000,
        },
        created_bounds: CreatedBounds {
            max_age: Duration::from_hours(24),
            max_ahead: Duration::from_mins(1),
        },
        format: format(),
    }
}

pub(super) fn produce(log: &ExposureRecorder, instances: std::ops::Range<usize>) {
    let decided = decided();
    for instance in instances {
        log.queue.push(served(&decided, &format!("i{instance}")));
    }
}

pub(super) async fn flushed(log: &ExposureRecorder) -> usize {
    log.drain_and_stop(Instant::now() + Duration::from_secs(9))
        .await
}

#[tokio::test(start_paused = true)]
async fn a_flush_does_not_wait_for_long_pauses() {
    let began = Instant::now();
    let is_down = move || began.elapsed() < Duration::from_secs(30);
    let store = Scripted::new(move |_, _| if is_down() { unavailable() } else { Ok(()) });
    let log = recorder_of(&store, 10_000);
    produce(&log, 0..10);
    sleep(Duration::from_millis(29_990)).await;
    let began = Instant::now();
    assert_eq!(flushed(&log).await, 0);
    assert!(began.elapsed() < Duration::from_millis(500));
}

pub(super) fn plan() -> ServedPlan {
    ServedPlan::new(decided(), Source::Cache)
}

/// A runtime whose only thread does nothing until the sender is dropped, as one at idle priority on a busy processor.
fn starved() -> (tokio::runtime::Runtime, std::sync::mpsc::Sender<()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let (sender, receiver) = std::sync::mpsc::channel();
    let (begun, is_blocked) = std::sync::mpsc::channel();
    runtime.spawn(async move {
        begun.send(()).unwrap();
        let _ = receiver.recv();
    });
    is_blocked.recv().unwrap();
    (runtime, sender)
}

#[tokio::test(start_paused = true)]
async fn a_flush_needs_no_thread_of_the_background() {
    let (runtime, blocked) = starved();
    let store = Scripted::new(|_, _| Ok(()));
    let log: Arc<dyn ExposureLog> = store.log.clone();
    let settings = settings(1_000, Overflow::Drop, Duration::ZERO);
    let background = (Arc::clone(&log), runtime.handle());
    let recorder = ExposureRecorder::start(log, background, &settings, &mut Registry::default());
    produce(&recorder, 0..700);
    let (began, lines) = (Instant::now(), LogLines::collect());
    assert_eq!(flushed(&recorder).await, 0);
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "it waits for none either"
    );
    assert_eq!(lines.take(), [""; 0]);
    assert_eq!(store.written(), (700, 1));
    assert_eq!(recorder.writer_factory.counts.unwritten(), 0);
    drop(blocked);
    runtime.shutdown_background();
}

/// A recorder into a log that takes this long for counts, and what tells when it begins to write some.
fn slow_with_counts(takes: Duration) -> (ExposureRecorder, Arc<Notify>) {
    let store = Arc::new(ScriptedLog::default());
    let begins = Arc::new(Notify::new());
    let begun = Arc::clone(&begins);
    store.script(move |call| {
        let begun = Arc::clone(&begun);
        async move {
            if let LogCall::WriteCounts(..) = call {
                begun.notify_one();
                sleep(takes).await;
            }
            Step::Pass
        }
    });
    let settings = settings(10, Overflow::Drop, Duration::ZERO);
    let background = (store.clone() as Arc<dyn ExposureLog>, &Handle::current());
    let registry = &mut Registry::default();
    let recorder = ExposureRecorder::start(store.clone(), background, &settings, registry);
    (recorder, begins)
}

#[tokio::test(start_paused = true)]
async fn a_flush_waits_for_counts_that_are_being_written() {
    let (recorder, begins) = slow_with_counts(Duration::from_secs(1));
    produce(&recorder, 0..3);
    begins.notified().await;
    let (began, lines) = (Instant::now(), LogLines::collect());
    assert_eq!(flushed(&recorder).await, 0);
    assert_eq!(began.elapsed(), Duration::from_secs(1));
    assert_eq!(recorder.writer_factory.counts.unwritten(), 0);
    assert_eq!(lines.take(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn counts_that_a_flush_does_not_write_are_logged() {
    let (recorder, begins) = slow_with_counts(Duration::from_hours(1));
    produce(&recorder, 0..3);
    begins.notified().await;
    let (began, lines) = (Instant::now(), LogLines::collect());
    assert_eq!(flushed(&recorder).await, 0);
    assert_eq!(began.elapsed(), Duration::from_secs(9));
    let expected = "WARN stopped with counts of exposures that were not written";
    assert_eq!(lines.take(), [expected]);
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_is_flushed_without_a_pause() {
    let store = Scripted::new(|_, _| Ok(()));
    let log = recorder_of(&store, 20_000);
    sleep(Duration::from_millis(110)).await;
    produce(&log, 0..4 * CHUNK + 5);
    let began = Instant::now();
    assert_eq!(flushed(&log).await, 0);
    assert!(began.elapsed() < Duration::from_millis(50));
    assert_eq!(store.written(), (4 * CHUNK + 5, 1));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_lists_all_flags_is_logged_each_time_as_delivered() {
    let store = Scripted::new(|_, _| Ok(()));
    let log = waiting_recorder(&store, 10, Duration::from_hours(1));
    let instance = InstanceId::new("A").unwrap();
    for source in [Source::Cache, Source::Store, Source::Stale] {
        let plan = ServedPlan::new(decided(), source);
        let decision = decide(&plan, &instance);
        let _ = log.record("r-1", &instance, &decision, &plan).unwrap();
        let _ = log
            .record_delivered("r-2", &instance, &decision, &plan)
            .unwrap();
    }
    let chunk = log.queue.take(queue::TakeChunk::AlsoOpen).unwrap();
    let (batch, _) = chunk.batch(BatchId(1), &format());
    let expected = [
        (Reason::Control, true),
        (Reason::Delivered, true),
        (Reason::Delivered, false),
        (Reason::Delivered, true),
    ];
    assert_eq!(reasons(&batch), expected);
    assert_eq!(log.metrics.deduplicated.get(), 2);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_logged_where_recording_is_off() {
    let store = Arc::new(ScriptedLog::default());
    let settings = ExposureSettings {
        recording: Recording::Off,
        ..settings(10, Overflow::Drop, Duration::ZERO)
    };
    let background = (store.clone() as Arc<dyn ExposureLog>, &Handle::current());
    let registry = &mut Registry::default();
    let log = ExposureRecorder::start(store.clone(), background, &settings, registry);
    let (plan, instance) = (plan(), InstanceId::new("A").unwrap());
    let decision = decide(&plan, &instance);
    let _ = log.record("r-1", &instance, &decision, &plan).unwrap();
    let _ = log
        .record_delivered("r-2", &instance, &decision, &plan)
        .unwrap();
    assert_eq!(log.queue.totals(), queue::QueueTotals::default());
}

//! Facts about the queue and its writer together, with a scripted store.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flag_model::{
    BucketScheme, FlagValue, HashAlgorithm, InstanceId, Reason, Revision, RevisionParts, Timestamp,
};
use flag_rollout::{Plan, decide};
use flag_store::scripted::{LogCall, ScriptedLog, Step};
use flag_store::{
    BatchId, BoxError, Counted, CountsQuery, CountsScope, ExposureLog, ExposureRecord,
    InstanceIdMode, Minute, Spelling, StoreError,
};
use prometheus_client::registry::Registry;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use super::batch::Batch;
use super::chunk::{CHUNK, CompactDecision, ServedDecision};
use super::log_lines::LogLines;
use super::*;
use crate::flags::{CacheEntry, test_settings};

/// A flag that gives `false` to everybody.
pub(super) fn decided() -> Arc<CacheEntry> {
    decided_by("p/feature/f", FlagValue::Boolean(false))
}

/// A flag that gives a value to everybody.
fn decided_by(flag: &str, control: FlagValue) -> Arc<CacheEntry> {
    let parts = RevisionParts {
        flag: flag.parse().unwrap(),
        format: BucketScheme::v1(HashAlgorithm::Md5),
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

/// How exposures are written here.
pub(super) fn format() -> ExposureFormat {
    ExposureFormat {
        id_mode: InstanceIdMode::Plain,
        booleans: Spelling::Json,
    }
}

/// What a flag gives to an instance, as served at some time.
pub(super) fn served<'a>(decided: &'a Arc<CacheEntry>, instance: &'a str) -> ServedDecision<'a> {
    let id = InstanceId::new(instance).unwrap();
    ServedDecision {
        request_id: "r-1",
        instance,
        flag: decided,
        decision: CompactDecision::from(&decide(decided.plan(), &id)),
        from_cache: true,
        created: Timestamp::parse("2026-11-22 10:00:00").unwrap(),
    }
}

/// An entry of a client.
pub(super) fn entry(request: &str) -> Exposure<'_> {
    Exposure {
        request_id: request.into(),
        flag: Cow::Owned("p/feature/f".parse().unwrap()),
        instance: InstanceId::new("A").unwrap(),
        value: Cow::Owned(FlagValue::Boolean(true)),
        rollout_group: "treatment_1".into(),
        reason: None,
        bucket: None,
        revision: None,
        from_cache: None,
        created: SystemClock.now(),
    }
}

/// A batch of this many exposures, which are due at once.
pub(super) fn batch_of(exposures: usize) -> Batch {
    let decided = decided();
    let mut chunk = chunk::Chunk::new();
    for _ in 0..exposures {
        chunk.push(served(&decided, "A"));
    }
    Batch::new(&chunk, &format())
}

/// What is left of a batch, which is due after the first pause.
pub(super) async fn rest_of(exposures: usize) -> Batch {
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
    let attempt = Batch::new(&chunk, &format()).write(&*store.log).await;
    attempt.failed.unwrap().0
}

type Script = dyn Fn(usize, &ExposureRecord) -> Result<(), StoreError> + Send + Sync;

/// A log whose appends do what a script says, by the number of the call and the exposure.
struct Scripted {
    log: Arc<ScriptedLog>,
    script: Box<Script>,
    takes: Duration,
    calls: AtomicUsize,
    /// How often each exposure was written.
    written: Mutex<BTreeMap<Vec<u8>, usize>>,
}

impl Scripted {
    fn new(
        script: impl Fn(usize, &ExposureRecord) -> Result<(), StoreError> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Self::slow(Duration::ZERO, script)
    }

    fn slow(
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
    fn written(&self) -> (usize, usize) {
        let written = self.written.lock().unwrap();
        (written.len(), written.values().copied().max().unwrap_or(0))
    }
}

fn unavailable() -> Result<(), StoreError> {
    Err(StoreError::Unavailable {
        source: "for the test".into(),
    })
}

fn refused() -> Result<(), StoreError> {
    Err(StoreError::Refused {
        source: "for the test".into(),
    })
}

fn is_of(record: &ExposureRecord, instance: &str) -> bool {
    String::from_utf8_lossy(record.key()).contains(&format!("#INSTANCEID#{instance}#"))
}

/// A recorder that writes into a store, with a queue for this many exposures; others are dropped.
fn recorder_of(store: &Arc<Scripted>, queue: usize) -> ExposureRecorder {
    recorder(store, queue, Overflow::Drop, Duration::ZERO)
}

/// A recorder whose requests wait for room.
fn waiting_recorder(store: &Arc<Scripted>, queue: usize, window: Duration) -> ExposureRecorder {
    recorder(store, queue, Overflow::Wait(WAIT), window)
}

/// How long requests wait here.
const WAIT: Duration = Duration::from_millis(100);

fn recorder(
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

fn settings(queue: usize, overflow: Overflow, window: Duration) -> ExposureSettings {
    ExposureSettings {
        recording: Recording::On,
        queue,
        overflow,
        retention: Duration::ZERO,
        dedup: DedupSettings {
            window,
            entries: 1_000,
        },
        created: CreatedBounds {
            max_age: Duration::from_hours(24),
            max_ahead: Duration::from_mins(1),
        },
        format: format(),
    }
}

fn produce(log: &ExposureRecorder, instances: std::ops::Range<usize>) {
    let decided = decided();
    for instance in instances {
        log.queue.push(served(&decided, &format!("i{instance}")));
    }
}

async fn flushed(log: &ExposureRecorder) -> usize {
    log.flush(Instant::now() + Duration::from_secs(9)).await
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_written_well_within_a_second() {
    let store = Scripted::new(|_, _| Ok(()));
    let log = recorder_of(&store, 10_000);
    produce(&log, 0..CHUNK + 1);
    sleep(Duration::from_millis(250)).await;
    assert_eq!(store.written(), (CHUNK + 1, 1));
    assert_eq!(log.queue.counts().written, CHUNK as u64 + 1);
}

#[tokio::test(start_paused = true)]
async fn what_failed_is_written_again_and_nothing_else() {
    let store = Scripted::new(|call, row| {
        let fails = call < 3 && row.key().iter().map(|byte| u32::from(*byte)).sum::<u32>() % 3 == 0;
        if fails { unavailable() } else { Ok(()) }
    });
    let log = recorder_of(&store, 10_000);
    produce(&log, 0..1_000);
    assert_eq!(flushed(&log).await, 0);
    assert_eq!(store.written(), (1_000, 1));
    assert!(store.calls.load(Ordering::Relaxed) > 3);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_down_loses_nothing() {
    let began = Instant::now();
    let is_down = move || began.elapsed() < Duration::from_mins(1);
    let store = Scripted::new(move |_, _| if is_down() { unavailable() } else { Ok(()) });
    let log = recorder_of(&store, 20_000);
    produce(&log, 0..15_000);
    sleep(Duration::from_secs(59)).await;
    let counts = log.queue.counts();
    assert_eq!((counts.pending, counts.written), (15_000, 0));
    let calls = store.calls.load(Ordering::Relaxed);
    assert!(calls < 4 * 60, "{calls} calls in a minute are no backoff");
    sleep(Duration::from_secs(4)).await;
    assert_eq!(store.written(), (15_000, 1));
    assert_eq!(log.queue.counts().pending, 0);
}

#[tokio::test(start_paused = true)]
async fn one_row_that_always_fails_holds_up_no_other() {
    let store = Scripted::new(|_, row| {
        if is_of(row, "i7") {
            unavailable()
        } else {
            Ok(())
        }
    });
    let log = recorder_of(&store, 10_000);
    produce(&log, 0..5_000);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(log.queue.counts().pending, 1);
    assert_eq!(flushed(&log).await, 1);
    assert_eq!(store.written(), (4_999, 1));
}

#[tokio::test(start_paused = true)]
async fn what_the_store_refuses_is_dropped_alone() {
    let store = Scripted::new(|_, row| if is_of(row, "i7") { refused() } else { Ok(()) });
    let log = recorder_of(&store, 10_000);
    produce(&log, 0..20);
    assert_eq!(flushed(&log).await, 0);
    let counts = log.queue.counts();
    assert_eq!((counts.written, counts.dropped.refused), (19, 1));
    assert_eq!(store.calls.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn what_an_operator_corrects_loses_nothing() {
    let errors: [fn(BoxError) -> StoreError; 2] = [
        |source| StoreError::Misconfigured { source },
        |source| StoreError::Broken { source },
    ];
    for error in errors {
        let began = Instant::now();
        let is_wrong = move || began.elapsed() < Duration::from_mins(1);
        let fails = move || Err(error("for the test".into()));
        let store = Scripted::new(move |_, _| if is_wrong() { fails() } else { Ok(()) });
        let log = recorder_of(&store, 1_000);
        produce(&log, 0..1_100);
        sleep(Duration::from_secs(59)).await;
        let counts = log.queue.counts();
        assert_eq!((counts.pending, counts.dropped.queue_full), (1_000, 100));
        sleep(Duration::from_secs(4)).await;
        assert_eq!(store.written(), (1_000, 1));
        assert_eq!(log.queue.counts().dropped.refused, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn an_adapter_that_panics_is_counted() {
    let store = Scripted::new(|call, _| {
        if call == 0 {
            panic!("for the test")
        } else {
            Ok(())
        }
    });
    let log = recorder_of(&store, 10_000);
    produce(&log, 0..20);
    sleep(Duration::from_secs(1)).await;
    produce(&log, 20..30);
    assert_eq!(flushed(&log).await, 0);
    let counts = log.queue.counts();
    assert_eq!((counts.written, counts.dropped.refused), (10, 20));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_is_not_waited_for() {
    let store = Scripted::slow(Duration::from_hours(1), |_, _| Ok(()));
    let log = recorder_of(&store, 1_000);
    produce(&log, 0..3_000);
    let began = Instant::now();
    assert_eq!(flushed(&log).await, 1_000);
    assert_eq!(began.elapsed(), Duration::from_secs(9));
    assert_eq!(log.queue.counts().dropped.queue_full, 2_000);
    assert!(store.calls.load(Ordering::Relaxed) <= 4);
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

/// Records an answer as a handler does; whether it may be given.
async fn answers(log: &ExposureRecorder, current: &ServedPlan, instance: &str) -> bool {
    let instance = InstanceId::new(instance).unwrap();
    let decision = decide(current, &instance);
    match log.record("r-1", &instance, &decision, current) {
        Ok(_) => true,
        Err(later) => later.wait().await.is_ok(),
    }
}

fn current() -> ServedPlan {
    ServedPlan::new(decided(), Source::Cache)
}

/// How many exposures were produced, and how many answers waited and were accepted, and were refused.
fn waits(log: &ExposureRecorder) -> (u64, u64, u64) {
    let metrics = &log.metrics;
    let produced = log.queue.counts().produced;
    (produced, metrics.waited.get(), metrics.refused.get())
}

#[tokio::test(start_paused = true)]
async fn an_answer_waits_until_its_exposure_has_room() {
    let store = Scripted::slow(Duration::from_millis(10), |_, _| Ok(()));
    let log = waiting_recorder(&store, 2, Duration::ZERO);
    let (current, began) = (current(), Instant::now());
    let instances: Vec<String> = (0..10).map(|instance| format!("i{instance}")).collect();
    let asked = instances
        .iter()
        .map(|instance| answers(&log, &current, instance));
    let answered = futures_util::future::join_all(asked).await;
    assert_eq!(answered, [true; 10]);
    assert!(
        began.elapsed() >= Duration::from_millis(40),
        "five batches of two"
    );
    assert_eq!(waits(&log), (10, 8, 0));
    assert_eq!(flushed(&log).await, 0);
    assert_eq!(store.written(), (10, 1));
    assert_eq!(log.queue.counts().dropped.queue_full, 0);
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_room_in_time_is_refused_and_not_counted() {
    let store = Scripted::slow(Duration::from_hours(1), |_, _| Ok(()));
    let log = waiting_recorder(&store, 1, Duration::ZERO);
    let (current, began) = (current(), Instant::now());
    assert!(answers(&log, &current, "A").await);
    assert!(!answers(&log, &current, "B").await);
    assert_eq!(began.elapsed(), WAIT);
    assert_eq!((waits(&log), log.queue.waiting()), ((1, 0, 1), 0));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_gone_keeps_no_place() {
    let store = Scripted::slow(Duration::from_millis(20), |_, _| Ok(()));
    let log = waiting_recorder(&store, 1, Duration::ZERO);
    let current = current();
    assert!(answers(&log, &current, "A").await);
    let gone = tokio::time::timeout(Duration::from_millis(5), answers(&log, &current, "B"));
    assert!(gone.await.is_err());
    assert_eq!(log.queue.waiting(), 0);
    assert!(answers(&log, &current, "C").await);
    assert_eq!(flushed(&log).await, 0);
    assert_eq!(store.written(), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn deduplication_remembers_an_answer_that_waited_and_none_that_was_refused() {
    let is_stuck = Arc::new(AtomicBool::new(true));
    let stuck = Arc::clone(&is_stuck);
    let store = Scripted::new(move |_, _| {
        if stuck.load(Ordering::Relaxed) {
            unavailable()
        } else {
            Ok(())
        }
    });
    let log = waiting_recorder(&store, 1, Duration::from_hours(1));
    let current = current();
    assert!(answers(&log, &current, "A").await);
    assert!(!answers(&log, &current, "B").await);
    let again = Instant::now();
    assert!(answers(&log, &current, "A").await);
    assert_eq!(
        again.elapsed(),
        Duration::ZERO,
        "a known answer waits for nothing"
    );
    is_stuck.store(false, Ordering::Relaxed);
    sleep(Duration::from_secs(3)).await;
    assert!(
        answers(&log, &current, "B").await,
        "a refused answer is logged the next time"
    );
    assert!(answers(&log, &current, "C").await);
    assert!(answers(&log, &current, "C").await);
    assert_eq!(flushed(&log).await, 0);
    assert_eq!(store.written(), (3, 1));
    assert_eq!(log.metrics.deduplicated.get(), 2);
    assert_eq!(waits(&log), (3, 1, 1));
}

#[test]
fn hashed_names_are_those_of_openssl_and_hide_the_bucket() {
    let id_mode = InstanceIdMode::hashed(b"a key of 16 byte").unwrap();
    let decided = decided();
    let mut chunk = chunk::Chunk::new();
    chunk.push(served(&decided, "A12345"));
    let bucket = |format: &ExposureFormat| {
        let (batch, invalid) = chunk.batch(BatchId(1), format);
        assert_eq!((batch.len(), invalid), (1, 0));
        batch.entries().next().unwrap().bucket
    };
    assert!(bucket(&format()).is_some());
    let hashed = ExposureFormat {
        id_mode,
        ..format()
    };
    assert_eq!(bucket(&hashed), None);
    // printf A12345 | openssl dgst -sha256 -hmac 'a key of 16 byte'
    let expected = "a4ce10b4b7a531092e0f1c12dca084858567345754813ce6d19f69f1e3e0cdbd";
    let (batch, _) = chunk.batch(BatchId(1), &hashed);
    let exposure = batch.exposures().next().unwrap();
    assert_eq!(exposure.instance.as_str(), expected);
    let record = exposure.record(Spelling::Json).unwrap();
    let key = str::from_utf8(record.key()).unwrap();
    assert!(key.contains(expected) && !key.contains("A12345"), "{key}");
}

#[test]
fn equal_decisions_share_a_template_and_others_have_their_own() {
    let [one, other] = [decided(), decided()];
    let first = served(&one, "A");
    let delivered = ServedDecision {
        decision: first.decision.delivered(),
        ..first
    };
    let read = ServedDecision {
        from_cache: false,
        ..first
    };
    let mut chunk = chunk::Chunk::new();
    for served in [first, first, delivered, first, read, served(&other, "A")] {
        chunk.push(served);
    }
    let (batch, _) = chunk.batch(BatchId(1), &format());
    let templates: Vec<_> = batch.entries().map(|entry| entry.template).collect();
    assert_eq!(templates[0], templates[1]);
    assert_ne!(templates[0], templates[5]);
    let exposures = batch.exposures();
    let logged: Vec<_> = exposures
        .map(|exposure| (exposure.reason.unwrap(), exposure.from_cache.unwrap()))
        .collect();
    let expected = [
        (Reason::Control, true),
        (Reason::Control, true),
        (Reason::Delivered, true),
        (Reason::Control, true),
        (Reason::Control, false),
        (Reason::Control, true),
    ];
    assert_eq!(logged, expected);
}

#[test]
fn a_chunk_is_full_of_exposures_or_of_the_bytes_of_texts_and_values() {
    let small = decided();
    let mut chunk = chunk::Chunk::new();
    for number in 1..=CHUNK {
        chunk.push(served(&small, "A"));
        assert_eq!(chunk.is_full(), number == CHUNK, "{number}");
    }
    let large = decided_by("p/data/f", FlagValue::Text("x".repeat(100_000).into()));
    let mut chunk = chunk::Chunk::new();
    // 1 MiB is 1,048,576 bytes.
    for number in 1..=11 {
        chunk.push(served(&large, "A"));
        assert_eq!(chunk.is_full(), number == 11, "{number}");
    }
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
    assert_eq!(recorder.writers.counts.unwritten(), 0);
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
    assert_eq!(recorder.writers.counts.unwritten(), 0);
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
    let expected = "stopped with counts of exposures that were not written";
    assert_eq!(lines.take(), [expected]);
}

#[tokio::test(start_paused = true)]
async fn a_chunk_that_is_not_full_waits_for_the_next_flush() {
    let store = Scripted::new(|_, _| Ok(()));
    let log = recorder_of(&store, 10_000);
    sleep(Duration::from_millis(150)).await;
    produce(&log, 0..CHUNK + 5);
    sleep(Duration::from_millis(20)).await;
    assert_eq!(store.written(), (CHUNK, 1));
    sleep(Duration::from_millis(40)).await;
    assert_eq!(store.written(), (CHUNK + 5, 1));
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
        let current = ServedPlan::new(decided(), source);
        let decision = decide(&current, &instance);
        let _ = log.record("r-1", &instance, &decision, &current).unwrap();
        let _ = log
            .record_delivered("r-2", &instance, &decision, &current)
            .unwrap();
    }
    let chunk = log.queue.take(queue::TakeChunk::AlsoOpen).unwrap();
    let (batch, _) = chunk.batch(BatchId(1), &format());
    let exposures = batch.exposures();
    let logged: Vec<_> = exposures
        .map(|exposure| (exposure.reason.unwrap(), exposure.from_cache.unwrap()))
        .collect();
    let expected = [
        (Reason::Control, true),
        (Reason::Delivered, true),
        (Reason::Delivered, false),
        (Reason::Delivered, true),
    ];
    assert_eq!(logged, expected);
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
    let (current, instance) = (current(), InstanceId::new("A").unwrap());
    let decision = decide(&current, &instance);
    let _ = log.record("r-1", &instance, &decision, &current).unwrap();
    let _ = log
        .record_delivered("r-2", &instance, &decision, &current)
        .unwrap();
    assert_eq!(log.queue.counts(), queue::QueueTotals::default());
}

#[tokio::test(start_paused = true)]
async fn entries_of_clients_are_counted_by_outcome() {
    let store = Scripted::new(|_, _| Ok(()));
    let log = recorder_of(&store, 10);
    store.log.script(|call| async move {
        match call {
            LogCall::InsertIfAbsent(record) if is_of(&record, "B") => {
                Step::Fail(StoreError::Unavailable {
                    source: "for the test".into(),
                })
            }
            _ => Step::Pass,
        }
    });
    let too_long = "x".repeat(5_000);
    let failing = Exposure {
        instance: InstanceId::new("B").unwrap(),
        ..entry("r-1")
    };
    let entries = vec![
        entry("r-1"),
        failing,
        entry(&too_long),
        entry("r-2"),
        entry("r-3"),
    ];
    let results = log.write_entries(entries).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 3);
    log.count_invalid(4);
    let metrics = &log.metrics;
    let counted = (
        metrics.stored.get(),
        metrics.invalid.get(),
        metrics.failed.get(),
    );
    assert_eq!(counted, (3, 1 + 4, 1));
}

#[tokio::test(start_paused = true)]
async fn an_entry_of_a_client_counts_once_however_often_it_is_sent() {
    let store = Arc::new(ScriptedLog::default());
    let log: Arc<dyn ExposureLog> = store.clone();
    let settings = settings(10, Overflow::Drop, Duration::ZERO);
    let background = (Arc::clone(&log), &Handle::current());
    let recorder = ExposureRecorder::start(log, background, &settings, &mut Registry::default());
    let decided = decided();
    let now = SystemClock.now();
    for sent in [&["r-1", "r-2", "r-1"][..], &["r-2", "r-3"]] {
        let entries = sent.iter().map(|of| Exposure {
            created: now,
            ..entry(of)
        });
        let results = recorder.write_entries(entries.collect());
        assert!(results.await.iter().all(Result::is_ok));
    }
    assert_eq!(recorder.writers.counts.unwritten(), 3);
    assert_eq!(flushed(&recorder).await, 0);
    let query = CountsQuery {
        scope: CountsScope::Flag(decided.plan().flag()),
        since: Minute::of(now),
        until: Minute::of(now).plus(1),
    };
    let counts = store.store().counts(query).await.unwrap();
    let counted = Counted::Group {
        revision: None,
        rollout_group: "treatment_1".to_owned(),
        reason: None,
    };
    assert_eq!(counts[0].entries(), [(counted, 3)]);
}

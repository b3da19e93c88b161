//! Measures what an exposure costs the thread that answers, and the processor time of all threads until it is in the
//! embedded store: `cargo bench -p flag-runtime --bench exposures [-- PART OF A NAME]`. Linux only.
#![allow(clippy::unwrap_used, reason = "benches")]

mod warm;

use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, Throughput};
use flag_model::InstanceId;
use flag_rollout::decide;
use flag_runtime::{
    CreatedBounds, DedupSettings, ExposureFormat, ExposureRecorder, ExposureSettings, Overflow,
    Recording, ServedPlan, exposure_runtime,
};
use flag_store::{CellFormat, ExposureLog, InstanceIdMode};
use flag_store_embedded::{EmbeddedLog, WriterPriority};
use prometheus_client::registry::Registry;
use tokio::runtime::Runtime;
use tokio::time::Instant;
use uuid::Uuid;

/// Exposures of one run.
const EXPOSURES: usize = 200_000;

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .configure_from_args();
    let runtime = Runtime::new().unwrap();
    let cache = runtime.block_on(warm::cache());
    let plan = cache.get_fresh(warm::KNOWN, Instant::now()).unwrap();
    let ids: Vec<_> = (0..EXPOSURES)
        .map(|id| (Uuid::now_v7().to_string(), instance(id)))
        .collect();
    let mut group = criterion.benchmark_group("exposure");
    group.throughput(Throughput::Elements(EXPOSURES as u64));
    group.bench_function("record, time of the thread that answers", |bencher| {
        bencher.iter_custom(|times| {
            let run = |_| {
                let pipeline = Pipeline::start(&runtime, 2 * EXPOSURES);
                let before = processor_time("/proc/thread-self");
                pipeline.record(&plan, &ids);
                processor_time("/proc/thread-self").saturating_sub(before)
            };
            (0..times).map(run).sum()
        });
    });
    group.bench_function("record and write, time of all threads", |bencher| {
        bencher.iter_custom(|times| {
            let run = |_| {
                let pipeline = Pipeline::start(&runtime, 100_000);
                let before = time_of_all_threads();
                pipeline.record(&plan, &ids);
                pipeline.flush();
                time_of_all_threads().saturating_sub(before)
            };
            (0..times).map(run).sum()
        });
    });
    group.finish();
    criterion.final_summary();
}

/// A recorder that writes into an embedded store.
struct Pipeline<'a> {
    runtime: &'a Runtime,
    recorder: ExposureRecorder,
    background: Option<Runtime>,
    _directory: tempfile::TempDir,
}

impl<'a> Pipeline<'a> {
    fn start(runtime: &'a Runtime, queue: usize) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let log = EmbeddedLog::open_at(WriterPriority::Normal, directory.path()).unwrap();
        let log: Arc<dyn ExposureLog> = Arc::new(log);
        let background = exposure_runtime(WriterPriority::Normal).unwrap();
        let settings = ExposureSettings {
            recording: Recording::On,
            queue,
            overflow: Overflow::Wait(Duration::from_mins(1)),
            dedup: DedupSettings {
                window: Duration::ZERO,
                entries: 1_000,
            },
            created_bounds: CreatedBounds {
                max_age: Duration::from_hours(1),
                max_ahead: Duration::from_mins(1),
            },
            retention: Duration::ZERO,
            format: ExposureFormat {
                id_mode: InstanceIdMode::Plain,
                booleans: CellFormat::Json,
            },
        };
        let _entered = runtime.enter();
        let recorder = ExposureRecorder::start(
            Arc::clone(&log),
            (log, background.handle()),
            &settings,
            &mut Registry::default(),
        );
        Self {
            runtime,
            recorder,
            background: Some(background),
            _directory: directory,
        }
    }

    fn record(&self, plan: &ServedPlan, ids: &[(String, InstanceId<'_>)]) {
        for (request_id, instance) in ids {
            let decision = decide(plan, instance);
            if let Err(later) = self.recorder.record(request_id, instance, &decision, plan) {
                let _ = self.runtime.block_on(later.wait()).unwrap();
            }
        }
    }

    fn flush(&self) {
        let deadline = Instant::now() + Duration::from_mins(1);
        assert_eq!(
            self.runtime
                .block_on(self.recorder.drain_and_stop(deadline)),
            0
        );
    }
}

impl Drop for Pipeline<'_> {
    fn drop(&mut self) {
        if let Some(background) = self.background.take() {
            background.shutdown_background();
        }
    }
}

/// The processor time that all threads of this process have taken so far. A thread that has ended does not count.
fn time_of_all_threads() -> Duration {
    let threads = std::fs::read_dir("/proc/self/task").unwrap();
    let paths = threads.map(|thread| thread.unwrap().path());
    paths
        .map(|thread| processor_time(thread.to_str().unwrap()))
        .sum()
}

/// The processor time that a thread has taken so far; zero if it has ended.
fn processor_time(thread: &str) -> Duration {
    let stat = std::fs::read_to_string(format!("{thread}/schedstat")).unwrap_or_default();
    let nanos = stat.split(' ').next().and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.unwrap_or_default())
}

fn instance(number: usize) -> InstanceId<'static> {
    InstanceId::new(format!("u-{:010x}", number.wrapping_mul(0x9e37_79b9))).unwrap()
}

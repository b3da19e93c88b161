//! Facts about entries of clients, alone and with the recorder.

use std::borrow::Cow;

use flag_model::{FlagValue, InstanceId};
use flag_store::Minute;
use flag_store::scripted::{LogCall, ScriptedLog, Step};
use prometheus_client::registry::Registry;
use tokio::time::Instant;

use super::*;
use crate::exposures::ExposureRecorder;
use crate::exposures::overflow::Overflow;
use crate::exposures::tests::{Scripted, decided, flushed, format, is_of, recorder_of, settings};

/// Writes entries into a log that does what a script says.
async fn write<F: Future<Output = Step> + Send + 'static>(
    requests: &[String],
    script: impl Fn(LogCall) -> F + Send + Sync + 'static,
) -> (Vec<Result<(), WriteExposureError>>, Arc<MinuteCounter>) {
    let log = ScriptedLog::default();
    log.script(script);
    let counts = Arc::new(MinuteCounter::new());
    let writer = ClientEntryWriter::new(
        Arc::new(log),
        format(),
        Arc::clone(&counts),
        Handle::current(),
    );
    let created = SystemClock.now();
    let entries = requests.iter().map(|request| Exposure {
        created,
        ..entry(request)
    });
    (writer.write(entries.collect()).await, counts)
}

#[tokio::test(start_paused = true)]
async fn a_log_that_hangs_is_waited_for_two_seconds() {
    let began = Instant::now();
    let requests = ["r-1", "r-2"].map(str::to_owned);
    let (results, counts) = write(&requests, |_| std::future::pending()).await;
    assert_eq!((results.len(), began.elapsed()), (2, TIMEOUT));
    for result in results {
        let is_late = |error| {
            matches!(
                error,
                WriteExposureError::Store(StoreError::TimedOut { .. })
            )
        };
        assert!(result.is_err_and(is_late));
    }
    assert_eq!(counts.unwritten(), 0);
}

#[tokio::test(start_paused = true)]
async fn each_entry_has_its_own_result_in_order() {
    let too_long = "x".repeat(5_000);
    let requests = ["ok", &too_long, "fails", "ok", "last"].map(str::to_owned);
    let (results, counts) = write(&requests, |call| async move {
        let LogCall::InsertIfAbsent(record) = call else {
            return Step::Pass;
        };
        if String::from_utf8_lossy(record.key()).contains("#REQUESTID#fails#") {
            return Step::Fail(StoreError::Unavailable {
                source: "for the test".into(),
            });
        }
        Step::Pass
    })
    .await;
    let found = results.iter().map(|result| match result {
        Ok(()) => "stored",
        Err(WriteExposureError::Invalid(_)) => "invalid",
        Err(WriteExposureError::Differs { .. }) => "differs",
        Err(WriteExposureError::Store(_)) => "failed",
    });
    assert_eq!(
        found.collect::<Vec<_>>(),
        ["stored", "invalid", "failed", "stored", "stored"]
    );
    assert_eq!(counts.unwritten(), 2);
}

/// An entry of a client.
fn entry(request: &str) -> Exposure<'_> {
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
    let results = log.write_from_client(entries).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 3);
    log.count_invalid(4);
    let metrics = &log.metrics;
    let counted = (
        metrics.entries_stored.get(),
        metrics.entries_invalid.get(),
        metrics.entries_failed.get(),
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
        let results = recorder.write_from_client(entries.collect());
        assert!(results.await.iter().all(Result::is_ok));
    }
    assert_eq!(recorder.writer_factory.counts.unwritten(), 3);
    assert_eq!(flushed(&recorder).await, 0);
    let minute = Minute::of(now)..Minute::of(now).plus(1);
    let log = store.store();
    let counts = log.counts(decided.plan().flag(), minute).await.unwrap();
    let count_key = CountKey::Group {
        revision: None,
        rollout_group: "treatment_1".to_owned(),
        reason: None,
    };
    assert_eq!(counts[0].entries(), [(count_key, 3)]);
}

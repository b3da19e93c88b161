//! Facts about the writer, alone and with the queue and a scripted store.

use std::sync::atomic::Ordering;

use flag_store::BoxError;
use flag_store::scripted::{ScriptedLog, Step};
use prometheus_client::registry::Registry;
use tokio::time::{advance, sleep};

use super::*;
use crate::exposures::overflow::Overflow;
use crate::exposures::tests::{
    Scripted, batch_of, flushed, format, is_of, produce, recorder_of, refused, rest_of, unavailable,
};
use crate::log_lines::LogLines;

/// A writer that has written nothing yet, into a store that never answers.
fn writer() -> Writer {
    let log = ScriptedLog::default();
    log.script(|_| std::future::pending::<Step>());
    Writer::new(
        Arc::new(Queue::new(10_000, Overflow::Drop)),
        Arc::new(log),
        format(),
        WriteMetrics::register(&mut Registry::default()),
        Arc::new(MinuteCounter::new()),
    )
}

#[tokio::test]
async fn a_chunk_is_taken_while_exposures_and_batches_are_below_their_limits() {
    let check = |failed: &[usize], calls: usize, expected: bool| {
        let mut writer = writer();
        writer.failed = failed
            .iter()
            .map(|exposures| batch_of(*exposures))
            .collect();
        for _ in 0..calls {
            writer.calls.spawn(std::future::pending());
        }
        assert_eq!(writer.may_begin(), expected, "{failed:?} and {calls} calls");
    };
    check(&[], 3, true);
    check(&[], 4, false);
    check(&[1_999], 3, true);
    check(&[2_000], 3, false);
    check(&[1_000, 999], 3, true);
    check(&[2_000; 3], 1, false);
    check(&[1; 15], 0, true);
    check(&[1; 16], 0, false);
}

#[tokio::test]
async fn at_most_four_retries_are_written_at_the_same_time() {
    let mut writer = writer();
    writer.failed = (0..6).map(batch_of).collect();
    writer.begin_calls(TakeChunk::SealedOnly, Phase::Working);
    assert_eq!((writer.calls.len(), writer.failed.len()), (4, 2));
}

#[tokio::test(start_paused = true)]
async fn rests_that_are_due_are_written_together_as_far_as_they_fit() {
    let mut writer = writer();
    for exposures in [3, 1_996, 2, 1] {
        writer.failed.push(rest_of(exposures).await);
    }
    writer.failed.push(batch_of(1));
    advance(Duration::from_millis(100)).await;
    writer.failed.push(rest_of(1).await);
    let joined = writer.next_due().map(|batch| batch.len());
    assert_eq!(joined, Some(3 + 1_996 + 1));
    let left: Vec<_> = writer.failed.iter().map(PendingBatch::len).collect();
    assert_eq!(
        left,
        [1, 2, 1],
        "one is not due, one does not fit, and one is no rest"
    );
}

fn broken() -> StoreError {
    StoreError::Broken {
        source: "for the test".into(),
    }
}

const FAILS: &str = "WARN exposures cannot be written; they are kept and written later";
const NEEDS_OPERATOR: &str = "WARN exposures cannot be written until an operator corrects the store; they are kept until the queue is full";
const RECOVERED: &str = "INFO exposures are written again";

/// Notes results, and compares what is logged of each.
#[track_caller]
fn check_lines(writer: &mut Writer, lines: &LogLines, results: &[(Option<StoreError>, &[&str])]) {
    for (place, (error, expected)) in results.iter().enumerate() {
        writer.note_failed(error.as_ref());
        assert_eq!(lines.take(), *expected, "{error:?} at place {place}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_logged_when_it_begins_and_ten_seconds_after_its_last_failure() {
    let (mut writer, lines) = (writer(), LogLines::collect());
    for _ in 0..2 {
        let begins: &[(_, &[_])] = &[(None, &[]), (unavailable().err(), &[FAILS]), (None, &[])];
        check_lines(&mut writer, &lines, begins);
        advance(RECOVERED_AFTER).await;
        check_lines(&mut writer, &lines, &[(unavailable().err(), &[])]);
        advance(Duration::from_millis(9_999)).await;
        check_lines(&mut writer, &lines, &[(None, &[])]);
        advance(Duration::from_millis(1)).await;
        check_lines(&mut writer, &lines, &[(None, &[RECOVERED]), (None, &[])]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_operator_is_called_once_in_an_outage() {
    let (mut writer, lines) = (writer(), LogLines::collect());
    for _ in 0..2 {
        let begins: &[(_, &[_])] = &[
            (unavailable().err(), &[FAILS]),
            (Some(broken()), &[NEEDS_OPERATOR]),
            (unavailable().err(), &[]),
            (Some(broken()), &[]),
        ];
        check_lines(&mut writer, &lines, begins);
        advance(RECOVERED_AFTER).await;
        check_lines(&mut writer, &lines, &[(None, &[RECOVERED])]);
    }
}

#[tokio::test(start_paused = true)]
async fn refused_exposures_are_logged_once_and_their_end_once() {
    let (mut writer, lines) = (writer(), LogLines::collect());
    let mut check = |refused: bool, expected: &[&str]| {
        let error = || StoreError::Refused {
            source: "for the test".into(),
        };
        writer.note_refused(refused.then(|| (1, error())));
        assert_eq!(lines.take(), expected);
    };
    let begins = "WARN the store refuses exposures; they are dropped";
    for _ in 0..2 {
        check(false, &[]);
        check(true, &[begins]);
        check(true, &[]);
        advance(Duration::from_millis(9_999)).await;
        check(false, &[]);
        advance(Duration::from_millis(1)).await;
        check(false, &["INFO the store accepts exposures again"]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_written_well_within_a_second() {
    let store = Scripted::new(|_, _| Ok(()));
    let log = recorder_of(&store, 10_000);
    produce(&log, 0..CHUNK + 1);
    sleep(Duration::from_millis(250)).await;
    assert_eq!(store.written(), (CHUNK + 1, 1));
    assert_eq!(log.queue.totals().written, CHUNK as u64 + 1);
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
    let counts = log.queue.totals();
    assert_eq!((counts.pending, counts.written), (15_000, 0));
    let calls = store.calls.load(Ordering::Relaxed);
    assert!(calls < 4 * 60, "{calls} calls in a minute are no backoff");
    sleep(Duration::from_secs(4)).await;
    assert_eq!(store.written(), (15_000, 1));
    assert_eq!(log.queue.totals().pending, 0);
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
    assert_eq!(log.queue.totals().pending, 1);
    assert_eq!(flushed(&log).await, 1);
    assert_eq!(store.written(), (4_999, 1));
}

#[tokio::test(start_paused = true)]
async fn what_the_store_refuses_is_dropped_alone() {
    let store = Scripted::new(|_, row| if is_of(row, "i7") { refused() } else { Ok(()) });
    let log = recorder_of(&store, 10_000);
    produce(&log, 0..20);
    assert_eq!(flushed(&log).await, 0);
    let counts = log.queue.totals();
    assert_eq!((counts.written, counts.dropped.refused_by_store), (19, 1));
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
        let counts = log.queue.totals();
        assert_eq!((counts.pending, counts.dropped.queue_full), (1_000, 100));
        sleep(Duration::from_secs(4)).await;
        assert_eq!(store.written(), (1_000, 1));
        assert_eq!(log.queue.totals().dropped.refused_by_store, 0);
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
    let counts = log.queue.totals();
    assert_eq!((counts.written, counts.dropped.refused_by_store), (10, 20));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_is_not_waited_for() {
    let store = Scripted::slow(Duration::from_hours(1), |_, _| Ok(()));
    let log = recorder_of(&store, 1_000);
    produce(&log, 0..3_000);
    let began = Instant::now();
    assert_eq!(flushed(&log).await, 1_000);
    assert_eq!(began.elapsed(), Duration::from_secs(9));
    assert_eq!(log.queue.totals().dropped.queue_full, 2_000);
    assert!(store.calls.load(Ordering::Relaxed) <= 4);
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

//! Facts about answers that wait for room, with the queue, its writer and a scripted store.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use flag_model::InstanceId;
use flag_rollout::decide;
use tokio::time::{Instant, sleep};

use super::*;
use crate::exposures::tests::{Scripted, WAIT, flushed, plan, unavailable, waiting_recorder};
use crate::flags::ServedPlan;

/// Records an answer as a handler does; whether it may be given.
async fn answers(log: &ExposureRecorder, plan: &ServedPlan, instance: &str) -> bool {
    let instance = InstanceId::new(instance).unwrap();
    let decision = decide(plan, &instance);
    match log.record("r-1", &instance, &decision, plan) {
        Ok(_) => true,
        Err(later) => later.wait().await.is_ok(),
    }
}

/// How many exposures were produced, and how many answers waited and were accepted, and were refused.
fn waits(log: &ExposureRecorder) -> (u64, u64, u64) {
    let metrics = &log.metrics;
    let produced = log.queue.totals().produced;
    (
        produced,
        metrics.accepted_after_wait.get(),
        metrics.wait_timed_out.get(),
    )
}

#[tokio::test(start_paused = true)]
async fn an_answer_waits_until_its_exposure_has_room() {
    let store = Scripted::slow(Duration::from_millis(10), |_, _| Ok(()));
    let log = waiting_recorder(&store, 2, Duration::ZERO);
    let (plan, began) = (plan(), Instant::now());
    let instances: Vec<String> = (0..10).map(|instance| format!("i{instance}")).collect();
    let asked = instances
        .iter()
        .map(|instance| answers(&log, &plan, instance));
    let answered = futures_util::future::join_all(asked).await;
    assert_eq!(answered, [true; 10]);
    assert!(
        began.elapsed() >= Duration::from_millis(40),
        "five batches of two"
    );
    assert_eq!(waits(&log), (10, 8, 0));
    assert_eq!(flushed(&log).await, 0);
    assert_eq!(store.written(), (10, 1));
    assert_eq!(log.queue.totals().dropped.queue_full, 0);
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_room_in_time_is_refused_and_not_counted() {
    let store = Scripted::slow(Duration::from_hours(1), |_, _| Ok(()));
    let log = waiting_recorder(&store, 1, Duration::ZERO);
    let (plan, began) = (plan(), Instant::now());
    assert!(answers(&log, &plan, "A").await);
    assert!(!answers(&log, &plan, "B").await);
    assert_eq!(began.elapsed(), WAIT);
    assert_eq!((waits(&log), log.queue.waiting()), ((1, 0, 1), 0));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_gone_keeps_no_place() {
    let store = Scripted::slow(Duration::from_millis(20), |_, _| Ok(()));
    let log = waiting_recorder(&store, 1, Duration::ZERO);
    let plan = plan();
    assert!(answers(&log, &plan, "A").await);
    let gone = tokio::time::timeout(Duration::from_millis(5), answers(&log, &plan, "B"));
    assert!(gone.await.is_err());
    assert_eq!(log.queue.waiting(), 0);
    assert!(answers(&log, &plan, "C").await);
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
    let plan = plan();
    assert!(answers(&log, &plan, "A").await);
    assert!(!answers(&log, &plan, "B").await);
    let again = Instant::now();
    assert!(answers(&log, &plan, "A").await);
    assert_eq!(
        again.elapsed(),
        Duration::ZERO,
        "a known answer waits for nothing"
    );
    is_stuck.store(false, Ordering::Relaxed);
    sleep(Duration::from_secs(3)).await;
    assert!(
        answers(&log, &plan, "B").await,
        "a refused answer is logged the next time"
    );
    assert!(answers(&log, &plan, "C").await);
    assert!(answers(&log, &plan, "C").await);
    assert_eq!(flushed(&log).await, 0);
    assert_eq!(store.written(), (3, 1));
    assert_eq!(log.metrics.deduplicated.get(), 2);
    assert_eq!(waits(&log), (3, 1, 1));
}

//! Facts about counts in memory, and about their writer with a scripted store.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use flag_model::{FlagName, FlagType, FlagValue, InstanceId, ProjectName, Reason};
use flag_store::scripted::{LogCall, ScriptedLog, Step};
use flag_store::{BatchId, CellFormat, Clock, ExposureLog as _, StoreError, TemplateIndex};
use prometheus_client::registry::Registry;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::*;
use crate::log_lines::LogLines;

fn flag(name: &str) -> FlagKey {
    FlagKey {
        project: ProjectName::new("p").unwrap(),
        flag_type: FlagType::Feature,
        name: FlagName::new(name).unwrap(),
    }
}

/// Minute `minute` of a day, and a second in it.
fn at(minute: i64, second: i64) -> Timestamp {
    let day = Timestamp::parse("2026-11-22 00:00:00").unwrap();
    Timestamp::from_unix_micros(day.unix_micros() + (minute * 60 + second) * 1_000_000).unwrap()
}

/// A batch of exposures: flag, group and time of each.
fn batch(exposures: &[(&str, &str, Timestamp)]) -> ExposureBatch {
    let mut batch = ExposureBatch::new(BatchId(1), CellFormat::Json);
    let id = InstanceId::new("A").unwrap();
    for (name, group, served) in exposures {
        let template: TemplateIndex = batch.add_template(ExposureTemplate {
            flag: flag(name),
            revision: Some(Timestamp::UNIX_EPOCH),
            value: FlagValue::Boolean(true),
            rollout_group: (*group).to_owned(),
            reason: Some(Reason::Rollout),
            from_cache: None,
        });
        batch.push(template, "r", &id, None, *served);
    }
    batch
}

/// Counts as flag, minute of the day, group and count.
fn flattened(counts: &[MinuteCounts]) -> Vec<(String, i64, String, u64)> {
    let day = Minute::of(at(0, 0)).number();
    let mut rows = Vec::new();
    for of_minute in counts {
        for (counted, count) in of_minute.entries() {
            let group = match counted {
                CountKey::Group { rollout_group, .. } => rollout_group.clone(),
                CountKey::Others => "(others)".to_owned(),
            };
            let name = of_minute.flag.name.to_string();
            rows.push((name, of_minute.minute.number() - day, group, *count));
        }
    }
    rows.sort();
    rows
}

/// What is not written, of whichever replica.
fn taken(counts: &MinuteCounter) -> Vec<MinuteCounts> {
    let parts = std::iter::from_fn(|| counts.take(99));
    parts.flat_map(|(_, part)| part).collect()
}

#[track_caller]
fn check(counts: &[MinuteCounts], expected: &[(&str, i64, &str, u64)]) {
    let expected: Vec<_> = expected
        .iter()
        .map(|&(flag, minute, group, count)| (flag.to_owned(), minute, group.to_owned(), count))
        .collect();
    assert_eq!(flattened(counts), expected);
}

#[test]
fn exposures_count_in_the_minute_in_which_they_were_served() {
    let counts = MinuteCounter::new();
    let exposures = [
        ("f", "a", at(100, 59)),
        ("f", "b", at(101, 0)),
        ("f", "a", at(100, 58)),
        ("g", "a", at(101, 0)),
        ("f", "a", at(41, 0)),
    ];
    counts.add(&batch(&exposures), at(101, 1));
    counts.add(&batch(&exposures[..1]), at(101, 2));
    let expected = [
        ("f", 41, "a", 1),
        ("f", 100, "a", 3),
        ("f", 101, "b", 1),
        ("g", 101, "a", 1),
    ];
    check(&taken(&counts), &expected);
}

#[test]
fn an_exposure_that_is_taken_an_hour_late_counts_when_it_is_taken() {
    let counts = MinuteCounter::new();
    let exposures = [("f", "a", at(100, 0)), ("f", "a", at(99, 59))];
    counts.add(&batch(&exposures), at(160, 0));
    check(&taken(&counts), &[("f", 100, "a", 1), ("f", 160, "a", 1)]);
}

#[test]
fn a_minute_is_written_whole_again_while_it_can_grow() {
    let counts = MinuteCounter::new();
    counts.add(&batch(&[("f", "a", at(100, 0))]), at(100, 1));
    let first = taken(&counts);
    counts.finish(&first, WriteResult::Yes);
    counts.forget(at(101, 0));
    check(&taken(&counts), &[]);
    counts.add(&batch(&[("f", "a", at(100, 30))]), at(102, 0));
    check(&taken(&counts), &[("f", 100, "a", 2)]);
    assert_eq!(counts.unwritten(), 2, "taken is not written yet");
}

#[test]
fn a_minute_that_was_forgotten_begins_anew_as_that_of_another_replica() {
    let counts = MinuteCounter::new();
    counts.add(&batch(&[("f", "a", at(100, 0))]), at(100, 1));
    let (replica, first) = counts.take(99).unwrap();
    counts.finish(&first, WriteResult::Yes);
    counts.forget(at(161, 0));
    assert_eq!(counts.state().entries, 0);
    // The clock was set back meanwhile.
    counts.add(&batch(&[("f", "a", at(100, 2))]), at(100, 3));
    let (again, part) = counts.take(99).unwrap();
    check(&part, &[("f", 100, "a", 1)]);
    assert_ne!(again, replica, "it would replace what is written");
}

/// Takes what is not written, all of it of one writer.
#[track_caller]
fn check_part(counts: &MinuteCounter, expected: &[(&str, i64, &str, u64)]) -> CountsWriterId {
    let (writer, part) = counts.take(99).unwrap();
    check(&part, expected);
    writer
}

#[test]
fn counts_have_one_writer_until_the_clock_is_set_back() {
    let counts = MinuteCounter::new();
    let both = |minute| batch(&[("f", "a", at(minute, 0)), ("g", "a", at(minute, 0))]);
    counts.add(&both(200), at(200, 1));
    counts.add(&both(201), at(201, 1));
    counts.forget(at(261, 0));
    // The earliest minute that may still change.
    counts.add(&batch(&[("h", "a", at(201, 2))]), at(201, 2));
    counts.add(&both(150), at(151, 0));
    counts.add(&both(151), at(151, 1));
    let of_151 = [
        ("f", 150, "a", 1),
        ("f", 151, "a", 1),
        ("g", 150, "a", 1),
        ("g", 151, "a", 1),
    ];
    let later = check_part(&counts, &of_151);
    let of_201 = [
        ("f", 200, "a", 1),
        ("f", 201, "a", 1),
        ("g", 200, "a", 1),
        ("g", 201, "a", 1),
        ("h", 201, "a", 1),
    ];
    assert_ne!(check_part(&counts, &of_201), later);
    assert_eq!(counts.take(99), None);
}

#[test]
fn a_part_has_at_most_the_counts_that_are_asked_for() {
    let counts = MinuteCounter::new();
    let exposures = ["f", "g", "h"].map(|flag| (flag, "a", at(100, 0)));
    counts.add(&batch(&exposures), at(100, 1));
    let sizes = std::iter::from_fn(|| counts.take(2)).map(|(_, part)| part.len());
    assert_eq!(sizes.collect::<Vec<_>>(), [2, 1]);
}

#[test]
fn the_latest_minute_is_never_given_up() {
    let counts = MinuteCounter::new();
    let names: Vec<String> = (0..=MAX_ENTRIES_IN_MEMORY)
        .map(|number| format!("f_{number}"))
        .collect();
    let exposures = names.iter().map(|name| (&**name, "a", at(100, 0)));
    counts.add(&batch(&exposures.collect::<Vec<_>>()), at(100, 1));
    assert_eq!((counts.unwritten(), counts.take_lost()), (50_001, 0));
}

#[test]
fn what_was_not_written_is_taken_again_with_what_came_meanwhile() {
    let counts = MinuteCounter::new();
    counts.add(
        &batch(&[("f", "a", at(100, 0)), ("g", "a", at(100, 0))]),
        at(100, 1),
    );
    let first = taken(&counts);
    counts.add(&batch(&[("f", "a", at(100, 2))]), at(100, 3));
    counts.finish(&first, WriteResult::No);
    counts.forget(at(300, 0));
    check(&taken(&counts), &[("f", 100, "a", 2), ("g", 100, "a", 1)]);
}

#[test]
fn memory_is_bounded_and_what_is_given_up_is_counted() {
    let counts = MinuteCounter::new();
    let names: Vec<String> = (0..1_000).map(|number| format!("f_{number}")).collect();
    for minute in 0..60 {
        let exposures = names.iter().map(|name| (&**name, "a", at(minute, 0)));
        counts.add(&batch(&exposures.collect::<Vec<_>>()), at(minute, 1));
    }
    assert_eq!(counts.state().entries, MAX_ENTRIES_IN_MEMORY);
    assert_eq!((counts.unwritten(), counts.take_lost()), (50_000, 10_000));
    // It would replace what may have been written of that minute.
    counts.add(&batch(&[("f_0", "a", at(3, 0))]), at(59, 30));
    assert_eq!(counts.state().minutes.len(), 50);
}

/// A clock that stays at minute 100.
#[derive(Debug)]
struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        at(100, 0)
    }
}

/// Counts and their writer, which writes into a store that fails while the test wants it to.
fn writing(store: &Arc<ScriptedLog>) -> (Arc<MinuteCounter>, oneshot::Sender<()>, JoinHandle<()>) {
    let counts = Arc::new(MinuteCounter::new());
    let metrics = CountsMetrics::register(&mut Registry::default());
    let log: Arc<dyn flag_store::ExposureLog> = store.clone();
    let writer = CountsWriter::new(Arc::clone(&counts), log, Arc::new(Stopped), metrics);
    let (close, closing) = oneshot::channel();
    (counts, close, tokio::spawn(writer.run(closing)))
}

async fn written(store: &ScriptedLog) -> Vec<MinuteCounts> {
    let mut written = Vec::new();
    for flag in ["f", "g"].map(flag) {
        let day = Minute::of(at(0, 0))..Minute::of(at(1_440, 0));
        written.extend(store.store().counts(&flag, day).await.unwrap());
    }
    written
}

#[tokio::test(start_paused = true)]
async fn counts_are_written_within_a_minute_and_when_it_stops() {
    let store = Arc::new(ScriptedLog::default());
    let (counts, close, ended) = writing(&store);
    counts.add(&batch(&[("f", "a", at(100, 0))]), at(100, 0));
    sleep(Duration::from_mins(1)).await;
    check(&written(&store).await, &[("f", 100, "a", 1)]);
    sleep(Duration::from_hours(1)).await;
    store.take_calls();
    counts.add(&batch(&[("f", "b", at(101, 0))]), at(101, 0));
    close.send(()).unwrap();
    ended.await.unwrap();
    check(
        &written(&store).await,
        &[("f", 100, "a", 1), ("f", 101, "b", 1)],
    );
    assert_eq!(
        store.take_calls().len(),
        1,
        "what is written stays as it is"
    );
    assert_eq!(counts.unwritten(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_down_loses_no_counts() {
    let store = Arc::new(ScriptedLog::default());
    let began = Instant::now();
    store.script(move |call| async move {
        let source = || "for the test".into();
        match (call, began.elapsed() < Duration::from_mins(30)) {
            (LogCall::WriteCounts(..), true) => {
                Step::LoseReply(StoreError::Unavailable { source: source() })
            }
            _ => Step::Pass,
        }
    });
    let lines = LogLines::collect();
    let (counts, close, ended) = writing(&store);
    for minute in 100..130 {
        counts.add(&batch(&[("f", "a", at(minute, 0))]), at(minute, 0));
        sleep(Duration::from_mins(1)).await;
    }
    assert!(store.take_calls().len() < 60, "no backoff");
    close.send(()).unwrap();
    ended.await.unwrap();
    let expected = [
        "WARN counts of exposures cannot be written; they are kept and written later",
        "INFO counts of exposures are written again",
    ];
    assert_eq!(lines.take(), expected);
    let expected: Vec<_> = (100..130).map(|minute| ("f", minute, "a", 1)).collect();
    check(&written(&store).await, &expected);
}

#[tokio::test(start_paused = true)]
async fn replicas_write_at_different_moments_of_a_minute() {
    fastrand::seed(11);
    let mut moments = Vec::new();
    for _ in 0..8 {
        let store = Arc::new(ScriptedLog::default());
        let (counts, _close, _) = writing(&store);
        counts.add(&batch(&[("f", "a", at(100, 0))]), at(100, 0));
        let began = Instant::now();
        while counts.unwritten() > 0 {
            sleep(Duration::from_millis(100)).await;
        }
        moments.push(began.elapsed().as_secs() / 10);
    }
    let sixths: BTreeSet<u64> = moments.iter().copied().collect();
    assert!(sixths.len() >= 3 && sixths.last() < Some(&6), "{moments:?}");
}

#[tokio::test(start_paused = true)]
async fn many_counts_are_written_in_parts_without_a_pause() {
    let store = Arc::new(ScriptedLog::default());
    let (counts, _close, _) = writing(&store);
    let names: Vec<String> = (0..1_001).map(|number| format!("f_{number}")).collect();
    let exposures = names.iter().map(|name| (&**name, "a", at(100, 0)));
    counts.add(&batch(&exposures.collect::<Vec<_>>()), at(100, 0));
    sleep(Duration::from_mins(1)).await;
    assert_eq!(counts.unwritten(), 0);
    assert_eq!(store.take_calls().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_fails_when_it_stops_is_written_again() {
    let store = Arc::new(ScriptedLog::default());
    let (counts, close, ended) = writing(&store);
    counts.add(&batch(&[("f", "a", at(100, 0))]), at(100, 0));
    let began = Instant::now();
    store.script(move |_| async move {
        if began.elapsed() >= Duration::from_secs(1) {
            return Step::Pass;
        }
        Step::Fail(StoreError::Unavailable {
            source: "for the test".into(),
        })
    });
    close.send(()).unwrap();
    ended.await.unwrap();
    check(&written(&store).await, &[("f", 100, "a", 1)]);
}

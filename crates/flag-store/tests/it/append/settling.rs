//! Facts about the end of an append: what its writer reports when the store fails after the row is in.

use std::sync::atomic::AtomicBool;

use super::*;

/// The number of the write that publishes the first row of a writer, after its claim and its insert.
const PUBLISH: usize = 2;

fn foreign(micros: i64) -> Row {
    encode(&Revision::new(at(micros), parts("foreign")).unwrap())
}

fn refused() -> StoreError {
    StoreError::Refused {
        source: "no permission".into(),
    }
}

fn unavailable() -> StoreError {
    StoreError::Unavailable {
        source: "away".into(),
    }
}

/// Faults of every write from the publishing one on.
fn never_published() -> Vec<(usize, Fault)> {
    (PUBLISH..1_000)
        .map(|number| (number, Fault::NeverSent))
        .collect()
}

#[track_caller]
fn assert_unknown(result: &Result<Timestamp, AppendError>) {
    assert!(
        matches!(result, Err(AppendError::Unknown { at: unknown, .. }) if *unknown == at(2_000_000)),
        "{result:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_row_that_could_not_be_published_counts() {
    let world = World::default();
    let writer = world.writer_with(2_000_000, never_published());
    let appended = append(&writer, Base::Nothing, "one").await.unwrap();
    assert_eq!(appended, at(2_000_000));
    assert_eq!(world.comments().await, ["one"]);
}

#[tokio::test(start_paused = true)]
async fn an_unpublished_row_below_a_later_one_is_an_unknown_outcome() {
    let world = World::default();
    let writer = world.writer_beside(2_000_000, never_published(), Some(foreign(9_000_000)));
    assert_unknown(&append(&writer, Base::Nothing, "one").await);
}

#[tokio::test(start_paused = true)]
async fn an_unpublished_row_of_a_writer_that_was_held_up_is_an_unknown_outcome() {
    let world = World::default();
    let mut faults = never_published();
    faults.push((1, Fault::HeldUp));
    let writer = world.writer_with(2_000_000, faults);
    assert_unknown(&append(&writer, Base::Nothing, "one").await);
}

/// A writer whose reads fail once its row is in, one after the other with what `failures` says.
fn with_failing_reads(world: &World, failures: Vec<StoreError>) -> FlagStore {
    let rows = ScriptedRows::over(Arc::clone(&world.rows));
    let failures = Arc::new(Mutex::new(failures));
    let is_in = Arc::new(AtomicBool::new(false));
    rows.script(move |call| {
        let is_in = &is_in;
        let step = match call {
            RowCall::InsertIfAbsent(_) => {
                is_in.store(true, Ordering::Relaxed);
                None
            }
            call if call.is_read() && is_in.load(Ordering::Relaxed) => {
                failures.lock().unwrap().pop()
            }
            _ => None,
        };
        async move { step.map_or(Step::Pass, Step::Fail) }
    });
    let clock = StoppedClock(AtomicI64::new(2_000_000));
    FlagStore::new(Arc::new(rows), Arc::new(clock))
}

async fn append_with_failing_reads(failures: Vec<StoreError>) -> Result<Timestamp, AppendError> {
    let world = World::default();
    let writer = with_failing_reads(&world, failures);
    append(&writer, Base::Nothing, "one").await
}

#[tokio::test(start_paused = true)]
async fn reading_the_row_again_is_tried_four_times() {
    for failures in 1..4 {
        let failures = (0..failures).map(|_| unavailable()).collect();
        append_with_failing_reads(failures).await.unwrap();
    }
    let failures = (0..4).map(|_| unavailable()).collect();
    assert_unknown(&append_with_failing_reads(failures).await);
}

#[tokio::test(start_paused = true)]
async fn reading_the_row_again_is_not_tried_where_the_store_refuses() {
    assert_unknown(&append_with_failing_reads(vec![refused()]).await);
}

/// A writer before whose publishing another one claims the next row; it is held up before its insert for that long.
fn taken_over(world: &World, held_up: Duration) -> FlagStore {
    let rows = ScriptedRows::over(Arc::clone(&world.rows));
    let store = Arc::clone(&world.rows);
    let counter = AtomicUsize::new(0);
    rows.script(move |call| {
        let number = counter.fetch_add(usize::from(call.is_write()), Ordering::Relaxed);
        let store = Arc::clone(&store);
        async move {
            match call {
                RowCall::InsertIfAbsent(_) => tokio::time::sleep(held_up).await,
                RowCall::CompareAndSet(key, expected, _) if number == PUBLISH => {
                    let other = "1970-01-01 00:00:03.000000 claimed by 7";
                    let other = Cells::default().with("feature/f", other);
                    let set = store.compare_and_set(&key, expected.as_expected(), &other);
                    assert_eq!(set.await.unwrap(), CompareAndSet::Set);
                }
                _ => {}
            }
            Step::Pass
        }
    });
    let clock = StoppedClock(AtomicI64::new(2_000_000));
    FlagStore::new(Arc::new(rows), Arc::new(clock))
}

/// The other writer has seen the row.
#[tokio::test(start_paused = true)]
async fn a_claim_that_was_taken_over_early_loses_nothing() {
    let world = World::default();
    let writer = taken_over(&world, Duration::ZERO);
    let appended = append(&writer, Base::Nothing, "one").await.unwrap();
    assert_eq!(appended, at(2_000_000));
}

/// The other writer may have read before the row was in.
#[tokio::test(start_paused = true)]
async fn a_claim_that_was_taken_over_late_is_reported_with_the_row_that_is_claimed() {
    let world = World::default();
    let writer = taken_over(&world, Duration::from_mins(1));
    let error = append(&writer, Base::Nothing, "one").await.unwrap_err();
    assert!(
        matches!(error, AppendError::Overtaken { appended, other, .. } if (appended, other) == (at(2_000_000), at(3_000_000))),
        "{error:?}"
    );
}

/// What the head row says after an append whose publishing failed once.
async fn head_after(failure: StoreError) -> HeadCell {
    let world = World::default();
    let rows = ScriptedRows::over(Arc::clone(&world.rows));
    let failure = Mutex::new(Some(failure));
    let counter = AtomicUsize::new(0);
    rows.script(move |call| {
        let number = counter.fetch_add(usize::from(call.is_write()), Ordering::Relaxed);
        let is_publishing = call.is_write() && number == PUBLISH;
        let failure = is_publishing
            .then(|| failure.lock().unwrap().take())
            .flatten();
        async move { failure.map_or(Step::Pass, Step::Fail) }
    });
    let clock = StoppedClock(AtomicI64::new(2_000_000));
    let writer = FlagStore::new(Arc::new(rows), Arc::new(clock));
    append(&writer, Base::Nothing, "one").await.unwrap();
    let head_row = writer.head_row(&flag().project).await.unwrap();
    head_row.get(&flag()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn publishing_is_tried_again_unless_the_store_refuses() {
    let published = HeadCell::Newest(at(2_000_000));
    assert_eq!(head_after(unavailable()).await, published);
    let claimed = HeadCell::Claimed {
        at: at(2_000_000),
        published: None,
    };
    assert_eq!(head_after(refused()).await, claimed);
}

/// The second attempt finds what the first one wrote: the claim stood, so the later row came without one.
#[tokio::test(start_paused = true)]
async fn a_later_row_is_reported_although_the_reply_to_publishing_was_lost() {
    let world = World::default();
    let faults = vec![(PUBLISH, Fault::ReplyLost)];
    let writer = world.writer_beside(2_000_000, faults, Some(foreign(9_000_000)));
    let error = append(&writer, Base::Nothing, "one").await.unwrap_err();
    assert!(
        matches!(error, AppendError::Overtaken { other, .. } if other == at(9_000_000)),
        "{error:?}"
    );
}

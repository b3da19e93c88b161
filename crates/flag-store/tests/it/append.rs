//! Facts about appending, with writers that die half-way, replies that get lost, and clocks that are wrong.

mod claiming;
mod settling;

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flag_model::{
    BucketScheme, FlagKey, FlagName, FlagValue, HashAlgorithm, MetadataParts, Revision,
    RevisionParts, Salt, Timestamp,
};
use flag_store::memory::MemoryStore;
use flag_store::scripted::{ExpectedCell, RowCall, ScriptedRows, Step};
use flag_store::{
    AppendError, Base, Cells, ChangeMark, Clock, CompareAndSet, Expected, FlagStore, HeadCell,
    HistoryCheck, Insert, Row, RowOptions, RowStore as _, StoreError, encode_revision,
};
use tokio::time::Instant;

/// A clock that stands where it was set.
#[derive(Debug)]
struct StoppedClock(AtomicI64);

impl Clock for StoppedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_micros(self.0.load(Ordering::Relaxed)).unwrap()
    }
}

/// What befalls a write, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// The store takes the write, and the reply is lost.
    ReplyLost,
    /// The store never hears of it.
    NeverSent,
    /// The writer's process dies before the write: the call never returns.
    Dies,
    /// The writer is held up for a minute before the write.
    HeldUp,
    /// The reply is lost, and the store takes the write only when the next one comes.
    TakenLate,
    /// The writer's machine sleeps for a minute after the write: only the wall clock goes on.
    ThenSleeps,
}

/// A compare-and-set that the store has yet to take.
type Late = (Vec<u8>, ExpectedCell, Cells);

/// What befalls the writes of one writer: faults by the number of the write, counted from zero.
struct Faults {
    rows: Arc<MemoryStore>,
    clock: Arc<StoppedClock>,
    by_number: Vec<(usize, Fault)>,
    writes: AtomicUsize,
    late: Mutex<Option<Late>>,
    /// A row that somebody else's tooling writes just before each insert.
    foreign: Option<Row>,
}

impl Faults {
    async fn befall(&self, call: RowCall) -> Step {
        if !call.is_write() {
            return Step::Pass;
        }
        let number = self.writes.fetch_add(1, Ordering::Relaxed);
        if let RowCall::InsertIfAbsent(_) = call
            && let Some(foreign) = &self.foreign
        {
            self.rows.insert_if_absent(foreign).await.unwrap();
        }
        if let RowCall::CompareAndSet(..) = call
            && let Some((key, expected, cells)) = self.taken_late()
        {
            let set = (self.rows).compare_and_set(&key, expected.as_expected(), &cells);
            set.await.unwrap();
        }
        let lost = |source: &str| StoreError::Unavailable {
            source: source.into(),
        };
        let fault = self.by_number.iter().find(|(at, _)| *at == number);
        match fault.map(|(_, fault)| *fault) {
            None => Step::Pass,
            Some(Fault::ReplyLost) => Step::LoseReply(lost("reply lost")),
            Some(Fault::NeverSent) => Step::Fail(lost("never sent")),
            Some(Fault::Dies) => std::future::pending().await,
            Some(Fault::HeldUp) => {
                tokio::time::sleep(Duration::from_mins(1)).await;
                Step::Pass
            }
            Some(Fault::ThenSleeps) => {
                self.clock.0.fetch_add(60_000_000, Ordering::Relaxed);
                Step::Pass
            }
            Some(Fault::TakenLate) => {
                if let RowCall::CompareAndSet(key, expected, cells) = call {
                    *self.late.lock().unwrap() = Some((key, expected, cells));
                }
                Step::Fail(lost("taken late"))
            }
        }
    }

    fn taken_late(&self) -> Option<Late> {
        self.late.lock().unwrap().take()
    }
}

/// One store, and writers with faults and clocks of their own.
#[derive(Default)]
struct World {
    rows: Arc<MemoryStore>,
}

impl World {
    fn writer(&self) -> FlagStore {
        self.writer_with(1_000_000, vec![])
    }

    fn writer_with(&self, clock_micros: i64, faults: Vec<(usize, Fault)>) -> FlagStore {
        self.writer_beside(clock_micros, faults, None)
    }

    fn writer_beside(
        &self,
        clock_micros: i64,
        faults: Vec<(usize, Fault)>,
        foreign: Option<Row>,
    ) -> FlagStore {
        let clock = Arc::new(StoppedClock(AtomicI64::new(clock_micros)));
        let faults = Arc::new(Faults {
            rows: Arc::clone(&self.rows),
            clock: Arc::clone(&clock),
            by_number: faults,
            writes: AtomicUsize::new(0),
            late: Mutex::default(),
            foreign,
        });
        let rows = ScriptedRows::over(Arc::clone(&self.rows));
        rows.script(move |call| {
            let faults = Arc::clone(&faults);
            async move { faults.befall(call).await }
        });
        FlagStore::new(Arc::new(rows), clock)
    }

    /// The comments of all revisions, the oldest first, between which no link is broken.
    async fn comments(&self) -> Vec<String> {
        let mut broken = Vec::new();
        let mut each = |check: HistoryCheck| broken.extend(check.broken);
        let project = flag().project;
        let writer = self.writer();
        let checked = writer.check_histories(&project, None, &mut each).await;
        checked.unwrap();
        assert_eq!(broken, []);
        let history = self.writer().history(&flag(), 1_000).await.unwrap();
        history
            .into_iter()
            .rev()
            .map(|revision| revision.unwrap().comment.clone())
            .collect()
    }
}

fn flag() -> FlagKey {
    "p/feature/f".parse().unwrap()
}

fn encode(revision: &Revision) -> Row {
    encode_revision(revision, &RowOptions::default()).unwrap()
}

fn parts(comment: &str) -> RevisionParts {
    RevisionParts {
        flag: flag(),
        scheme: BucketScheme::V2 {
            algorithm: HashAlgorithm::Md5,
            salt: Salt::new("f").unwrap(),
        },
        control: FlagValue::Boolean(false),
        treatments: vec![],
        comment: comment.to_owned(),
        owner: None,
        rollback_of: None,
    }
}

fn at(micros: i64) -> Timestamp {
    Timestamp::from_unix_micros(micros).unwrap()
}

async fn append(writer: &FlagStore, base: Base, comment: &str) -> Result<Timestamp, AppendError> {
    writer
        .append_revision(base, parts(comment))
        .await
        .map(|(revision, _)| revision.created())
}

/// Appends until the writer dies, which is when it hasn't answered after a second.
async fn die_appending(writer: &FlagStore, base: Base, comment: &str) {
    tokio::time::timeout(Duration::from_secs(1), append(writer, base, comment))
        .await
        .unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn revisions_are_a_microsecond_apart_when_the_clock_stands_still() {
    let world = World::default();
    assert_eq!(
        append(&world.writer(), Base::Nothing, "one").await.unwrap(),
        at(1_000_000)
    );
    assert_eq!(
        append(&world.writer(), Base::Row(at(1_000_000)), "two")
            .await
            .unwrap(),
        at(1_000_001)
    );
    assert_eq!(
        append(&world.writer_with(5, vec![]), Base::Newest, "three")
            .await
            .unwrap(),
        at(1_000_002)
    );
    assert_eq!(world.comments().await, ["one", "two", "three"]);
}

#[tokio::test(start_paused = true)]
async fn a_writer_that_started_from_an_older_revision_gets_a_conflict() {
    let world = World::default();
    append(&world.writer(), Base::Nothing, "one").await.unwrap();
    append(&world.writer(), Base::Newest, "two").await.unwrap();
    let error = append(&world.writer(), Base::Row(at(1_000_000)), "three")
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "conflict on p/feature/f: started from 1970-01-01 00:00:01.000000, but the newest is 1970-01-01 00:00:01.000001"
    );
    let error = append(&world.writer(), Base::Nothing, "three")
        .await
        .unwrap_err();
    assert!(matches!(
        error,
        AppendError::Conflict {
            base: Base::Nothing,
            found: Some(_),
            ..
        }
    ));
    assert_eq!(world.comments().await, ["one", "two"]);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_stored_claims_nothing() {
    let world = World::default();
    let long = "x".repeat(64 * 1024 + 1);
    let error = append(&world.writer(), Base::Nothing, &long)
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "Comment: found 65537 bytes, expected at most 65536 bytes"
    );
    assert!(world.writer().is_empty().await.unwrap());
}

/// Whatever write is hit, a lost or unsent message costs nothing and appends once.
#[tokio::test(start_paused = true)]
async fn a_lost_message_never_appends_twice() {
    let all = [0, 1, 2].map(|number| [(number, Fault::ReplyLost), (number, Fault::NeverSent)]);
    let late = [(0, Fault::TakenLate), (2, Fault::TakenLate)];
    for (number, fault) in all.concat().into_iter().chain(late) {
        let world = World::default();
        let started = Instant::now();
        let writer = world.writer_with(1_000_000, vec![(number, fault)]);
        append(&writer, Base::Nothing, "one").await.unwrap();
        append(&writer, Base::Row(at(1_000_000)), "two")
            .await
            .unwrap();
        assert_eq!(
            world.comments().await,
            ["one", "two"],
            "{fault:?} at write {number}"
        );
        assert!(
            started.elapsed() < Duration::from_secs(1),
            "{fault:?} at write {number}: {:?}",
            started.elapsed()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_claim_whose_writer_died_is_taken_over_after_thirty_seconds() {
    let world = World::default();
    append(&world.writer(), Base::Nothing, "one").await.unwrap();
    die_appending(
        &world.writer_with(9_000_000, vec![(1, Fault::Dies)]),
        Base::Newest,
        "lost",
    )
    .await;
    let started = Instant::now();
    let appended = append(&world.writer(), Base::Row(at(1_000_000)), "two")
        .await
        .unwrap();
    assert!((30..32).contains(&started.elapsed().as_secs()));
    // Later than the claim, so that the dead writer's row could not hide it.
    assert_eq!(appended, at(9_000_001));
    assert_eq!(world.comments().await, ["one", "two"]);
}

#[tokio::test(start_paused = true)]
async fn a_row_whose_writer_died_before_telling_the_head_row_counts() {
    let world = World::default();
    die_appending(
        &world.writer_with(1_000_000, vec![(2, Fault::Dies)]),
        Base::Nothing,
        "one",
    )
    .await;
    let error = append(&world.writer(), Base::Nothing, "two")
        .await
        .unwrap_err();
    assert!(matches!(
        error,
        AppendError::Conflict { found: Some(_), .. }
    ));
    let started = Instant::now();
    append(&world.writer(), Base::Row(at(1_000_000)), "two")
        .await
        .unwrap();
    assert_eq!(started.elapsed(), Duration::ZERO);
    assert_eq!(world.comments().await, ["one", "two"]);
}

/// Bigtable may be away for seconds when it moves a table from one machine to another.
#[tokio::test(start_paused = true)]
async fn a_claim_is_tried_until_its_outcome_is_known() {
    let world = World::default();
    let faults = (0..10).map(|number| (number, Fault::NeverSent)).collect();
    append(&world.writer_with(1_000_000, faults), Base::Nothing, "one")
        .await
        .unwrap();
    let away = (0..1_000).map(|number| (number, Fault::NeverSent));
    let started = Instant::now();
    let error = append(
        &world.writer_with(1_000_000, away.collect()),
        Base::Newest,
        "two",
    )
    .await
    .unwrap_err();
    assert!(matches!(error, AppendError::Store(_)), "{error:?}");
    assert!((5..7).contains(&started.elapsed().as_secs()));
    assert_eq!(world.comments().await, ["one"]);
}

#[tokio::test(start_paused = true)]
async fn the_publisher_of_copied_rows_tries_again() {
    for fault in [Fault::ReplyLost, Fault::NeverSent] {
        let world = World::default();
        let copied = encode(&Revision::new(at(1_000_000), parts("one")).unwrap());
        let inserted = world.rows.insert_if_absent(&copied).await;
        assert_eq!(inserted.unwrap(), Insert::Inserted);
        let writer = world.writer_with(1_000_000, vec![(0, fault)]);
        let told = writer.publish_newest(&flag()).await.unwrap();
        assert_eq!(told, Some(at(1_000_000)));
        let head_row = writer.head_row(&flag().project).await.unwrap();
        let newest = HeadCell::Newest(at(1_000_000));
        assert_eq!(head_row.get(&flag()), Some(newest));
    }
}

/// Two clocks that are days apart: which one is wrong is not known, and neither may lose what was appended by the other.
#[tokio::test(start_paused = true)]
async fn a_clock_that_is_behind_loses_nothing_and_is_reported() {
    const DAYS: i64 = 2 * 24 * 3_600_000_000;
    let world = World::default();
    let (behind, ahead) = (world.writer(), world.writer_with(DAYS, vec![]));
    append(&behind, Base::Nothing, "one").await.unwrap();
    append(&ahead, Base::Newest, "two").await.unwrap();
    let before = mark(&world).await;
    let error = append(&behind, Base::Row(at(1_000_000)), "lost").await;
    let expected = AppendError::ClockBehind {
        flag: flag(),
        appended: at(DAYS),
        now: at(1_000_000),
    };
    assert_eq!(error.unwrap_err().to_string(), expected.to_string());
    assert_eq!(mark(&world).await, before);
    // A writer that claims after that and dies hides nothing.
    let dying = world.writer_with(DAYS, vec![(1, Fault::Dies)]);
    die_appending(&dying, Base::Newest, "dead").await;
    let error = append(&behind, Base::Newest, "lost").await.unwrap_err();
    assert_eq!(error.to_string(), expected.to_string());
    let three = append(&ahead, Base::Row(at(DAYS)), "three").await;
    assert_eq!(three.unwrap(), at(DAYS + 2));
}

/// So that writers can go on after somebody removed a row of a clock that was ahead.
#[tokio::test(start_paused = true)]
async fn a_row_ahead_that_is_gone_holds_nobody_up() {
    let world = World::default();
    let told = at(9_000_000_000_000).to_string();
    set_head(&world, "feature/f", None, &[("feature/f", &told)]).await;
    let appended = append(&world.writer(), Base::Nothing, "one").await;
    assert_eq!(appended.unwrap(), at(1_000_000));
}

/// Writes cells into the head row if a cell is as expected, as a release does that knows nothing of this one.
async fn set_head(world: &World, column: &str, expected: Option<&str>, cells: &[(&str, &str)]) {
    let expected = Expected {
        column,
        value: expected.map(str::as_bytes),
    };
    let cells: Cells = cells.iter().copied().collect();
    let key = b"PROJECT#p#ROWTYPE#HEAD";
    let set = world.rows.compare_and_set(key, expected, &cells);
    assert_eq!(set.await.unwrap(), CompareAndSet::Set);
}

async fn mark(world: &World) -> ChangeMark {
    let (reader, project) = (world.writer(), flag().project);
    reader.change_mark(&project).await.unwrap()
}

/// Times may be equal, for clocks stand still and flags are many: the mark moves all the same.
#[tokio::test(start_paused = true)]
async fn every_change_moves_the_mark_and_nothing_else_does() {
    let world = World::default();
    let mut marks = vec![mark(&world).await];
    for name in ["a", "b", "c", "d"] {
        let mut parts = parts("one");
        parts.flag.name = FlagName::new(name).unwrap();
        let append = world.writer().append_revision(Base::Nothing, parts).await;
        assert_eq!(append.unwrap().0.created(), at(1_000_000));
        marks.push(mark(&world).await);
        assert_eq!(marks.last(), Some(&mark(&world).await));
    }
    for (one, other) in (0..5).flat_map(|one| (0..one).map(move |other| (one, other))) {
        assert_ne!(marks[one], marks[other]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_row_has_the_mark_that_is_read_alone() {
    let world = World::default();
    append(&world.writer(), Base::Nothing, "one").await.unwrap();
    let head_row = world.writer().head_row(&flag().project).await.unwrap();
    assert_eq!(*head_row.mark(), mark(&world).await);
    assert_ne!(*head_row.mark(), ChangeMark::default());
}

#[tokio::test(start_paused = true)]
async fn a_change_by_an_older_release_moves_the_mark() {
    let world = World::default();
    append(&world.writer(), Base::Nothing, "one").await.unwrap();
    let before = mark(&world).await;
    let (old, new) = (at(1_000_000).to_string(), at(2_000_000).to_string());
    let cells = [("feature/f", &*new), ("LatestChange", &new)];
    set_head(&world, "feature/f", Some(&old), &cells).await;
    assert_ne!(mark(&world).await, before);
}

/// Otherwise nobody would look for the row until the flag's lifetime ends.
#[tokio::test(start_paused = true)]
async fn a_writer_that_dies_before_telling_the_head_row_has_moved_the_mark() {
    let world = World::default();
    append(&world.writer(), Base::Nothing, "one").await.unwrap();
    let before = mark(&world).await;
    let dying = world.writer_with(2_000_000, vec![(2, Fault::Dies)]);
    die_appending(&dying, Base::Newest, "two").await;
    assert_ne!(mark(&world).await, before);
    let head_row = world.writer().head_row(&flag().project).await.unwrap();
    let claimed = HeadCell::Claimed {
        at: at(2_000_000),
        published: Some(at(1_000_000)),
    };
    assert_eq!(head_row.flags().collect::<Vec<_>>(), [(flag(), claimed)]);
}

#[tokio::test(start_paused = true)]
async fn a_claim_of_an_older_release_is_respected_and_taken_over_in_the_end() {
    let world = World::default();
    append(&world.writer(), Base::Nothing, "one").await.unwrap();
    let old = at(1_000_000).to_string();
    let claim = format!("{} claimed by 0123456789abcdef", at(5_000_000));
    let cells = [("feature/f", &*claim)];
    set_head(&world, "feature/f", Some(&old), &cells).await;
    let started = Instant::now();
    let appended = append(&world.writer(), Base::Newest, "two").await.unwrap();
    assert!((30..32).contains(&started.elapsed().as_secs()));
    assert_eq!(appended, at(5_000_001));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_in_the_middle_leaves_an_unknown_outcome() {
    let world = World::default();
    let faults = (1..1_000)
        .map(|number| (number, Fault::NeverSent))
        .collect();
    let error = append(&world.writer_with(1_000_000, faults), Base::Nothing, "one")
        .await
        .unwrap_err();
    assert!(
        matches!(error, AppendError::Unknown { at: unknown, .. } if unknown == at(1_000_000)),
        "{error:?}"
    );
}

/// The writer is held up before its insert for so long that another one takes its claim over.
#[tokio::test(start_paused = true)]
async fn a_writer_that_was_held_up_gets_an_error() {
    let world = World::default();
    append(&world.writer(), Base::Nothing, "one").await.unwrap();
    let held_up = world.writer_with(2_000_000, vec![(1, Fault::HeldUp)]);
    let held_up = tokio::spawn(async move { append(&held_up, Base::Newest, "held up").await });
    tokio::task::yield_now().await;
    let taken_over = append(&world.writer(), Base::Row(at(1_000_000)), "two")
        .await
        .unwrap();
    let error = held_up.await.unwrap().unwrap_err();
    assert!(
        matches!(error, AppendError::Overtaken { appended, other, .. } if appended == at(2_000_000) && other == taken_over),
        "{error:?}"
    );
    assert_eq!(world.comments().await, ["one", "held up", "two"]);
}

/// A machine that sleeps stops its monotonic clock, and not its wall clock.
#[tokio::test(start_paused = true)]
async fn a_writer_whose_machine_slept_after_its_claim_writes_nothing() {
    let world = World::default();
    let slept = world.writer_with(2_000_000, vec![(0, Fault::ThenSleeps)]);
    let error = append(&slept, Base::Nothing, "slept").await.unwrap_err();
    assert!(
        matches!(error, AppendError::Store(StoreError::TimedOut { .. })),
        "{error:?}"
    );
    assert_eq!(world.comments().await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_claim_whose_row_is_in_holds_nobody_up() {
    let world = World::default();
    let dies = world.writer_with(1_000_000, vec![(2, Fault::Dies)]);
    die_appending(&dies, Base::Nothing, "one").await;
    // The Python framework's tooling writes a later row, behind which the claim's own is hidden.
    let foreign = encode(&Revision::new(at(3_000_000), parts("foreign")).unwrap());
    world.rows.insert_if_absent(&foreign).await.unwrap();
    let started = Instant::now();
    append(&world.writer(), Base::Row(at(3_000_000)), "two")
        .await
        .unwrap();
    assert!(started.elapsed() < Duration::from_secs(5));
    assert_eq!(world.comments().await, ["one", "foreign", "two"]);
}

/// A row that the Python framework's tooling writes above a claim doesn't end the claim.
#[tokio::test(start_paused = true)]
async fn a_claim_below_a_later_row_is_respected() {
    let world = World::default();
    let dies = world.writer_with(1_000_000, vec![(1, Fault::Dies)]);
    die_appending(&dies, Base::Nothing, "dies").await;
    let foreign = encode(&Revision::new(at(3_000_000), parts("foreign")).unwrap());
    world.rows.insert_if_absent(&foreign).await.unwrap();
    let started = Instant::now();
    append(&world.writer(), Base::Row(at(3_000_000)), "two")
        .await
        .unwrap();
    assert!(started.elapsed() >= Duration::from_secs(30));
}

/// The last instant that readers take counts for writers too.
#[tokio::test(start_paused = true)]
async fn a_row_at_the_end_of_the_time_that_counts_is_followed() {
    let world = World::default();
    let end = 1_000_000 + 24 * 3_600 * 1_000_000;
    let foreign = encode(&Revision::new(at(end), parts("foreign")).unwrap());
    world.rows.insert_if_absent(&foreign).await.unwrap();
    let appended = append(&world.writer(), Base::Row(at(end)), "two").await;
    assert_eq!(appended.unwrap(), at(end + 1));
}

#[tokio::test(start_paused = true)]
async fn a_later_row_of_the_references_tooling_is_reported() {
    let world = World::default();
    append(&world.writer(), Base::Nothing, "one").await.unwrap();
    let foreign = encode(&Revision::new(at(9_000_000), parts("foreign")).unwrap());
    let writer = world.writer_beside(2_000_000, vec![], Some(foreign));
    let error = append(&writer, Base::Row(at(1_000_000)), "two")
        .await
        .unwrap_err();
    assert!(
        matches!(error, AppendError::Overtaken { other, .. } if other == at(9_000_000)),
        "{error:?}"
    );
    // The claim has been given back.
    append(&world.writer(), Base::Row(at(9_000_000)), "three")
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_row_of_the_references_tooling_in_between_is_reported() {
    let world = World::default();
    append(&world.writer(), Base::Nothing, "one").await.unwrap();
    // The Python framework writes rows without a claim: here between this writer's read and its insert.
    let foreign = encode(&Revision::new(at(1_000_001), parts("foreign")).unwrap());
    let writer = world.writer_beside(2_000_000, vec![], Some(foreign));
    let error = append(&writer, Base::Row(at(1_000_000)), "two")
        .await
        .unwrap_err();
    assert!(
        matches!(error, AppendError::Overtaken { other, .. } if other == at(1_000_001)),
        "{error:?}"
    );
    assert_eq!(world.comments().await, ["one", "foreign", "two"]);
}

#[tokio::test(start_paused = true)]
async fn metadata_is_appended_apart_from_revisions() {
    let world = World::default();
    let metadata = |description: &str| MetadataParts {
        flag: flag(),
        description: description.to_owned(),
        owner: None,
        ticket: None,
        tags: vec!["a".to_owned()],
        expires_on: None,
        edited_by: None,
    };
    let writer = world.writer();
    append(&writer, Base::Nothing, "one").await.unwrap();
    writer
        .append_metadata(Base::Nothing, metadata("first"))
        .await
        .unwrap();
    let (second, _) = writer
        .append_metadata(Base::Newest, metadata("second"))
        .await
        .unwrap();
    assert_eq!(writer.newest_metadata(&flag()).await.unwrap(), Some(second));
    assert!(
        writer
            .append_metadata(Base::Nothing, metadata("third"))
            .await
            .is_err()
    );
    let entries = writer.flag_entries(&flag().project).await.unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!(world.comments().await, ["one"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_writers_each_stands_on_what_it_named_or_gets_a_conflict() {
    let world = World::default();
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..10 {
        let store = world.writer();
        tasks.spawn(async move {
            for round in 0..20 {
                loop {
                    let base = store.newest_revision(&flag()).await.unwrap();
                    let created = base.as_ref().map(Revision::created);
                    let comment = format!(
                        "{writer}/{round} on {}",
                        base.map_or("nothing".to_owned(), |base| base
                            .comment
                            .split(' ')
                            .next()
                            .unwrap()
                            .to_owned())
                    );
                    match append(&store, Base::on(created), &comment).await {
                        Ok(_) => break,
                        Err(AppendError::Conflict { .. }) => tokio::task::yield_now().await,
                        Err(other) => panic!("{other:?}"),
                    }
                }
            }
        });
    }
    tasks.join_all().await;
    let comments = world.comments().await;
    assert_eq!(comments.len(), 200);
    let mut previous = "nothing".to_owned();
    for comment in comments {
        let (own, base) = comment.split_once(" on ").unwrap();
        assert_eq!(base, previous);
        previous = own.to_owned();
    }
}

//! Facts about the change watcher, with a store that can be restored to an older state.

mod events;
mod served;

use std::sync::Arc;

use flag_model::{
    BucketScheme, FlagKey, FlagValue, HashAlgorithm, InstanceId, Revision, RevisionParts, Timestamp,
};
use flag_rollout::decide;
use flag_store::memory::MemoryStore;
use flag_store::scripted::{RowCall, ScriptedRows, Step};
use flag_store::{
    Base, Cells, Clock as _, Columns, CompareAndSet, Expected, Insert, Row, RowOptions,
    RowStore as _, Scan, SystemClock, encode_revision,
};
use prometheus_client::registry::Registry;
use tokio::runtime::Handle;

use super::seen_head_row::RECONCILED_FOR;
use super::*;
use crate::flags::{CacheError, FlagCacheSettings, test_settings};
use crate::log_lines::LogLines;
use crate::store::Circuit;

const PERIOD: Duration = Duration::from_millis(500);

struct World {
    rows: Arc<ScriptedRows>,
    store: FlagStore,
    flags: FlagCache,
    watch: ChangeWatcher,
}

impl World {
    /// A store that holds the flag `f`, which is served and looked at.
    async fn new() -> Self {
        let rows = Arc::new(ScriptedRows::default());
        let store = FlagStore::new(rows.clone(), Arc::new(SystemClock));
        let circuit = Arc::new(Circuit::new());
        let reads = Handle::current();
        let registry = &mut Registry::default();
        let settings = FlagCacheSettings {
            entries: 100_000,
            ..test_settings()
        };
        let flags = FlagCache::new(store.clone(), circuit, settings, reads, registry);
        let mut world = Self {
            watch: ChangeWatcher::new(store.clone(), flags.clone()),
            rows,
            store,
            flags,
        };
        world.revise("f", false).await;
        assert_eq!(world.value("f").await, Some(false));
        world.poll().await;
        world
    }

    /// As many other flags too, which are served and looked at.
    async fn with_flags(count: usize) -> Self {
        let mut world = Self::new().await;
        for flag in 0..count {
            let name = format!("flag_{flag}");
            world.revise(&name, false).await;
            assert_eq!(world.value(&name).await, Some(false));
        }
        world.poll().await;
        world
    }

    /// Calls that read, and the bytes that they gave, since the last time.
    fn counted(&self) -> (usize, usize) {
        let calls = self.rows.take_calls();
        let reads = calls.iter().filter(|call| call.is_read()).count();
        (reads, self.rows.take_traffic().read)
    }

    async fn revise_all(&self, count: usize) {
        for flag in 0..count {
            self.revise(&format!("flag_{flag}"), true).await;
        }
    }

    /// Looks some times: how much each of them reads, the mark among it and, once, the head row.
    async fn reads_of_looks(&mut self, pause: Duration) -> [usize; 4] {
        let mut reads = [0; 4];
        for reads in &mut reads {
            sleep(pause).await;
            self.counted();
            self.poll().await;
            *reads = self.counted().0;
        }
        reads
    }

    async fn revise(&self, name: &str, control: bool) {
        let appended = self
            .store
            .append_revision(Base::Newest, parts(name, control));
        appended.await.unwrap();
    }

    /// Writes a revision as the tooling of the Python framework does, which does not update the head row.
    async fn revise_untold(&self, name: &str, control: bool) {
        let in_an_hour = SystemClock.now().unix_micros() + 3_600_000_000;
        let at = Timestamp::from_unix_micros(in_an_hour).unwrap();
        let revision = Revision::new(at, parts(name, control)).unwrap();
        let row = encode_revision(&revision, &RowOptions::default()).unwrap();
        let inserted = self.rows.insert_if_absent(&row).await;
        assert_eq!(inserted.unwrap(), Insert::Inserted);
    }

    /// The value of a flag; none if it is not found.
    async fn value(&self, name: &str) -> Option<bool> {
        match self.flags.get_or_read(&flag(name)).await {
            Ok(plan) => match decide(&plan, &InstanceId::new("A").unwrap()).value {
                FlagValue::Boolean(value) => Some(*value),
                FlagValue::Text(_) => panic!("not a text"),
            },
            Err(CacheError::NotFound(_)) => None,
            Err(error) => panic!("{error:?}"),
        }
    }

    /// Looks for changes, and lets the reads that this begins come to their end.
    async fn poll(&mut self) {
        self.watch.poll().await;
        sleep(Duration::from_millis(1)).await;
    }

    /// The rows that there are now, as far as they are wanted.
    async fn backup(&self, is_wanted: impl Fn(&Row) -> bool) -> MemoryStore {
        let rows = self.rows().scan(Scan::prefix("")).await;
        let rows: Vec<Row> = rows.unwrap().into_iter().filter(is_wanted).collect();
        let backup = MemoryStore::default();
        backup.put(rows);
        backup
    }

    fn rows(&self) -> Arc<MemoryStore> {
        self.rows.store()
    }

    fn restore(&self, backup: MemoryStore) {
        self.rows.replace(Arc::new(backup));
    }

    /// From now on the store answers, or fails.
    fn set_reachable(&self, is_reachable: bool) {
        self.rows.script(move |_| async move {
            if is_reachable {
                return Step::Pass;
            }
            let source = "down".into();
            Step::Fail(StoreError::Unavailable { source })
        });
    }

    fn restored_projects(&self) -> usize {
        self.flags.stats().restored_projects
    }
}

fn flag(name: &str) -> FlagKey {
    format!("p/feature/{name}").parse().unwrap()
}

fn parts(name: &str, control: bool) -> RevisionParts {
    RevisionParts {
        flag: flag(name),
        scheme: BucketScheme::v1(HashAlgorithm::Md5),
        control: FlagValue::Boolean(control),
        treatments: vec![],
        comment: String::new(),
        owner: None,
        rollback_of: None,
    }
}

fn is_head(row: &Row) -> bool {
    row.key.ends_with(b"#HEAD")
}

#[tokio::test(start_paused = true)]
async fn a_change_is_served_within_a_period() {
    let world = World::new().await;
    let looking = tokio::spawn(watch_changes(
        world.store.clone(),
        world.flags.clone(),
        PERIOD,
    ));
    // Also one that comes long after the last.
    for (control, pause) in [(true, 0), (false, 120), (true, 1)] {
        world.value("f").await;
        sleep(Duration::from_secs(pause)).await;
        world.revise("f", control).await;
        // Timers count whole milliseconds: the longest pause may end one after the period.
        sleep(PERIOD + Duration::from_millis(2)).await;
        assert_eq!(world.value("f").await, Some(control));
    }
    looking.abort();
}

/// Each of them wants a head row to be read.
#[tokio::test(start_paused = true)]
async fn a_change_is_served_within_a_period_however_many_streams_are_opened() {
    let world = World::new().await;
    let (store, events) = (world.store.clone(), world.flags.events().clone());
    let watching = tokio::spawn(watch_changes(store, world.flags.clone(), PERIOD));
    let opening = tokio::spawn(async move {
        for invented in 0.. {
            let project = ProjectName::new(format!("invented-{invented}")).unwrap();
            drop(events.subscribe(&project, None));
            sleep(Duration::from_millis(2)).await;
        }
    });
    for control in [true, false, true] {
        world.revise("f", control).await;
        sleep(PERIOD + 2 * SUBSCRIBED_PAUSE).await;
        assert_eq!(world.value("f").await, Some(control));
    }
    opening.abort();
    watching.abort();
}

#[tokio::test(start_paused = true)]
async fn a_head_row_is_forgotten_when_its_project_is() {
    let mut world = World::new().await;
    let unknown = FlagKey {
        project: ProjectName::new("q").unwrap(),
        ..flag("f")
    };
    world.flags.get_or_read(&unknown).await.unwrap_err();
    world.poll().await;
    world.watch.sweep();
    assert_eq!(world.watch.head_rows.len(), 2);
    sleep(Duration::from_secs(11)).await;
    world.watch.sweep();
    assert_eq!(world.watch.head_rows.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_project_that_does_not_change_costs_two_small_cells_a_look() {
    let mut world = World::new().await;
    let mut costs = Vec::new();
    for flags in [1, 10, 1_000] {
        for flag in 0..flags {
            world.revise(&format!("flag_{flag}"), true).await;
        }
        for _ in 0..3 {
            world.poll().await;
        }
        world.counted();
        for _ in 0..10 {
            world.poll().await;
        }
        costs.push(world.counted());
    }
    assert_eq!(costs, [costs[0]; 3]);
    let (reads, bytes) = costs[0];
    assert_eq!(reads, 10);
    assert!(bytes <= 10 * 100, "{bytes}");
}

#[tokio::test(start_paused = true)]
async fn a_change_that_an_older_release_told_is_served() {
    let mut world = World::new().await;
    world.revise_untold("f", true).await;
    let key = b"PROJECT#p#ROWTYPE#HEAD";
    let head = world.rows().get(key, Columns::All).await;
    let head = head.unwrap().unwrap().cells;
    let newest = world.store.newest_revision(&flag("f")).await.unwrap();
    let created = newest.unwrap().created().to_string();
    let expected = Expected {
        column: "feature/f",
        value: head.get("feature/f"),
    };
    let cells = Cells::default()
        .with("feature/f", &created)
        .with("LatestChange", &created);
    let set = world.rows().compare_and_set(key, expected, &cells).await;
    assert_eq!(set.unwrap(), CompareAndSet::Set);
    world.poll().await;
    assert_eq!(world.value("f").await, Some(true));
}

#[tokio::test(start_paused = true)]
async fn a_revision_is_served_whose_writer_died_before_telling() {
    let mut world = World::new().await;
    let before = world.backup(is_head).await;
    world.revise("f", true).await;
    // As if the last step were missing: the head row is as it was when the claim was made.
    let heads = world.rows().scan(Scan::prefix("")).await.unwrap();
    let newest = world
        .store
        .newest_revision(&flag("f"))
        .await
        .unwrap()
        .unwrap();
    let old = before.scan(Scan::prefix("")).await.unwrap();
    let old = str::from_utf8(old[0].cells.get("feature/f").unwrap()).unwrap();
    let claim = format!(
        "{} claimed by 0000000000000001 after {old}",
        newest.created()
    );
    let mut head = heads.into_iter().find(is_head).unwrap();
    head.cells.set("feature/f", claim);
    head.cells.set("ChangeId", "1");
    world.rows().put([head]);
    world.poll().await;
    assert_eq!(world.value("f").await, Some(true));
    assert_eq!(world.restored_projects(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_revision_that_vanished_is_served_no_more() {
    let mut world = World::new().await;
    let backup = world.backup(|_| true).await;
    world.revise("f", true).await;
    world.poll().await;
    assert_eq!(world.value("f").await, Some(true));
    assert_eq!(world.restored_projects(), 0);
    world.restore(backup);
    world.poll().await;
    assert_eq!(world.value("f").await, Some(false));
    assert_eq!(world.restored_projects(), 1);
    sleep(Duration::from_hours(1)).await;
    assert_eq!(world.restored_projects(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_flag_that_vanished_is_not_found() {
    let mut world = World::new().await;
    let backup = world.backup(|_| true).await;
    world.revise("g", true).await;
    assert_eq!(world.value("g").await, Some(true));
    world.poll().await;
    world.restore(backup);
    world.poll().await;
    assert_eq!(world.value("g").await, None);
    assert_eq!(world.value("f").await, Some(false));
}

#[tokio::test(start_paused = true)]
async fn a_flag_of_the_store_that_was_restored_is_found_at_once() {
    let mut world = World::new().await;
    let before = world.backup(|_| true).await;
    world.revise("g", true).await;
    let with_g = world.backup(|_| true).await;
    world.restore(before);
    world.poll().await;
    assert_eq!(world.value("g").await, None);
    world.restore(with_g);
    world.poll().await;
    assert_eq!(world.value("g").await, Some(true));
}

/// Also of flags that the head row never named.
#[tokio::test(start_paused = true)]
async fn a_store_without_the_head_row_is_read_again() {
    let mut world = World::new().await;
    let backup = world.backup(|row| !is_head(row)).await;
    world.revise_untold("untold", true).await;
    assert_eq!(world.value("untold").await, Some(true));
    world.revise("f", true).await;
    world.poll().await;
    world.restore(backup);
    world.poll().await;
    assert_eq!(world.value("f").await, Some(false));
    assert_eq!(world.value("untold").await, None);
    assert_eq!(world.restored_projects(), 1);
}

/// The tooling of the Python framework never updates the head row, so the served revision may be newer than the head row says.
#[tokio::test(start_paused = true)]
async fn a_revision_that_the_head_row_does_not_know_stays_in_force() {
    let mut world = World::new().await;
    world.revise_untold("f", true).await;
    sleep(Duration::from_mins(20)).await;
    assert_eq!(world.value("f").await, Some(true));
    sleep(PERIOD).await;
    // Who looks for the first time finds an older one in the head row.
    world.watch = ChangeWatcher::new(world.store.clone(), world.flags.clone());
    world.counted();
    world.poll().await;
    assert_eq!(world.counted().0, 2, "the head row, and the flag");
    for _ in 0..10 {
        world.poll().await;
    }
    assert_eq!(world.value("f").await, Some(true));
    assert_eq!(world.restored_projects(), 0);
    assert_eq!(world.counted().0, 10, "it is not read again and again");
}

/// However seldom changes are looked for.
#[tokio::test(start_paused = true)]
async fn many_flags_that_changed_are_read_again_a_part_at_a_time() {
    for pause in [PERIOD, Duration::from_secs(31)] {
        let mut world = World::with_flags(600).await;
        world.revise_all(600).await;
        assert_eq!(world.reads_of_looks(pause).await, [258, 257, 89, 1]);
        assert_eq!(world.value("flag_599").await, Some(true));
    }
}

#[tokio::test(start_paused = true)]
async fn every_flag_of_a_restored_store_is_read_again_a_part_at_a_time() {
    for pause in [PERIOD, Duration::from_secs(31)] {
        let mut world = World::with_flags(600).await;
        let backup = world.backup(|_| true).await;
        world.revise_all(600).await;
        world.reads_of_looks(PERIOD).await;
        world.restore(backup);
        assert_eq!(world.reads_of_looks(pause).await, [258, 257, 89, 1]);
        for flag in 0..600 {
            assert_eq!(world.value(&format!("flag_{flag}")).await, Some(false));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn flags_whose_reads_bring_nothing_do_not_keep_others_from_being_read() {
    let mut world = World::with_flags(300).await;
    world.revise("last", false).await;
    assert_eq!(world.value("last").await, Some(false));
    world.poll().await;
    let before = world.backup(|row| !is_head(row)).await;
    world.revise_all(300).await;
    world.revise("last", true).await;
    // As if the revisions of all but one were still to come.
    let is_there = |row: &Row| is_head(row) || row.key.windows(6).any(|key| key == b"#last#");
    let after = world.backup(is_there).await;
    let rows = before.scan(Scan::prefix("")).await.unwrap();
    after.put(rows);
    world.restore(after);
    world.poll().await;
    world.poll().await;
    assert_eq!(world.value("flag_0").await, Some(false));
    assert_eq!(world.value("last").await, Some(true));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_cannot_be_polled_is_logged_once_and_so_is_its_recovery() {
    let mut world = World::new().await;
    let log = LogLines::collect();
    for (is_reachable, expected) in [
        (true, &[][..]),
        (false, &["WARN changes of flags cannot be watched"]),
        (true, &["INFO changes of flags are watched again"]),
    ] {
        world.set_reachable(is_reachable);
        for _ in 0..3 {
            world.poll().await;
        }
        assert_eq!(log.take(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_project_that_is_not_watched_any_more_is_swept_within_a_minute() {
    let world = World::new().await;
    let (store, flags) = (world.store.clone(), world.flags.clone());
    let looking = tokio::spawn(watch_changes(store, flags, PERIOD));
    let unknown = FlagKey {
        project: ProjectName::new("q").unwrap(),
        ..flag("f")
    };
    world.flags.get_or_read(&unknown).await.unwrap_err();
    let gone = || world.flags.project_reports().gone();
    sleep(SWEEP * 9 / 10).await;
    assert_eq!(gone(), []);
    sleep(SWEEP / 5).await;
    assert_eq!(gone(), [unknown.project]);
    looking.abort();
}

#[tokio::test(start_paused = true)]
async fn a_change_is_compared_with_the_cache_for_30_seconds_and_until_it_was_read() {
    let mut world = World::new().await;
    let reconciles =
        |world: &World| world.watch.head_rows[&flag("f").project].reconciles(&flag("f"));
    world.revise("f", true).await;
    world.poll().await;
    let ends = Instant::now() + RECONCILED_FOR;
    while Instant::now() < ends {
        assert!(reconciles(&world), "before it is over");
        sleep(Duration::from_millis(999)).await;
        world.poll().await;
    }
    assert!(!reconciles(&world), "when it is over");

    world.rows.script(|call| async move {
        match call {
            RowCall::Scan(_) => Step::Fail(StoreError::Unavailable {
                source: "down".into(),
            }),
            _ => Step::Pass,
        }
    });
    world.revise("f", false).await;
    world.poll().await;
    sleep(RECONCILED_FOR).await;
    world.poll().await;
    assert!(reconciles(&world), "it was not read");
    world.rows.script(async |_| Step::Pass);
    for _ in 0..2 {
        sleep(Duration::from_secs(10)).await;
        world.poll().await;
    }
    assert!(!reconciles(&world), "it was read");
    assert_eq!(world.value("f").await, Some(false));
}

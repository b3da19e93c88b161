//! Which row of a flag is the newest that counts: for every reader the same, and for who appends.

use std::sync::Arc;
use std::time::Duration;

use flag_model::{
    BucketScheme, FlagKey, FlagName, FlagType, FlagValue, HashAlgorithm, MetadataParts,
    ProjectName, RevisionParts, Timestamp,
};
use flag_store::scripted::{RowCall, ScriptedRows};
use flag_store::{
    AppendError, Base, Clock, FlagPrefix, FlagStore, HeadCell, ReadError, Row, RowOptions,
};

const NOW: &str = "2026-01-10 12:00:00.000000";
/// What counts in most of these tests.
const GOOD: &str = "2026-01-01 00:00:00.000001";
/// Keys that don't, and come after all that do.
const ABOVE: [&str; 4] = [
    "zzzz",
    "9999-12-31 23:59:59.999999",
    "2026-01-11 12:00:00.000001",
    "2026-02-30 00:00:00",
];

#[derive(Debug)]
struct StoppedClock(Timestamp);

impl Clock for StoppedClock {
    fn now(&self) -> Timestamp {
        self.0
    }
}

fn at(time: &str) -> Timestamp {
    Timestamp::parse(time).unwrap()
}

fn flag() -> FlagKey {
    flag_named("f")
}

fn flag_named(name: &str) -> FlagKey {
    FlagKey {
        project: ProjectName::new("p").unwrap(),
        flag_type: FlagType::Feature,
        name: FlagName::new(name).unwrap(),
    }
}

/// A row of the flag; its comment, or its description, is its time as the key spells it.
fn row(row_type: &str, name: &str, time: &str) -> Row {
    let key = format!("PROJECT#p#ROWTYPE#{row_type}#FLAGTYPE#feature#FLAGNAME#{name}#TIME#{time}");
    let cells = [
        ("Name", name),
        ("Type", "FEATURE"),
        ("ControlValue", "False"),
        ("Comment", time),
        ("Description", time),
        ("FormatVersion", "1"),
    ];
    Row {
        key: key.into(),
        cells: cells.into_iter().collect(),
    }
}

fn parts(comment: &str) -> RevisionParts {
    RevisionParts {
        flag: flag(),
        scheme: BucketScheme::v1(HashAlgorithm::Md5),
        control: FlagValue::Boolean(true),
        treatments: vec![],
        comment: comment.to_owned(),
        owner: None,
        rollback_of: None,
    }
}

struct World {
    rows: Arc<ScriptedRows>,
    store: FlagStore,
}

impl World {
    /// A store in which these revisions of the flag are, and as much metadata.
    fn new(times: &[&str]) -> Self {
        let world = Self::empty();
        for row_type in ["FLAG", "REVISION"] {
            world.write(times.iter().map(|time| row(row_type, "f", time)));
        }
        world
    }

    fn empty() -> Self {
        let rows = Arc::new(ScriptedRows::default());
        let clock = Arc::new(StoppedClock(at(NOW)));
        let store = FlagStore::new(rows.clone(), clock);
        Self { rows, store }
    }

    fn write(&self, rows: impl IntoIterator<Item = Row>) {
        self.rows.store().put(rows);
    }

    /// The comment of the revision in force, and how many reads of ranges that took.
    async fn newest(&self) -> (String, usize) {
        self.rows.take_calls();
        let revision = self.store.newest_revision(&flag()).await.unwrap().unwrap();
        let is_range = |call: &RowCall| matches!(call, RowCall::Scan(_) | RowCall::Keys(_));
        let ranges = self.rows.take_calls().into_iter().filter(is_range);
        (revision.comment.clone(), ranges.count())
    }

    /// The comments of all revisions, the newest first.
    async fn history(&self) -> Vec<String> {
        let history = self.store.history(&flag(), 100).await.unwrap();
        let comments = history.into_iter().map(|row| row.unwrap().comment.clone());
        comments.collect()
    }

    async fn append(&self, base: Base) -> Result<Timestamp, AppendError> {
        let (appended, _) = self.store.append_revision(base, parts("ours")).await?;
        Ok(appended.created())
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_row_is_found_by_one_scan_of_one_row() {
    let world = World::new(&["2025-01-01 00:00:00", GOOD]);
    assert_eq!(world.newest().await, (GOOD.to_owned(), 1));
    let newest = world.store.newest_revision_row(&flag()).await.unwrap();
    assert_eq!(
        (newest.created(), newest.passed_over),
        (Some(at(GOOD)), None)
    );
    let none = World::empty()
        .store
        .newest_revision_row(&flag())
        .await
        .unwrap();
    assert_eq!((none.row, none.passed_over), (None, None));
}

#[tokio::test(start_paused = true)]
async fn every_reader_passes_over_rows_that_cannot_be_of_now() {
    for above in ABOVE {
        let world = World::new(&["2025-01-01 00:00:00", GOOD, above]);
        assert_eq!(world.newest().await, (GOOD.to_owned(), 2), "{above}");
        let store = &world.store;
        let newest = store.newest_revision_row(&flag()).await.unwrap();
        assert!(
            newest
                .passed_over
                .unwrap()
                .ends_with(&format!("#TIME#{above}"))
        );
        assert_eq!(world.history().await, [GOOD, "2025-01-01 00:00:00"]);
        let now = store.revision_at(&flag(), at(NOW)).await.unwrap();
        assert_eq!(now.unwrap().comment, GOOD);
        let metadata = store.newest_metadata(&flag()).await.unwrap().unwrap();
        assert_eq!(metadata.description, GOOD);
        let listed = store.flag_entries(&flag().project).await.unwrap();
        assert_eq!(listed.len(), 1);
        let (metadata, revision) = (listed[0].metadata.as_ref(), listed[0].revision.as_ref());
        assert_eq!(metadata.unwrap().as_ref().unwrap().description, GOOD);
        assert_eq!(revision.unwrap().as_ref().unwrap().comment, GOOD);
        assert_eq!(store.publish_newest(&flag()).await.unwrap(), Some(at(GOOD)));
        let head_row = store.head_row(&flag().project).await.unwrap();
        let head_row: Vec<_> = head_row.flags().collect();
        assert_eq!(head_row, [(flag(), HeadCell::Newest(at(GOOD)))]);
        let present = store
            .flags_with_revisions_from(&FlagPrefix::start(), 100)
            .await
            .unwrap();
        assert_eq!(present.flags, [FlagPrefix::of(&flag())]);
    }
}

#[tokio::test(start_paused = true)]
async fn however_many_rows_are_ahead_two_scans_pass_over_them() {
    let times: Vec<String> = (0..200)
        .map(|n| format!("9999-01-01 00:00:00.{n:06}"))
        .collect();
    let mut times: Vec<&str> = times.iter().map(String::as_str).collect();
    times.push(GOOD);
    assert_eq!(World::new(&times).newest().await, (GOOD.to_owned(), 2));
}

#[tokio::test(start_paused = true)]
async fn a_row_may_be_as_far_ahead_as_the_options_say() {
    let day_ahead = "2026-01-11 12:00:00.000000";
    let world = World::new(&[GOOD, day_ahead]);
    assert_eq!(world.newest().await.0, day_ahead);
    let options = RowOptions {
        max_future: Duration::from_hours(1),
        ..RowOptions::default()
    };
    let strict = world.store.clone().with_options(options);
    let revision = strict.newest_revision(&flag()).await.unwrap().unwrap();
    assert_eq!(revision.comment, GOOD);
}

/// A clock that is years behind would otherwise deny every flag.
#[tokio::test(start_paused = true)]
async fn where_no_row_counts_the_last_one_does() {
    let ahead = "2027-01-01 00:00:00.000001";
    let world = World::new(&["2026-06-01 00:00:00", ahead]);
    assert_eq!(world.newest().await.0, ahead);
    assert_eq!(world.history().await, [ahead, "2026-06-01 00:00:00"]);
    let newest = world.store.newest_revision_row(&flag()).await.unwrap();
    assert!(newest.passed_over.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_flag_with_no_key_that_tells_a_time_is_named() {
    let world = World::new(&["zzzz", "2024-13-01 00:00:00"]);
    let error = world.store.newest_revision(&flag()).await.unwrap_err();
    let ReadError::Unreadable(row) = error else {
        panic!("{error:?}");
    };
    assert!(row.key().contains("#FLAGNAME#f#TIME#"), "{row:?}");
    let listed = world.store.flag_entries(&flag().project).await.unwrap();
    assert!(listed[0].revision.as_ref().unwrap().is_err());
    let present = world
        .store
        .flags_with_revisions_from(&FlagPrefix::start(), 100)
        .await
        .unwrap();
    assert_eq!(present.flags, [FlagPrefix::of(&flag())]);
    assert_eq!(world.append(Base::Nothing).await.unwrap(), at(NOW));
    assert_eq!(world.newest().await.0, "ours");
}

#[tokio::test(start_paused = true)]
async fn an_append_gets_past_rows_that_do_not_count() {
    for above in ABOVE {
        let world = World::new(&[GOOD, above]);
        let wrong = world.append(Base::Nothing).await.unwrap_err();
        let found = Some(at(GOOD));
        assert!(
            matches!(wrong, AppendError::Conflict { found: f, .. } if f == found),
            "{wrong:?}"
        );
        assert_eq!(
            world.append(Base::Row(at(GOOD))).await.unwrap(),
            at(NOW),
            "{above}"
        );
        assert_eq!(world.newest().await.0, "ours");
        let next = world.append(Base::Row(at(NOW))).await.unwrap();
        assert_eq!(next, at(NOW).next().unwrap());
        assert_eq!(world.history().await, ["ours", "ours", GOOD]);
        let metadata = MetadataParts {
            flag: flag(),
            description: "ours".to_owned(),
            owner: None,
            ticket: None,
            tags: vec![],
            expires_on: None,
            edited_by: None,
        };
        let metadata = world
            .store
            .append_metadata(Base::Row(at(GOOD)), metadata)
            .await;
        assert_eq!(metadata.unwrap().0.created(), at(NOW));
    }
}

/// Whatever is appended meanwhile, they come into force over it.
#[tokio::test(start_paused = true)]
async fn rows_that_come_into_force_later_are_reported() {
    for (times, created, effective_from) in [
        (vec![GOOD, "2026-01-11 12:00:00", "zzzz"], None, ""),
        (
            vec![GOOD, "9999-12-31 23:59:59", "2026-01-11T13:00:00Z", "zzzz"],
            Some("2026-01-11 13:00:00"),
            "2026-01-10 13:00:00",
        ),
    ] {
        let world = World::new(&times);
        let ahead = world.store.revision_ahead(&flag()).await.unwrap();
        assert_eq!(ahead.map(|ahead| ahead.created), created.map(at));
        assert_eq!(
            ahead.map(|ahead| ahead.effective_from),
            created.map(|_| at(effective_from))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_append_to_a_flag_that_is_all_ahead_is_of_now() {
    let ahead = "9999-12-31 23:59:59.999999";
    let world = World::new(&[ahead]);
    assert_eq!(world.append(Base::Row(at(ahead))).await.unwrap(), at(NOW));
    assert_eq!(world.newest().await.0, "ours");
}

#[tokio::test(start_paused = true)]
async fn an_unreadable_newest_revision_can_be_replaced() {
    let world = World::new(&["2025-01-01 00:00:00"]);
    let mut unreadable = row("REVISION", "f", GOOD);
    unreadable.cells.set("FormatVersion", "9");
    world.write([unreadable]);
    let error = world.store.newest_revision(&flag()).await.unwrap_err();
    let ReadError::Unreadable(newest) = error else {
        panic!("{error:?}");
    };
    assert_eq!(newest.created(), Some(at(GOOD)));
    assert_eq!(
        world.append(Base::on(newest.created())).await.unwrap(),
        at(NOW)
    );
    assert_eq!(world.newest().await.0, "ours");
}

#[tokio::test(start_paused = true)]
async fn of_one_day_the_latest_time_counts_however_it_is_spelled() {
    for (times, newest) in [
        (["2026-01-10T09:00:00Z", "2026-01-10 11:00:00.000001"], 1),
        (["2026-01-10T09:00:00Z", "2026-01-10 08:00:00.000001"], 0),
        (["2026-01-10 09:00:00Z", "2026-01-10 09:00:00.5"], 1),
        (["2026-01-10 09:00:00.9Z", "2026-01-10 09:00:00.5"], 0),
        (["2026-01-10 09:00:00+00:00", "2026-01-10 09:00:00.5"], 1),
        (["2026-01-09T09:00:00Z", "2026-01-10 08:00:00"], 1),
        (["2026-01-10T08:00:00Z", "2026-01-10T08:00:00.500000Z"], 1),
        (["2026-01-10T08:00:00.5Z", "2026-01-10T08:00:00.51"], 1),
    ] {
        let world = World::new(&times);
        assert_eq!(world.newest().await.0, times[newest], "{times:?}");
        for limit in 1..=2 {
            let history = world.store.history(&flag(), limit).await.unwrap();
            let newest_of_all = history[0].as_ref().unwrap();
            assert_eq!(
                (history.len(), newest_of_all.comment.as_str()),
                (limit, times[newest])
            );
        }
        let then = world.store.revision_at(&flag(), at(NOW)).await.unwrap();
        assert_eq!(then.unwrap().comment, times[newest], "{times:?}");
        let base = Base::Row(at(times[newest]));
        world.append(base).await.unwrap();
        assert_eq!(world.newest().await.0, "ours", "{times:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_newest_of_all_are_in_a_history_that_is_cut() {
    let times = [
        "2026-01-09T12:00:00",
        "2026-01-10 07:00:00",
        "2026-01-10 09:00:00Z",
        "2026-01-10 10:00:00",
        "2026-01-10T06:00:00Z",
        "2026-01-10T08:00:00Z",
        "2026-01-11T11:00:00",
    ];
    let newest_first = [6, 3, 2, 5, 1, 4, 0].map(|at: usize| times[at]);
    let world = World::new(&times);
    for limit in 1..=times.len() {
        let history = world.store.history(&flag(), limit).await.unwrap();
        let history = history.into_iter().map(|row| row.unwrap().comment.clone());
        assert_eq!(history.collect::<Vec<_>>(), newest_first[..limit]);
    }
    assert!(world.store.history(&flag(), 0).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_time_with_a_t_is_found_again() {
    let times = [
        "2026-01-09T09:00:00Z",
        "2026-01-09T10:00:00.5Z",
        "2026-01-09 23:00:00",
    ];
    let world = World::new(&times);
    for (time, expected) in [
        ("2026-01-09 08:59:59", None),
        ("2026-01-09 09:00:00", Some(times[0])),
        ("2026-01-09 10:00:00.4", Some(times[0])),
        ("2026-01-09 10:00:00.5", Some(times[1])),
        ("2026-01-10 00:00:00", Some(times[2])),
    ] {
        let revision = world.store.revision_at(&flag(), at(time)).await.unwrap();
        assert_eq!(
            revision.map(|revision| revision.comment.clone()).as_deref(),
            expected
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_first_key_that_tells_no_time_does_not_deny_the_others() {
    let world = World::new(&["", "0000-01-01 00:00:00", GOOD]);
    let first = world.store.first_revision_created(&flag()).await.unwrap();
    assert_eq!(first, Some(at(GOOD)));
}

#[tokio::test(start_paused = true)]
async fn however_many_keys_tell_no_time_those_that_do_are_found() {
    for spelled in ["", "2026-01-09 99:", "zzzz"] {
        let times: Vec<String> = (0..250).map(|n| format!("{spelled}{n:03}")).collect();
        let times: Vec<&str> = times.iter().map(String::as_str).chain([GOOD]).collect();
        let world = World::new(&times);
        assert_eq!(world.newest().await.0, GOOD, "{spelled}");
        let first = world.store.first_revision_created(&flag()).await.unwrap();
        assert_eq!(first, Some(at(GOOD)), "{spelled}");
        let then = world.store.revision_at(&flag(), at(NOW)).await.unwrap();
        assert_eq!(then.unwrap().comment, GOOD, "{spelled}");
        assert_eq!(world.append(Base::Row(at(GOOD))).await.unwrap(), at(NOW));
        assert_eq!(world.newest().await.0, "ours", "{spelled}");
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_is_served_is_listed() {
    let world = World::empty();
    let names = [
        "my flag",
        "_under",
        "team/flag",
        "Émoji",
        "O'Brien",
        "a\\b",
        "f",
    ];
    world.write(names.iter().map(|name| row("REVISION", name, GOOD)));
    let listed = world.store.flag_entries(&flag().project).await.unwrap();
    let mut listed: Vec<&str> = listed
        .iter()
        .map(|entry| entry.flag.name.as_str())
        .collect();
    let mut expected = names.to_vec();
    listed.sort_unstable();
    expected.sort_unstable();
    assert_eq!(listed, expected);
    for name in names {
        let revision = world.store.newest_revision(&flag_named(name)).await;
        assert!(revision.unwrap().is_some(), "{name}");
    }
    let projects = world.store.projects().await.unwrap();
    assert_eq!(
        (projects.names.len(), projects.keys_without_project.len()),
        (1, 0)
    );
}

//! What replicas of the service report into the log: that they run, and which revisions of a project they serve.
//!
//! So a writer can find out whether all of them serve what it wrote.

use std::collections::BTreeMap;
use std::time::Duration;

use flag_model::{FlagKey, Invalid, ProjectName, Timestamp};

use crate::exposure_log::{ExposureLog, PAGE};
use crate::head::{HeadCell, HeadRow, ProjectDigest};
use crate::row_key::{REPLICAS, ReplicaId, replica_key, served_key, served_prefix};
use crate::rows::{Row, Scan, TimestampedRow};
use crate::store_error::StoreError;
use crate::stored::{decode_replica, decode_served, encode_replica, encode_served};

/// A replica that has not reported for this long does not count; it reports each minute.
const SILENCE: Duration = Duration::from_mins(3);

/// After this silence it is not named either: what it has in its cache is then too old to be served, with the default settings.
const NAMED: Duration = Duration::from_hours(24);

/// Smaller differences of clocks are ignored: a report takes a moment, and some stores keep whole seconds.
const CLOCK_ERROR: Duration = Duration::from_secs(30);

/// The most flags whose latest change a replica reports.
const MAX_CHANGED: usize = 100;

/// A replica of the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replica {
    /// Identifies this process; drawn at random when it starts.
    pub id: ReplicaId,
    /// The name of its pod or host.
    pub name: String,
    /// Which build it is.
    pub build: String,
    /// When it started.
    pub started: Timestamp,
    /// When it reported last, by its own clock.
    pub reported: Timestamp,
    /// When the store wrote that report, by the clock of the store; `None` if it keeps no times.
    pub written: Option<Timestamp>,
    /// How often it looks for changes; `None` if it notices one when the lifetime of the flag ends.
    pub polls_every: Option<Duration>,
}

impl Replica {
    /// When it reported last, by the clock of the store if that tells.
    pub fn last_heard(&self) -> Timestamp {
        self.written.unwrap_or(self.reported)
    }

    /// How many seconds its clock is ahead of that of the store, negative if behind; `None` if that is about right, or
    /// the store does not tell.
    pub fn clock_error(&self) -> Option<i64> {
        let ahead = self.reported.unix_micros() - self.written?.unix_micros();
        let seconds = ahead / 1_000_000;
        (seconds.unsigned_abs() >= CLOCK_ERROR.as_secs()).then_some(seconds)
    }
}

/// The replicas that have reported and not been withdrawn, by name.
#[derive(Clone, Debug, Default)]
pub struct KnownReplicas {
    /// Those that have reported in the three minutes before the latest report.
    pub live: Vec<Replica>,
    /// Others that have in the day before: killed, or without access to the log. One of the name of a live one is left out: it has
    /// been replaced.
    pub silent: Vec<Replica>,
}

impl KnownReplicas {
    /// The latest report is the only clock, as those of replicas and of readers may be wrong.
    fn new(mut replicas: Vec<Replica>) -> Self {
        replicas.sort_by(|one, other| (&one.name, one.id).cmp(&(&other.name, other.id)));
        let newest = replicas.iter().map(Replica::last_heard).max();
        let is_within = |replica: &Replica, time| {
            newest.is_some_and(|newest| newest.since(replica.last_heard()) < time)
        };
        replicas.retain(|replica| is_within(replica, NAMED));
        let (live, mut silent): (Vec<_>, Vec<_>) = replicas
            .into_iter()
            .partition(|replica| is_within(replica, SILENCE));
        silent.retain(|replica| live.iter().all(|live| live.name != replica.name));
        Self { live, silent }
    }

    /// As a reader with this clock knows them: none is live if none has reported in the last three minutes.
    #[must_use]
    pub fn as_of(mut self, now: Timestamp) -> Self {
        if self.are_silent(now) {
            self.silent.append(&mut self.live);
        }
        self
    }

    /// How old the latest report is by this clock; `None` if there is none.
    pub fn age(&self, now: Timestamp) -> Option<Duration> {
        let replicas = self.live.iter().chain(&self.silent);
        let newest = replicas.map(Replica::last_heard).max();
        newest.map(|newest| now.since(newest))
    }

    /// Whether none has reported in the last three minutes, by this clock.
    pub fn are_silent(&self, now: Timestamp) -> bool {
        self.age(now).is_none_or(|age| age >= SILENCE)
    }
}

/// Which revisions of a project a replica serves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServedRevisions {
    /// The digest of the latest head row of which it serves every flag.
    pub digest: Option<ProjectDigest>,
    /// The flags that it noticed to change last, and the times of the revisions that it serves.
    pub(crate) changed: Vec<(FlagKey, Timestamp)>,
}

impl ServedRevisions {
    /// Notes that the replica serves this revision of a flag.
    pub fn note(&mut self, flag: FlagKey, revision: Timestamp) {
        self.forget(&flag);
        if self.changed.len() == MAX_CHANGED {
            self.changed.remove(0);
        }
        self.changed.push((flag, revision));
    }

    /// Notes that a flag is not known to be served.
    pub fn forget(&mut self, flag: &FlagKey) {
        self.changed.retain(|(there, _)| there != flag);
    }

    /// Whether it serves this revision of a flag or a later one. `head_row` is a head row of the project that was read after
    /// the revision was published.
    pub fn serves(&self, flag: &FlagKey, revision: Timestamp, head_row: &HeadRow) -> bool {
        if let Some(served) = self.reported(flag) {
            return served >= revision;
        }
        let newest = head_row.get(flag).and_then(HeadCell::published);
        self.is_up_to_date(head_row) && newest >= Some(revision)
    }

    /// The revision of a flag that it reported lately; `None` if others have changed since, or none has.
    pub fn reported(&self, flag: &FlagKey) -> Option<Timestamp> {
        let changed = self.changed.iter().find(|(changed, _)| changed == flag);
        changed.map(|(_, served)| *served)
    }

    /// Whether it serves every flag of a head row.
    pub fn is_up_to_date(&self, head_row: &HeadRow) -> bool {
        self.digest == Some(head_row.digest())
    }
}

/// Reports that a replica runs, and what it serves of these projects.
pub async fn report(
    log: &dyn ExposureLog,
    replica: &Replica,
    served: &[(ProjectName, ServedRevisions)],
) -> Result<(), StoreError> {
    let served = served.iter();
    let served = served.map(|(project, served)| encode_served(project, replica.id, served));
    let rows: Vec<Row> = std::iter::once(encode_replica(replica))
        .chain(served)
        .collect();
    log.write_reports(&rows).await
}

/// Removes what a replica has reported of these projects.
pub async fn withdraw_projects(
    log: &dyn ExposureLog,
    replica: ReplicaId,
    projects: &[ProjectName],
) -> Result<(), StoreError> {
    let keys = projects.iter();
    let keys: Vec<_> = keys
        .map(|project| served_key(project, replica).into_bytes())
        .collect();
    log.remove_reports(&keys).await
}

/// Removes a replica.
pub async fn withdraw_replica(log: &dyn ExposureLog, replica: ReplicaId) -> Result<(), StoreError> {
    log.remove_reports(&[replica_key(replica).into_bytes()])
        .await
}

/// The replicas that have reported and not been withdrawn, also those that were killed long ago.
pub async fn replicas(log: &dyn ExposureLog) -> Result<Vec<Replica>, StoreError> {
    let rows = rows(log, Scan::prefix(REPLICAS)).await?;
    let replicas = rows.iter();
    let replicas = replicas.map(|report| read(&report.row, decode_replica(report)));
    replicas.collect()
}

/// The same, told apart by whether they still report.
pub async fn known_replicas(log: &dyn ExposureLog) -> Result<KnownReplicas, StoreError> {
    replicas(log).await.map(KnownReplicas::new)
}

/// What replicas have reported that they serve of a project.
pub async fn served_revisions(
    log: &dyn ExposureLog,
    project: &ProjectName,
) -> Result<BTreeMap<ReplicaId, ServedRevisions>, StoreError> {
    let rows = rows(log, Scan::prefix(served_prefix(project))).await?;
    let served = rows.iter().map(|report| &report.row);
    let served = served.map(|row| read(row, decode_served(project, row)));
    served.collect()
}

async fn rows(log: &dyn ExposureLog, scan: Scan) -> Result<Vec<TimestampedRow>, StoreError> {
    let mut scan = scan.limit(PAGE);
    let mut rows = Vec::new();
    loop {
        let page = log.reports(scan.clone()).await?;
        let last = page.last().filter(|_| page.len() == PAGE);
        let last = last.map(|report| report.row.key.clone());
        rows.extend(page);
        match last {
            Some(last) => scan.go_on_after(&last),
            None => return Ok(rows),
        }
    }
}

fn read<T>(row: &Row, decoded: Result<T, Invalid>) -> Result<T, StoreError> {
    decoded.map_err(|invalid| StoreError::Broken {
        source: format!("row {}: {invalid}", String::from_utf8_lossy(&row.key)).into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemoryStore;
    use crate::rows::{Cells, RowStore as _};
    use crate::{Clock as _, FlagStore, SystemClock};

    fn at(minute: u8) -> Timestamp {
        Timestamp::parse(&format!("2026-11-22 10:{minute:02}:00")).unwrap()
    }

    fn flag(name: &str) -> FlagKey {
        format!("p/data/{name}").parse().unwrap()
    }

    /// A head row with the revision of minute 5 of `f`, and this one of `g`.
    async fn head(g: u8) -> HeadRow {
        let cells = Cells::default()
            .with("data/f", at(5).to_string())
            .with("data/g", at(g).to_string());
        let store = MemoryStore::default();
        let row = Row {
            key: b"PROJECT#p#ROWTYPE#HEAD".to_vec(),
            cells,
        };
        store.insert_if_absent(&row).await.unwrap();
        let store = FlagStore::new(std::sync::Arc::new(store), std::sync::Arc::new(SystemClock));
        let project = ProjectName::new("p").unwrap();
        store.head_row(&project).await.unwrap()
    }

    /// Whether a replica that serves all flags of a head row, and noted these revisions of `f`, serves one of them, given
    /// the head row of now.
    #[track_caller]
    fn check(of: &HeadRow, noted: &[u8], now: &HeadRow, revision: u8, expected: bool) {
        let mut served = ServedRevisions {
            digest: Some(of.digest()),
            ..ServedRevisions::default()
        };
        for minute in noted {
            served.note(flag("f"), at(*minute));
        }
        assert_eq!(served.serves(&flag("f"), at(revision), now), expected);
    }

    #[tokio::test]
    async fn a_revision_is_served_if_it_or_a_later_one_was_noted_or_the_digest_is_that_of_now() {
        let (before, now) = (head(1).await, head(2).await);
        check(&before, &[], &before, 5, true);
        check(&before, &[], &before, 6, false);
        check(&before, &[], &now, 5, false);
        check(&before, &[5], &now, 5, true);
        check(&before, &[4, 6], &now, 5, true);
        check(&before, &[6, 4], &now, 5, false);
    }

    /// A replica that reported in these minutes by its own clock and by the store's.
    fn replica(name: &str, reported: u8, written: Option<u8>) -> Replica {
        Replica {
            id: ReplicaId(u128::from(reported)),
            name: name.to_owned(),
            build: String::new(),
            started: at(0),
            reported: at(reported),
            written: written.map(at),
            polls_every: None,
        }
    }

    #[test]
    fn a_replica_is_live_by_the_latest_report_whatever_its_own_clock_says() {
        let of = |replicas: &[Replica]| replicas.iter().map(|replica| replica.reported).collect();
        let check = |replicas: &[Replica], live: &[u8], silent: &[u8]| {
            let known = KnownReplicas::new(replicas.to_vec());
            let expected: [Vec<_>; 2] =
                [live, silent].map(|minutes| minutes.iter().copied().map(at).collect());
            let found: [Vec<_>; 2] = [of(&known.live), of(&known.silent)];
            assert_eq!(found, expected);
        };
        check(&[], &[], &[]);
        let behind = replica("a", 1, Some(10));
        let ahead = replica("b", 30, Some(6));
        check(&[behind.clone(), replica("b", 9, Some(9))], &[1, 9], &[]);
        check(&[behind.clone(), ahead.clone()], &[1], &[30]);
        check(&[replica("a", 2, None), replica("b", 5, None)], &[5], &[2]);
        check(
            &[replica("a", 10, Some(10)), replica("a", 5, Some(5))],
            &[10],
            &[],
        );
        let errors = [
            behind,
            ahead,
            replica("c", 9, Some(9)),
            replica("d", 9, None),
        ];
        let errors = errors.map(|replica| replica.clock_error());
        assert_eq!(errors, [Some(-540), Some(24 * 60), None, None]);
    }

    #[test]
    fn a_reader_tells_by_its_own_clock_only_whether_there_is_any_report() {
        let known = KnownReplicas::new(vec![replica("a", 1, Some(10))]);
        let silent = [9, 12, 13].map(|minute| known.are_silent(at(minute)));
        assert_eq!(silent, [false, false, true]);
        assert!(KnownReplicas::default().are_silent(at(1)));
        let seen = known.as_of(at(13));
        assert_eq!((seen.live.len(), seen.silent.len()), (0, 1));
    }

    #[test]
    fn only_the_latest_changes_are_kept() {
        let mut served = ServedRevisions::default();
        for number in 0..=MAX_CHANGED {
            served.note(flag(&number.to_string()), SystemClock.now());
        }
        assert_eq!(served.changed.len(), MAX_CHANGED);
        assert_eq!(served.changed[0].0, flag("1"));
    }
}

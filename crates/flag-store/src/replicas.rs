//! What replicas of the service report into the log: that they run, and which revisions of a project they serve.
//!
//! So a writer can find out whether all of them serve what it wrote.

use std::collections::BTreeMap;
use std::time::Duration;

use flag_model::{FlagKey, Invalid, ProjectName, Timestamp};

use crate::exposure_log::{ExposureLog, PAGE};
use crate::head::{HeadCell, HeadRow, ProjectDigest};
use crate::row_key::{REPLICAS, ReplicaId, replica_key, served_key, served_prefix};
use crate::rows::{Row, Scan};
use crate::store_error::StoreError;
use crate::stored::{decode_replica, decode_served, encode_replica, encode_served};

/// A replica that has not reported for this long does not count; it reports each minute.
const SILENCE: Duration = Duration::from_mins(3);

/// The most flags whose latest change a replica reports.
const MAX_CHANGED: usize = 100;

/// A replica of the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replica {
    /// Which run of it.
    pub id: ReplicaId,
    /// The name of its pod or host.
    pub name: String,
    /// Which build it is.
    pub build: String,
    /// When it started.
    pub started: Timestamp,
    /// When it reported last.
    pub reported: Timestamp,
    /// Whether it watches for changes; otherwise it notices one when the lifetime of the flag ends.
    pub watches: bool,
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

    /// Whether it serves this revision of a flag or a later one. `head` is a head row of the project that was read after
    /// the revision was published.
    pub fn serves(&self, flag: &FlagKey, revision: Timestamp, head: &HeadRow) -> bool {
        let changed = self.changed.iter().find(|(changed, _)| changed == flag);
        if let Some((_, served)) = changed {
            return *served >= revision;
        }
        let newest = head.get(flag).and_then(HeadCell::published);
        self.is_up_to_date(head) && newest >= Some(revision)
    }

    /// Whether it serves every flag of a head row.
    pub fn is_up_to_date(&self, head: &HeadRow) -> bool {
        self.digest == Some(head.digest())
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
pub async fn withdraw(
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
    let replicas = rows.iter().map(|row| read(row, decode_replica(row)));
    replicas.collect()
}

/// The replicas that have reported in the last three minutes, by name.
pub async fn live_replicas(
    log: &dyn ExposureLog,
    now: Timestamp,
) -> Result<Vec<Replica>, StoreError> {
    let mut replicas = replicas(log).await?;
    replicas.retain(|replica| now.since(replica.reported) < SILENCE);
    replicas.sort_by(|one, other| (&one.name, one.id).cmp(&(&other.name, other.id)));
    Ok(replicas)
}

/// What replicas have reported that they serve of a project.
pub async fn served_revisions(
    log: &dyn ExposureLog,
    project: &ProjectName,
) -> Result<BTreeMap<ReplicaId, ServedRevisions>, StoreError> {
    let rows = rows(log, Scan::prefix(served_prefix(project))).await?;
    let served = rows
        .iter()
        .map(|row| read(row, decode_served(project, row)));
    served.collect()
}

async fn rows(log: &dyn ExposureLog, scan: Scan) -> Result<Vec<Row>, StoreError> {
    let mut scan = scan.limit(PAGE);
    let mut rows = Vec::new();
    loop {
        let page = log.reports(scan.clone()).await?;
        let last = page.last().filter(|_| page.len() == PAGE);
        let last = last.map(|row| row.key.clone());
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

//! Reports into the exposure log that this replica runs, and which revisions it serves, so that a writer learns when all
//! replicas serve a change.

use std::sync::Arc;
use std::time::Duration;

use flag_model::{Backoff, Jitter};
use flag_store::{
    Clock as _, ExposureLog, Replica, StoreError, SystemClock, report, withdraw_projects,
    withdraw_replica,
};
use tokio::time::{Instant, sleep_until};
use tracing::{info, warn};

use crate::causes::causes;
use crate::flags::FlagCache;

/// How often a replica reports at least.
const PERIOD: Duration = Duration::from_mins(1);

/// Replicas report at different moments.
const JITTER: Jitter = Jitter::between(0.8, 1.0);

/// The interval of checks whether the cache serves changes by now.
const CHECK_EVERY: Duration = Duration::from_millis(20);

/// The age of the latest unserved change after which it is checked less often: its flag cannot be read.
const SLOW_CHECK_AFTER: Duration = Duration::from_secs(1);

/// The interval of these checks.
const SLOW_CHECK_EVERY: Duration = Duration::from_secs(1);

/// Pauses after failures.
const BACKOFF: Backoff = Backoff {
    first: Duration::from_secs(1),
    max: PERIOD,
    jitter: Jitter::between(0.5, 1.0),
};

/// The most projects in one report.
const PART: usize = 500;

/// Reports for a replica.
#[derive(Clone, Debug)]
pub struct ReplicaReporter {
    log: Arc<dyn ExposureLog>,
    flags: FlagCache,
    replica: Replica,
}

impl ReplicaReporter {
    /// Creates a reporter; call `run`.
    pub fn new(log: Arc<dyn ExposureLog>, flags: FlagCache, replica: Replica) -> Self {
        Self {
            log,
            flags,
            replica,
        }
    }

    /// Reports for ever: at once what is served newly, else each minute.
    pub async fn run(self) {
        let (mut due, mut failures) = (Instant::now(), 0_u32);
        loop {
            let now = Instant::now();
            let latest_unserved_seen_at = self.mark_served();
            if due <= now || (failures == 0 && self.flags.project_reports().has_news()) {
                due = Instant::now() + self.report_once(&mut failures).await;
            }
            let check = latest_unserved_seen_at.map(|since| now + check_after(now - since));
            tokio::select! {
                () = self.flags.project_reports().wait_for_change() => {}
                () = sleep_until(check.map_or(due, |check| check.min(due))) => {}
            }
        }
    }

    /// Removes what was reported: the replica stops.
    pub async fn withdraw(&self) -> Result<(), StoreError> {
        withdraw_replica(&*self.log, self.replica.id).await?;
        let projects = self.flags.project_reports().all();
        withdraw_projects(&*self.log, self.replica.id, &projects).await
    }

    /// Notes which changes are served: those of whose flags the cache serves no older revision. Returns when the latest of the others
    /// was seen.
    fn mark_served(&self) -> Option<Instant> {
        let serves_nothing_older =
            |flag: &_, time, seen_at| self.flags.serves_nothing_older(flag, Some(time), seen_at);
        self.flags
            .project_reports()
            .mark_served(serves_nothing_older)
    }

    /// Reports what is new; how long to wait for the next time. Logs once when reports begin to fail.
    async fn report_once(&self, failures: &mut u32) -> Duration {
        match self.report_all().await {
            Ok(()) => {
                if std::mem::take(failures) > 0 {
                    info!("which revisions are served is reported again");
                }
                JITTER.apply(PERIOD, fastrand::f64())
            }
            Err(error) => {
                if *failures == 0 {
                    warn!(problem = %error, cause = causes(&error), "which revisions are served cannot be reported; it is tried again");
                }
                *failures = failures.saturating_add(1);
                BACKOFF.delay(*failures - 1, fastrand::f64())
            }
        }
    }

    async fn report_all(&self) -> Result<(), StoreError> {
        let reports = self.flags.project_reports();
        loop {
            let part = reports.take(PART);
            let replica = Replica {
                reported: SystemClock.now(),
                ..self.replica.clone()
            };
            let reported = report(&*self.log, &replica, &part).await;
            if reported.is_err() {
                reports.put_back(&part);
                return reported;
            }
            if part.len() < PART {
                break;
            }
        }
        let gone = reports.gone();
        if !gone.is_empty() {
            withdraw_projects(&*self.log, self.replica.id, &gone).await?;
            reports.forget(&gone);
        }
        Ok(())
    }
}

fn check_after(unserved_for: Duration) -> Duration {
    if unserved_for < SLOW_CHECK_AFTER {
        CHECK_EVERY
    } else {
        SLOW_CHECK_EVERY
    }
}

#[cfg(test)]
mod tests {
    use flag_model::{
        BucketScheme, FlagKey, FlagValue, HashAlgorithm, ProjectName, RevisionParts, Timestamp,
    };
    use flag_store::memory::MemoryStore;
    use flag_store::scripted::{ScriptedLog, Step};
    use flag_store::{
        Base, FlagStore, ProjectDigest, ReplicaId, ServedRevisions, replicas, served_revisions,
    };
    use prometheus_client::registry::Registry;
    use tokio::runtime::Handle;
    use tokio::time::sleep;

    use super::*;
    use crate::events::SeenRevision;
    use crate::flags::test_settings;
    use crate::store::Circuit;

    const SHORTLY: Duration = Duration::from_millis(100);

    struct World {
        store: FlagStore,
        log: Arc<ScriptedLog>,
        flags: FlagCache,
        reporter: ReplicaReporter,
    }

    impl World {
        /// A running replica, which reports.
        fn new() -> Self {
            let store = FlagStore::new(Arc::new(MemoryStore::default()), Arc::new(SystemClock));
            let (circuit, registry) = (Arc::new(Circuit::new()), &mut Registry::default());
            let flags = FlagCache::new(
                store.clone(),
                circuit,
                test_settings(),
                Handle::current(),
                registry,
            );
            let log = Arc::new(ScriptedLog::default());
            let now = SystemClock.now();
            let replica = Replica {
                id: ReplicaId(1),
                name: "a".to_owned(),
                build: "1".to_owned(),
                started: now,
                reported: now,
                written: None,
                polls_every: Some(PERIOD),
            };
            let reporter = ReplicaReporter::new(log.clone(), flags.clone(), replica);
            tokio::spawn(reporter.clone().run());
            Self {
                store,
                log,
                flags,
                reporter,
            }
        }

        fn note(&self, digest: &str) {
            let digest = ProjectDigest::parse(&format!("{digest:0>32}")).unwrap();
            let reports = self.flags.project_reports();
            reports.note_head_changes(&project(), digest, vec![]);
        }

        async fn reported(&self) -> Option<String> {
            let digest = self.served().await?.digest?;
            Some(digest.to_string().trim_start_matches('0').to_owned())
        }

        async fn served(&self) -> Option<ServedRevisions> {
            let mut served = served_revisions(&*self.log, &project()).await.unwrap();
            served.remove(&ReplicaId(1))
        }

        /// Appends a revision of a flag, of which the watcher learns; returns its time.
        async fn revise(&self, flag: &FlagKey) -> Timestamp {
            let parts = RevisionParts {
                flag: flag.clone(),
                scheme: BucketScheme::v1(HashAlgorithm::Md5),
                control: FlagValue::Boolean(true),
                treatments: vec![],
                comment: String::new(),
                owner: None,
                rollback_of: None,
            };
            self.store
                .append_revision(Base::Newest, parts)
                .await
                .unwrap();
            let revision = self.store.newest_revision(flag).await.unwrap();
            let created = revision.unwrap().created();
            let head_row = self.store.head_row(&project()).await.unwrap();
            let change = SeenRevision {
                flag: flag.clone(),
                revision_time: Some(created),
                seen_at: Instant::now(),
            };
            let reports = self.flags.project_reports();
            reports.note_head_changes(&project(), head_row.digest(), vec![change]);
            created
        }

        async fn last(&self) -> Option<Timestamp> {
            let replicas = replicas(&*self.log).await.unwrap();
            replicas.first().map(|replica| replica.reported)
        }
    }

    fn project() -> ProjectName {
        ProjectName::new("p").unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_is_reported_at_once_and_that_the_replica_runs_each_minute() {
        let world = World::new();
        sleep(SHORTLY).await;
        let first = world.last().await.unwrap();
        assert_eq!(world.reported().await, None);
        world.note("1");
        sleep(SHORTLY).await;
        assert_eq!(world.reported().await, Some("1".to_owned()));
        world.log.take_calls();
        sleep(PERIOD).await;
        let writes = world.log.take_calls().len();
        assert_eq!(writes, 1, "of the replica alone");
        assert!(world.last().await.unwrap() > first);
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_is_reported_at_once_while_another_flag_is_never_served() {
        let world = World::new();
        let [never, flag] = ["never", "f"].map(|name| format!("p/feature/{name}").parse().unwrap());
        for flag in [&never, &flag] {
            world.revise(flag).await;
            world.flags.get_or_read(flag).await.unwrap();
        }
        sleep(SHORTLY).await;
        world.revise(&never).await;
        for _ in 0..10 {
            // Not a multiple of the time between two checks.
            sleep(SLOW_CHECK_EVERY * 13 / 10).await;
            let created = world.revise(&flag).await;
            let head = world.store.head_row(&project()).await.unwrap();
            let is_reported = async || {
                let served = world.served().await.unwrap();
                served.serves(&flag, created, &head)
            };
            sleep(SHORTLY).await;
            assert!(!is_reported().await);
            world.flags.read_appended(&flag, created).await;
            sleep(SHORTLY).await;
            assert!(is_reported().await);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_report_that_fails_is_repeated() {
        let world = World::new();
        sleep(SHORTLY).await;
        world.log.script(|_| async {
            Step::Fail(StoreError::Unavailable {
                source: "down".into(),
            })
        });
        world.note("1");
        sleep(Duration::from_secs(30)).await;
        let attempts = world.log.take_calls().len();
        assert!((2..=10).contains(&attempts), "{attempts}");
        world.log.script(|_| async { Step::Pass });
        sleep(PERIOD).await;
        assert_eq!(world.reported().await, Some("1".to_owned()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_replica_that_stops_leaves_no_report() {
        let world = World::new();
        world.note("1");
        sleep(SHORTLY).await;
        assert!(world.reported().await.is_some());
        world.reporter.withdraw().await.unwrap();
        assert_eq!((world.reported().await, world.last().await), (None, None));
    }
}

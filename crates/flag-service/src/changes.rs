//! Looks for changes: reads the head rows of the projects that are served, and has what changed read again.
//!
//! Head rows only tell of changes early. What the reference's tooling writes isn't in them, and shows when a flag's
//! lifetime ends.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use flag_model::ProjectName;
use flag_store::{FlagStore, Heads, StoreError};
use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use crate::cache::FlagCache;

/// How many head rows are read at once.
const AT_ONCE: usize = 8;

/// How long after a head row has changed each of its flags is compared with what is served. A claim may stand for as
/// long before its revision comes, and what was read just before a change may arrive just after it.
const UNSETTLED: Duration = Duration::from_secs(30);

/// How often the projects are forgotten of which no flag is held.
const SWEEP: Duration = Duration::from_mins(1);

/// Looks for changes for ever, about every `period`.
pub(crate) async fn look(store: FlagStore, flags: FlagCache, period: Duration) {
    let mut watch = Watch::new(store, flags);
    let mut swept = Instant::now();
    loop {
        sleep(period.mul_f64(0.9 + fastrand::f64() / 10.0)).await;
        if swept.elapsed() >= SWEEP {
            watch.sweep();
            swept = Instant::now();
        }
        watch.poll().await;
    }
}

/// What was seen of the head rows.
#[derive(Debug)]
struct Watch {
    store: FlagStore,
    flags: FlagCache,
    seen: HashMap<ProjectName, Seen>,
    is_failing: bool,
}

/// What a head row was like.
#[derive(Clone, Copy, Debug)]
struct Seen {
    digest: u64,
    since: Instant,
}

impl Watch {
    fn new(store: FlagStore, flags: FlagCache) -> Self {
        Self {
            store,
            flags,
            seen: HashMap::new(),
            is_failing: false,
        }
    }

    /// Reads every head row once.
    async fn poll(&mut self) {
        let projects = self.flags.watched();
        let store = &self.store;
        let heads: Vec<_> = stream::iter(projects)
            .map(|project| async move { (store.heads(&project).await, project) })
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        let mut failure = None;
        let was_failing = self.is_failing;
        for (heads, project) in heads {
            match heads {
                Ok(heads) => self.compare(project, &heads, was_failing),
                Err(error) => failure = Some(error),
            }
        }
        self.complain(failure);
    }

    /// Forgets the projects that nobody asks for.
    fn sweep(&mut self) {
        self.flags.forget_projects();
        let watched: HashSet<ProjectName> = self.flags.watched().into_iter().collect();
        self.seen.retain(|project, _| watched.contains(project));
    }

    fn compare(&mut self, project: ProjectName, heads: &Heads, was_failing: bool) {
        if was_failing {
            self.flags.confirm(heads);
        }
        let (digest, now) = (heads.digest(), Instant::now());
        let seen = self
            .seen
            .entry(project)
            .or_insert(Seen { digest, since: now });
        if seen.digest != digest {
            *seen = Seen { digest, since: now };
        }
        if now.saturating_duration_since(seen.since) < UNSETTLED {
            self.flags.tell(heads);
        }
    }

    /// One line when looking begins to fail, and one when it works again.
    fn complain(&mut self, failure: Option<StoreError>) {
        let was_failing = std::mem::replace(&mut self.is_failing, failure.is_some());
        match failure {
            Some(error) if !was_failing => {
                warn!(problem = %error, "cannot look for changes of flags");
            }
            None if was_failing => info!("looking for changes of flags again"),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use flag_model::{
        FlagKey, FlagName, FlagType, FlagValue, Format, HashAlgorithm, InstanceId, RevisionParts,
    };
    use flag_rollout::decide;
    use flag_store::{Base, SystemClock, memory::MemoryStore};
    use tokio::runtime::Handle;

    use super::*;
    use crate::config::Config;
    use crate::metrics::registry;
    use crate::store::Circuit;

    struct World {
        store: FlagStore,
        flags: FlagCache,
        flag: FlagKey,
    }

    impl World {
        async fn new() -> Self {
            let store = FlagStore::new(Arc::new(MemoryStore::default()), Arc::new(SystemClock));
            let settings = Config::of_defaults().cache.flags;
            let circuit = Arc::new(Circuit::new());
            let reads = Handle::current();
            let flags = FlagCache::new(store.clone(), circuit, settings, reads, &mut registry());
            let flag = FlagKey {
                project: ProjectName::new("p").unwrap(),
                flag_type: FlagType::Feature,
                name: FlagName::new("f").unwrap(),
            };
            let world = Self { store, flags, flag };
            world.revise(false).await;
            world
        }

        async fn revise(&self, control: bool) {
            let parts = RevisionParts {
                flag: self.flag.clone(),
                format: Format::v1(HashAlgorithm::Md5),
                control: FlagValue::Boolean(control),
                treatments: vec![],
                comment: String::new(),
                owner: None,
                rollback_of: None,
            };
            let appended = self.store.append_revision(Base::Newest, parts).await;
            appended.unwrap();
        }

        async fn value(&self) -> FlagValue {
            let plan = self.flags.current(&self.flag).await.unwrap();
            decide(&plan, &InstanceId::new("A").unwrap()).value.clone()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_is_served_within_a_period() {
        let world = World::new().await;
        let period = Duration::from_millis(500);
        let looking = tokio::spawn(look(world.store.clone(), world.flags.clone(), period));
        // Also one that comes long after the last.
        for (control, pause) in [(true, 0), (false, 120), (true, 1)] {
            world.value().await;
            sleep(Duration::from_secs(pause)).await;
            world.revise(control).await;
            sleep(period).await;
            assert_eq!(world.value().await, FlagValue::Boolean(control));
        }
        looking.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_row_is_forgotten_when_its_project_is() {
        let world = World::new().await;
        let mut watch = Watch::new(world.store.clone(), world.flags.clone());
        let unknown = FlagKey {
            project: ProjectName::new("q").unwrap(),
            ..world.flag.clone()
        };
        world.value().await;
        world.flags.current(&unknown).await.unwrap_err();
        watch.poll().await;
        watch.sweep();
        assert_eq!(watch.seen.len(), 2);
        sleep(Duration::from_secs(11)).await;
        watch.sweep();
        assert_eq!(watch.seen.len(), 1);
    }
}

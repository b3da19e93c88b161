//! The names of all projects, read once for everybody who looks at them.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use flag_model::ProjectName;
use flag_store::{FlagStore, StoreError};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

/// How long they are used without another look.
const FRESH: Duration = Duration::from_millis(250);

/// How long a page that could show what was read before waits for another look: with many projects that takes long.
const WAITS: Duration = Duration::from_millis(300);

/// How old they may become without a look that succeeds.
const OLD: Duration = Duration::from_secs(10);

/// The names of all projects.
#[derive(Debug)]
pub(in crate::dashboard) struct ProjectNames {
    store: FlagStore,
    known: ArcSwapOption<KnownNames>,
    /// Held by a look at the store.
    reading: Mutex<()>,
}

#[derive(Debug)]
struct KnownNames {
    names: Vec<ProjectName>,
    read: Instant,
}

impl ProjectNames {
    pub(super) fn new(store: FlagStore) -> Arc<Self> {
        Arc::new(Self {
            store,
            known: ArcSwapOption::empty(),
            reading: Mutex::default(),
        })
    }

    /// The projects, as they are now or were a moment ago.
    pub(in crate::dashboard) async fn current(
        self: &Arc<Self>,
    ) -> Result<Vec<ProjectName>, StoreError> {
        let before = self.known.load_full();
        let before = before.filter(|known| known.read.elapsed() < OLD);
        // It goes on if the page does not wait for it.
        let reading = tokio::spawn(Arc::clone(self).read());
        let waits = before.as_ref().map_or(OLD, |_| WAITS);
        match timeout(waits, reading).await {
            Ok(Ok(Err(error))) if before.is_none() => return Err(error),
            _ => {}
        }
        let known = self.known.load_full();
        Ok(known.map(|known| known.names.clone()).unwrap_or_default())
    }

    async fn read(self: Arc<Self>) -> Result<(), StoreError> {
        let _reading = self.reading.lock().await;
        let known = self.known.load();
        if known
            .as_ref()
            .is_some_and(|known| known.read.elapsed() < FRESH)
        {
            return Ok(());
        }
        let read = Instant::now();
        let names = self.store.projects().await?.names;
        self.known.store(Some(Arc::new(KnownNames { names, read })));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use flag_model::{BucketScheme, FlagValue, HashAlgorithm, RevisionParts};
    use flag_store::scripted::{ScriptedRows, Step};
    use flag_store::{Base, SystemClock};
    use tokio::time::advance;

    use super::*;

    async fn add(store: &FlagStore, project: &str) {
        let parts = RevisionParts {
            flag: format!("{project}/feature/f").parse().unwrap(),
            scheme: BucketScheme::v1(HashAlgorithm::Md5),
            control: FlagValue::Boolean(false),
            treatments: Vec::new(),
            comment: "why".to_owned(),
            owner: None,
            rollback_of: None,
        };
        store.append_revision(Base::Nothing, parts).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn projects_are_found_once_for_all_and_a_store_that_fails_leaves_the_known_ones() {
        let rows = Arc::new(ScriptedRows::default());
        let store = FlagStore::new(rows.clone(), Arc::new(SystemClock));
        add(&store, "a").await;
        let projects = ProjectNames::new(store.clone());
        let names = async || {
            let names = projects.current().await.unwrap();
            names.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(names().await, ["a"]);
        add(&store, "b").await;
        assert_eq!(names().await, ["a"]);
        advance(FRESH).await;
        assert_eq!(names().await, ["a", "b"]);
        for pause in [2 * WAITS, Duration::ZERO] {
            rows.script(move |_| async move {
                tokio::time::sleep(pause).await;
                Step::Fail(StoreError::Unavailable {
                    source: "down".into(),
                })
            });
            advance(FRESH).await;
            assert_eq!(names().await, ["a", "b"]);
        }
        advance(OLD).await;
        assert!(projects.current().await.is_err());
    }
}

//! The cache of the listing of one project, kept up to date while somebody looks at it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use flag_model::{FlagKey, ProjectName};
use flag_store::{Clock as _, ExposureLog, FlagStore, HeadRow, ReadError, StoreError, SystemClock};
use futures_util::{StreamExt as _, stream};
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};
use tokio::time::{Instant, sleep, timeout};
use tracing::debug;

use super::last_exposures::{LastExposure, LastExposures, read_last_exposures};
use super::{CHECKED_AFTER, FlagSummary, Flags, Listing, READ_AGAIN, Suggestions};

/// How long a page waits for a listing that is complete, and for one that is not.
const WAITS: Duration = Duration::from_millis(300);
const WAITS_FOR_FIRST: Duration = Duration::from_millis(1_200);

/// The number of flags whose last exposures are read at once, and the least pause after that: there is no hurry.
const FLAGS_AT_ONCE: usize = 10;
const PAUSE: Duration = Duration::from_millis(20);

/// The pause is at least this many times as long as the read: so the reads take a tenth of a reader of the store on average.
const REST: u32 = 9;

/// Keys in a scan.
const PAGE: usize = 1_000;

/// Flags after which a listing that is not complete is shown.
const STEP: usize = 250;

/// The cache of the listing of one project.
#[derive(Debug)]
pub(super) struct ListingCache {
    project: ProjectName,
    store: FlagStore,
    log: Option<Arc<dyn ExposureLog>>,
    reads: usize,
    progress: Arc<AsyncMutex<Progress>>,
    listing: ArcSwap<Listing>,
    last_exposures: Arc<LastExposures>,
    is_reading_last_exposures: AtomicBool,
    /// The flags whose last exposures were all read, and when the first of them was.
    completed_last_exposures: ArcSwapOption<(Flags, Instant)>,
    /// Whether something has changed since the last look began.
    is_outdated: AtomicBool,
}

/// What is known of the store.
#[derive(Debug, Default)]
struct Progress {
    flags: BTreeMap<FlagKey, Arc<FlagSummary>>,
    /// Whether `flags` differs from the listing.
    has_changed: bool,
    /// The head row as it was before the flags were read.
    head: Option<HeadRow>,
    checked: Option<Instant>,
    /// When all flags were read.
    completed: Option<Instant>,
}

impl ListingCache {
    pub(super) fn new(
        project: ProjectName,
        store: FlagStore,
        log: Option<Arc<dyn ExposureLog>>,
        reads: usize,
    ) -> Self {
        Self {
            project,
            store,
            log,
            reads,
            progress: Arc::default(),
            listing: ArcSwap::from_pointee(Listing {
                expected: Some(0),
                ..Listing::default()
            }),
            last_exposures: Arc::default(),
            is_reading_last_exposures: AtomicBool::new(false),
            completed_last_exposures: ArcSwapOption::empty(),
            is_outdated: AtomicBool::new(false),
        }
    }

    /// The listing, brought up to date if that doesn't take long; otherwise it goes on in the background.
    pub(super) async fn current(self: Arc<Self>) -> Arc<Listing> {
        let waits = match self.listing.load().expected {
            None => WAITS,
            Some(_) => WAITS_FOR_FIRST,
        };
        let updated = async {
            match Arc::clone(&self.progress).try_lock_owned() {
                Ok(progress) => {
                    let _ = tokio::spawn(Arc::clone(&self).update(progress)).await;
                }
                // Another page waits for the same update.
                Err(_) => drop(self.progress.lock().await),
            }
        };
        let _ = timeout(waits, updated).await;
        self.listing.load_full()
    }

    /// Has the next look read what has changed.
    pub(super) fn note_change(&self) {
        self.is_outdated.store(true, Ordering::Relaxed);
    }

    /// The last exposures of the flags, as far as they were read.
    pub(super) fn last_exposures(&self) -> Arc<LastExposures> {
        Arc::clone(&self.last_exposures)
    }

    async fn update(self: Arc<Self>, mut progress: OwnedMutexGuard<Progress>) {
        let is_recent = |at: Option<Instant>, within| at.is_some_and(|at| at.elapsed() < within);
        let is_outdated = self.is_outdated.swap(false, Ordering::Relaxed);
        if !is_outdated && is_recent(progress.checked, CHECKED_AFTER) {
            return;
        }
        let result = if is_recent(progress.completed, READ_AGAIN) {
            self.read_changes(&mut progress).await
        } else {
            self.read_all(&mut progress).await
        };
        progress.checked = Some(Instant::now());
        if let Err(error) = result {
            debug!(problem = %error, "the dashboard cannot read the flags of a project");
            self.replace_listing(&mut progress, None, Some(error.to_string()));
            return;
        }
        self.replace_listing(&mut progress, None, None);
        drop(progress);
        self.update_last_exposures();
    }

    /// Reads the flags that have changed according to the head row.
    async fn read_changes(&self, progress: &mut Progress) -> Result<(), StoreError> {
        let mark = self.store.change_mark(&self.project).await?;
        let before = progress.head.clone().unwrap_or_default();
        if mark == *before.mark() {
            return Ok(());
        }
        let head = self.store.head_row(&self.project).await?;
        let revised = head.changes_since(&before).into_iter();
        let mut changed: BTreeSet<FlagKey> = revised.map(|(flag, _)| flag).collect();
        changed.extend(head.metadata_changes_since(&before));
        self.read(changed, progress, |_| {}).await?;
        progress.head = Some(head);
        Ok(())
    }

    async fn read_all(&self, progress: &mut Progress) -> Result<(), StoreError> {
        // First, so that what changes meanwhile is noticed later.
        let head = self.store.head_row(&self.project).await?;
        let flags = self.store.flags_with_any_row(&self.project, PAGE).await?;
        let (expected, is_first) = (flags.len(), progress.completed.is_none());
        progress.flags.retain(|flag, _| flags.contains(flag));
        progress.has_changed = true;
        let show = |progress: &mut Progress| {
            if is_first && progress.flags.len().is_multiple_of(STEP) {
                self.replace_listing(progress, Some(expected), None);
            }
        };
        self.read(flags, progress, show).await?;
        progress.head = Some(head);
        progress.completed = Some(Instant::now());
        Ok(())
    }

    async fn read(
        &self,
        flags: BTreeSet<FlagKey>,
        progress: &mut Progress,
        show: impl Fn(&mut Progress),
    ) -> Result<(), StoreError> {
        let reads = flags.into_iter().map(|flag| self.read_flag(flag));
        let mut reads = stream::iter(reads).buffer_unordered(self.reads);
        while let Some(read) = reads.next().await {
            let summary = read?;
            progress
                .flags
                .insert(summary.flag.clone(), Arc::new(summary));
            progress.has_changed = true;
            show(progress);
        }
        Ok(())
    }

    async fn read_flag(&self, flag: FlagKey) -> Result<FlagSummary, StoreError> {
        let metadata = readable(self.store.newest_metadata(&flag).await)?;
        let revision = readable(self.store.newest_revision(&flag).await)?;
        Ok(FlagSummary::new(flag, metadata, revision))
    }

    /// Replaces the listing by one of what was read.
    fn replace_listing(
        &self,
        progress: &mut Progress,
        expected: Option<usize>,
        problem: Option<String>,
    ) {
        let before = self.listing.load_full();
        let as_of = match &problem {
            None => Some(SystemClock.now()),
            Some(_) => before.as_of,
        };
        let expected = match (&problem, progress.completed) {
            (Some(_), None) => before.expected.or(Some(0)),
            _ => expected,
        };
        let (flags, suggestions) = if std::mem::take(&mut progress.has_changed) {
            let mut flags: Vec<_> = progress.flags.values().cloned().collect();
            flags.sort_by(|one, other| one.flag.name.cmp(&other.flag.name));
            let suggestions = Suggestions::of(&flags);
            (flags.into(), Arc::new(suggestions))
        } else {
            (Arc::clone(&before.flags), Arc::clone(&before.suggestions))
        };
        self.listing.store(Arc::new(Listing {
            flags,
            suggestions,
            expected,
            as_of,
            problem,
        }));
    }

    /// Reads the last exposures of the flags in the background, unless those in memory are recent.
    fn update_last_exposures(self: Arc<Self>) {
        let Some(log) = self.log.clone() else {
            return;
        };
        if self.are_last_exposures_recent()
            || self.is_reading_last_exposures.swap(true, Ordering::Relaxed)
        {
            return;
        }
        tokio::spawn(async move {
            let _ = self.read_missing_last_exposures(&*log).await;
            self.is_reading_last_exposures
                .store(false, Ordering::Relaxed);
        });
    }

    /// Whether the last exposures of all flags of the listing are in memory and recent: going through thousands of flags after
    /// each look would keep evaluations waiting.
    fn are_last_exposures_recent(&self) -> bool {
        let completed = self.completed_last_exposures.load();
        let listing = self.listing.load();
        completed.as_deref().is_some_and(|(flags, first)| {
            Arc::ptr_eq(flags, &listing.flags) && first.elapsed() < LastExposure::VALID_FOR
        })
    }

    async fn read_missing_last_exposures(&self, log: &dyn ExposureLog) -> Result<(), StoreError> {
        let (flags, mut first) = (Arc::clone(&self.listing.load().flags), Instant::now());
        let mut unknown = Vec::new();
        for summary in &*flags {
            match self
                .last_exposures
                .get(&summary.flag)
                .filter(LastExposure::is_recent)
            {
                Some(known) => first = first.min(known.read_at),
                None => unknown.push(summary.flag.clone()),
            }
        }
        for flags in unknown.chunks(FLAGS_AT_ONCE) {
            let began = Instant::now();
            let read = read_last_exposures(log, flags, SystemClock.now()).await?;
            self.last_exposures.insert(&read).await;
            sleep(PAUSE.max(began.elapsed() * REST)).await;
        }
        self.completed_last_exposures
            .store(Some(Arc::new((flags, first))));
        Ok(())
    }
}

/// Keeps an unreadable row apart from a store that failed.
fn readable<T>(
    read: Result<Option<T>, ReadError>,
) -> Result<Option<Result<T, String>>, StoreError> {
    match read {
        Ok(found) => Ok(found.map(Ok)),
        Err(ReadError::Unreadable(row)) => Ok(Some(Err(row.to_string()))),
        Err(ReadError::Store(error)) => Err(error),
        Err(error) => Ok(Some(Err(error.to_string()))),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use flag_model::{BucketScheme, FlagValue, HashAlgorithm, MetadataParts, RevisionParts};
    use flag_store::memory::{MemoryLog, MemoryStore};
    use flag_store::scripted::{LogCall, ScriptedLog, Step};
    use flag_store::{Base, CountKey, CountsWriterId, Minute, MinuteCounts};
    use tokio::time::advance;

    use super::*;

    fn flag(name: &str) -> FlagKey {
        format!("p/feature/{name}").parse().unwrap()
    }

    async fn revise(store: &FlagStore, name: &str, control: bool) {
        let parts = RevisionParts {
            flag: flag(name),
            scheme: BucketScheme::v1(HashAlgorithm::Md5),
            control: FlagValue::Boolean(control),
            treatments: Vec::new(),
            comment: "why".to_owned(),
            owner: None,
            rollback_of: None,
        };
        let newest = store.newest_revision(&parts.flag).await.unwrap();
        let base = newest.map_or(Base::Nothing, |newest| Base::Row(newest.created()));
        store.append_revision(base, parts).await.unwrap();
    }

    fn sentences(listing: &Listing) -> Vec<(String, String)> {
        let flags = listing.flags.iter();
        flags
            .map(|flag| (flag.flag.name.to_string(), flag.sentence().to_owned()))
            .collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_listing_follows_revisions_and_metadata() {
        let rows = Arc::new(MemoryStore::default());
        let store = FlagStore::new(rows, Arc::new(SystemClock));
        for name in ["a", "b"] {
            revise(&store, name, false).await;
        }
        let project = ProjectName::new("p").unwrap();
        let log: Arc<dyn ExposureLog> = Arc::new(MemoryLog::default());
        let cache = Arc::new(ListingCache::new(project, store.clone(), Some(log), 2));
        let all = |of: &str| ("a".to_owned(), format!("all get {of}"));
        let listing = Arc::clone(&cache).current().await;
        assert_eq!(listing.expected, None);
        assert_eq!(sentences(&listing).first(), Some(&all("false")));
        assert_eq!(listing.flags.len(), 2);

        revise(&store, "a", true).await;
        let metadata = MetadataParts {
            flag: flag("c"),
            description: "new".to_owned(),
            owner: None,
            edited_by: None,
            ticket: None,
            tags: Vec::new(),
            expires_on: None,
        };
        store
            .append_metadata(Base::Nothing, metadata)
            .await
            .unwrap();
        advance(CHECKED_AFTER).await;
        let listing = Arc::clone(&cache).current().await;
        assert_eq!(sentences(&listing).first(), Some(&all("true")));
        assert_eq!(listing.flags.len(), 3);

        // A change of this process is looked for at once.
        revise(&store, "a", false).await;
        let before = Arc::clone(&cache).current().await;
        assert_eq!(sentences(&before).first(), Some(&all("true")));
        cache.note_change();
        let after = cache.current().await;
        assert_eq!(sentences(&after).first(), Some(&all("false")));
    }

    #[tokio::test(start_paused = true)]
    async fn last_exposures_are_read_in_parts_until_those_of_all_flags_are_known() {
        let store = FlagStore::new(Arc::new(MemoryStore::default()), Arc::new(SystemClock));
        for number in 0..21 {
            revise(&store, &format!("f_{number:02}"), false).await;
        }
        let log = Arc::new(ScriptedLog::default());
        let now = Minute::of(SystemClock.now());
        let mut counts = MinuteCounts::new(flag("f_20"), now);
        counts.add(&CountKey::Others, 1);
        log.store()
            .write_counts(CountsWriterId(1), &[counts])
            .await
            .unwrap();
        let calls = Arc::new(AtomicUsize::new(0));
        log.script(move |_| {
            let fails = calls.fetch_add(1, Ordering::Relaxed) == 1;
            std::future::ready(if fails {
                Step::Fail(StoreError::Unavailable {
                    source: "down".into(),
                })
            } else {
                Step::Pass
            })
        });
        let project = ProjectName::new("p").unwrap();
        let cache = Arc::new(ListingCache::new(project, store, Some(log.clone()), 2));
        let parts = async || {
            Arc::clone(&cache).current().await;
            sleep(CHECKED_AFTER).await;
            let calls = log.take_calls().into_iter().map(|call| match call {
                LogCall::LastCounted(flags) => flags.len(),
                other => panic!("{other:?}"),
            });
            (calls.collect::<Vec<_>>(), cache.last_exposures().len())
        };
        assert_eq!(parts().await, (vec![10, 10], 10));
        assert_eq!(parts().await, (vec![10, 1], 21));
        assert_eq!(parts().await, (vec![], 21));
        let has_one = |name| cache.last_exposures().get(&flag(name)).unwrap().exists();
        assert!(!has_one("f_00") && !has_one("f_19") && has_one("f_20"));
    }
}

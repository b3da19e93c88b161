//! Work that goes on until Ctrl-C: how it ends, what it reads again and again, and what happens while the store does not answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use flag_model::{FlagKey, Timestamp};
use flag_store::{ChangeMark, FlagStore, StoreError};
use futures_util::future::{Either, select};
use signal_hook::consts::{SIGINT, SIGTERM};
use tokio::time::{Instant, sleep};

use crate::failure::{CannotStart, with_causes};
use crate::revision_numbers::{MAX_NUMBERED, RevisionNumbers};

/// The pause between two looks; a store that takes longer to answer is read less often.
pub(crate) const EVERY: Duration = Duration::from_secs(1);

/// How soon a signal is noticed.
const NOTICED: Duration = Duration::from_millis(50);

/// How often revisions are looked for although the head row has not changed: the Python framework does not change it.
const ANYWAY: Duration = Duration::from_secs(10);

/// Does the work; `None` if SIGINT or SIGTERM ends it.
pub(crate) async fn until_interrupted<T>(
    work: impl Future<Output = T>,
) -> Result<Option<T>, CannotStart> {
    let ended = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&ended))?;
    }
    let ending = Box::pin(async {
        while !ended.load(Ordering::Relaxed) {
            sleep(NOTICED).await;
        }
    });
    Ok(match select(Box::pin(work), ending).await {
        Either::Left((done, _)) => Some(done),
        Either::Right(((), _)) => None,
    })
}

/// Waits until the next look, after one that began then.
pub(crate) async fn pause(began: Instant) {
    sleep(EVERY.max(began.elapsed())).await;
}

/// Failures that pass by themselves: the work goes on, and the first one of several in a row is reported.
#[derive(Debug, Default)]
pub(crate) struct Outage {
    problem: Option<String>,
    is_new: bool,
}

impl Outage {
    /// What was read; `None` if the store does not answer now.
    pub(crate) fn pass<T>(
        &mut self,
        what: &str,
        read: Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        match read {
            Ok(read) => {
                self.problem = None;
                Ok(Some(read))
            }
            Err(error) if error.is_transient() => {
                self.is_new = self.problem.is_none();
                let causes = with_causes(&error);
                self.problem = Some(format!(
                    "{what} does not answer; it is tried again: {causes}"
                ));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The problem, as long as it lasts.
    pub(crate) fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// The problem, if it was not reported yet.
    pub(crate) fn news(&mut self) -> Option<&str> {
        let is_new = std::mem::take(&mut self.is_new);
        self.problem.as_deref().filter(|_| is_new)
    }
}

/// When the revisions of a flag were made, read again where that may have changed.
#[derive(Debug)]
pub(crate) struct RevisionTimes<'a> {
    store: &'a FlagStore,
    flag: &'a FlagKey,
    mark: Option<ChangeMark>,
    read: Option<Instant>,
    times: Vec<Timestamp>,
}

impl<'a> RevisionTimes<'a> {
    /// Nothing read yet.
    pub(crate) fn of(store: &'a FlagStore, flag: &'a FlagKey) -> Self {
        Self {
            store,
            flag,
            mark: None,
            read: None,
            times: Vec::new(),
        }
    }

    /// Looks again; whether they are others than before. Reads two cells of the head row, and the times only if those have changed
    /// or were not read for a while.
    pub(crate) async fn have_changed(&mut self) -> Result<bool, StoreError> {
        let mark = self.store.change_mark(&self.flag.project).await?;
        let is_marked = self.mark.as_ref() != Some(&mark);
        if !is_marked && self.read.is_some_and(|read| read.elapsed() < ANYWAY) {
            return Ok(false);
        }
        let newest = async || self.store.revision_times(self.flag, 1).await;
        let mut has_changed = false;
        if is_marked || newest().await?.first() != self.times.first() {
            let times = self.store.revision_times(self.flag, MAX_NUMBERED).await?;
            has_changed = self.read.is_none() || times != self.times;
            self.times = times;
        }
        (self.mark, self.read) = (Some(mark), Some(Instant::now()));
        Ok(has_changed)
    }

    /// The times, the newest first.
    pub(crate) fn times(&self) -> &[Timestamp] {
        &self.times
    }

    /// The numbers of the revisions.
    pub(crate) fn revision_numbers(&self) -> RevisionNumbers {
        RevisionNumbers::new(self.times.clone())
    }
}

#[cfg(test)]
mod tests {
    use flag_store::conformance::put;
    use flag_store::memory::MemoryStore;
    use flag_store::{Row, RowStore, SystemClock};

    use super::*;

    fn row(time: &str) -> Row {
        let key = format!(
            "PROJECT#p#ROWTYPE#REVISION#FLAGTYPE#feature#FLAGNAME#f#TIME#2024-10-01 {time}"
        );
        Row {
            key: key.into(),
            cells: [("ControlValue", "False")].iter().copied().collect(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_row_that_no_head_row_tells_of_is_found_some_seconds_later() {
        let rows: Arc<dyn RowStore> = Arc::new(MemoryStore::default());
        let store = FlagStore::new(Arc::clone(&rows), Arc::new(SystemClock));
        let flag = "p/feature/f".parse().unwrap();
        let mut times = RevisionTimes::of(&store, &flag);
        assert!(times.have_changed().await.unwrap());
        put(&rows, &[row("10:00:00")]).await;
        assert!(!times.have_changed().await.unwrap());
        tokio::time::advance(ANYWAY).await;
        assert!(times.have_changed().await.unwrap());
        assert_eq!(times.times().len(), 1);
        assert!(!times.have_changed().await.unwrap());
    }

    #[test]
    fn an_outage_is_reported_once_until_it_has_passed() {
        let after = Duration::from_secs(5);
        let mut outage = Outage::default();
        let mut told = |read: Result<(), StoreError>| {
            let has_passed = outage.pass("the store", read).unwrap().is_some();
            assert_eq!(outage.problem().is_none(), has_passed);
            outage.news().map(str::to_owned)
        };
        let expected = "the store does not answer; it is tried again: no answer within 5000 ms";
        for _ in 0..2 {
            assert_eq!(
                told(Err(StoreError::TimedOut { after })).as_deref(),
                Some(expected)
            );
            assert_eq!(told(Err(StoreError::TimedOut { after })), None);
            assert_eq!(told(Ok(())), None);
        }
    }
}

//! Reads the revisions of a project for a check, flag by flag, a page of rows at a time.

use std::collections::BTreeSet;

use flag_model::{FlagKey, ProjectName};

use super::{HistoriesHash, History, HistoryCheck};
use crate::flags::FlagStore;
use crate::head::HeadRow;
use crate::pages::Pages;
use crate::row_key::{FlagRowKey, RowType, flag_prefix, project_prefix};
use crate::rows::{Row, Scan};
use crate::store_error::StoreError;

/// How many rows are read at once.
const PAGE: usize = 100;

/// How often a flag that was written meanwhile is read again.
const ATTEMPTS: u32 = 5;

/// A check under way.
struct Reading<'a> {
    store: &'a FlagStore,
    head: HeadRow,
    /// The flag whose rows are being read.
    current: Option<(FlagKey, History)>,
    seen: BTreeSet<FlagKey>,
    hash: HistoriesHash,
    each: &'a mut (dyn FnMut(HistoryCheck) + Send),
}

impl FlagStore {
    /// Checks the revisions of a project, or of one flag, each with `each`; returns the hash of all of them.
    ///
    /// Reads every revision once, and those of a flag that does not fit again, as a writer may be at work.
    pub async fn check_histories(
        &self,
        project: &ProjectName,
        only: Option<&FlagKey>,
        each: &mut (dyn FnMut(HistoryCheck) + Send),
    ) -> Result<String, StoreError> {
        let prefix = match only {
            Some(flag) => flag_prefix(RowType::Revision, flag),
            None => project_prefix(RowType::Revision, project),
        };
        let mut reading = Reading {
            store: self,
            // Before the rows: what it names is written then.
            head: self.head_row(project).await?,
            current: None,
            seen: BTreeSet::new(),
            hash: HistoriesHash::default(),
            each,
        };
        let mut pages = Pages::new(&*self.rows, Scan::prefix(prefix).limit(PAGE));
        loop {
            let page = pages.next().await?;
            if page.is_empty() {
                return reading.finish(only).await;
            }
            for row in &page {
                reading.add(row).await?;
            }
        }
    }

    async fn history_rows(&self, flag: &FlagKey) -> Result<History, StoreError> {
        let mut history = History::default();
        let scan = Scan::prefix(flag_prefix(RowType::Revision, flag)).limit(PAGE);
        let mut pages = Pages::new(&*self.rows, scan);
        loop {
            let page = pages.next().await?;
            if page.is_empty() {
                return Ok(history);
            }
            for row in &page {
                if let Ok(key) = FlagRowKey::decode(&row.key) {
                    history.add(key.created, row);
                }
            }
        }
    }
}

impl Reading<'_> {
    /// Adds a row. One whose key has no valid time is never in force, and no link names it.
    async fn add(&mut self, row: &Row) -> Result<(), StoreError> {
        let Ok(key) = FlagRowKey::decode(&row.key) else {
            return Ok(());
        };
        if let Some((flag, history)) = &mut self.current
            && *flag == key.flag
        {
            history.add(key.created, row);
            return Ok(());
        }
        let mut history = History::default();
        history.add(key.created, row);
        match self.current.replace((key.flag, history)) {
            Some((flag, history)) => self.check(flag, history).await,
            None => Ok(()),
        }
    }

    async fn finish(mut self, only: Option<&FlagKey>) -> Result<String, StoreError> {
        if let Some((flag, history)) = self.current.take() {
            self.check(flag, history).await?;
        }
        let named = self.head.flags().map(|(flag, _)| flag);
        let is_wanted = |flag: &FlagKey| only.is_none_or(|only| only == flag);
        let unseen = named.filter(|flag| is_wanted(flag) && !self.seen.contains(flag));
        for flag in unseen.collect::<Vec<_>>() {
            self.check(flag, History::default()).await?;
        }
        Ok(self.hash.to_string())
    }

    async fn check(&mut self, flag: FlagKey, history: History) -> Result<(), StoreError> {
        let latest = self.store.latest_time_in_force();
        let mut head = self.head.get(&flag);
        let mut check = history.check(flag.clone(), head, latest);
        for _ in 0..ATTEMPTS {
            if check.broken.is_none() {
                break;
            }
            let project = &flag.project;
            let before = self.store.head_row(project).await?.get(&flag);
            let history = self.store.history_rows(&flag).await?;
            let is_again = before == head;
            head = before;
            let again = history.check(flag.clone(), head, latest);
            let is_same = is_again && again == check;
            check = again;
            if is_same {
                break;
            }
        }
        if check.revisions > 0 {
            self.hash.add(&check);
        }
        self.seen.insert(flag);
        if check.revisions > 0 || check.broken.is_some() {
            (self.each)(check);
        }
        Ok(())
    }
}

//! An index of which flags exist, read in pages of keys.
//!
//! The negative cache is bounded, but an attacker or a faulty loop can request ever new unknown flags. When more of them are
//! requested than may be read one by one, pages of keys are read instead. A page shows which flags exist between its first
//! and its last key. See `docs/decisions/0006-unknown-flags.md`.

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use flag_model::FlagKey;
use flag_store::{FlagPage, FlagPrefix, FlagStore, StoreError};
use tokio::time::Instant;

use super::negative_cache::VALID_FOR;

/// Keys per page.
const PAGE: usize = 1_000;

/// The most pages in memory; the oldest is dropped.
const PAGES: usize = 256;

/// The pages in memory.
#[derive(Debug, Default)]
pub(super) struct ExistingFlags {
    pages: Mutex<BTreeMap<FlagPrefix, Page>>,
    /// One page is read at a time.
    reading: tokio::sync::Mutex<()>,
}

/// Which flags exist between the place of the page and its end.
#[derive(Debug)]
struct Page {
    until: Option<FlagPrefix>,
    /// Hashes of the flags that exist; a collision costs one useless read.
    present: HashSet<u64>,
    read: Instant,
}

/// Whether a flag exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// It has revisions.
    Present,
    /// It had no revision a moment ago.
    Absent,
}

impl ExistingFlags {
    /// Whether the flag has revisions, according to pages younger than `valid_for`; reads pages if there is none.
    pub(super) async fn look_up(
        &self,
        store: &FlagStore,
        flag: &FlagKey,
        valid_for: Duration,
    ) -> Result<Presence, StoreError> {
        let place = FlagPrefix::of(flag);
        if let Some(presence) = self.known(&place, valid_for) {
            return Ok(presence);
        }
        let _reading = self.reading.lock().await;
        if let Some(presence) = self.known(&place, valid_for) {
            return Ok(presence);
        }
        // First from the end of the page before, so that pages join; then, if that is too far away, from here.
        for from in [self.end_before(&place, valid_for), place.clone()] {
            let read = Instant::now();
            let page = store.flags_from(&from, PAGE).await?;
            self.remember(from, page, read);
            if let Some(presence) = self.known(&place, valid_for) {
                return Ok(presence);
            }
        }
        // The page from here covers this flag; if it was dropped already, the flag must be read.
        Ok(Presence::Present)
    }

    /// Notes that a flag has revisions now.
    pub(super) fn note_present(&self, flag: &FlagKey) {
        let place = FlagPrefix::of(flag);
        if let Some((_, page)) = self.pages().range_mut(..=&place).next_back() {
            page.present.insert(hash(&place));
        }
    }

    fn known(&self, place: &FlagPrefix, valid_for: Duration) -> Option<Presence> {
        let pages = self.pages();
        let (_, page) = pages.range(..=place).next_back()?;
        let covers =
            page.read.elapsed() < valid_for && page.until.as_ref().is_none_or(|u| place < u);
        covers.then(|| {
            if page.present.contains(&hash(place)) {
                Presence::Present
            } else {
                Presence::Absent
            }
        })
    }

    /// Returns the end of the last page before a place, or the start of the table.
    fn end_before(&self, place: &FlagPrefix, valid_for: Duration) -> FlagPrefix {
        let pages = self.pages();
        let page = pages.range(..=place).next_back();
        let page = page.filter(|(_, page)| page.read.elapsed() < valid_for);
        page.and_then(|(_, page)| page.until.clone())
            .unwrap_or_else(FlagPrefix::start)
    }

    fn remember(&self, from: FlagPrefix, page: FlagPage, read: Instant) {
        let mut pages = self.pages();
        // A page replaces those that it overlaps.
        let is_within =
            |place: &FlagPrefix| *place >= from && page.until.as_ref().is_none_or(|u| place < u);
        pages.retain(|place, page| page.read.elapsed() < VALID_FOR && !is_within(place));
        if pages.len() >= PAGES {
            let oldest = pages.iter().min_by_key(|(_, page)| page.read);
            let oldest = oldest.map(|(place, _)| place.clone());
            oldest.and_then(|oldest| pages.remove(&oldest));
        }
        let page = Page {
            until: page.until,
            present: page.flags.iter().map(hash).collect(),
            read,
        };
        pages.insert(from, page);
    }

    fn pages(&self) -> MutexGuard<'_, BTreeMap<FlagPrefix, Page>> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hash(place: &FlagPrefix) -> u64 {
    let mut hasher = DefaultHasher::new();
    place.hash(&mut hasher);
    hasher.finish()
}

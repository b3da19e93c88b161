//! Proof that a flag has no revision, for many unknown flags at once.
//!
//! Remembering each unknown flag is bounded, and an attacker, or a loop gone wrong, asks for ever new ones. So when
//! more unknown flags are asked for than are read one by one, the keys of the table are listed in pages, each of which
//! says of every flag between its first key and its last whether it is there. See
//! `docs/decisions/0006-unknown-flags.md`.

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use flag_model::FlagKey;
use flag_store::{FlagStore, Place, Present, StoreError};
use tokio::time::Instant;

use super::unknown::COUNTS;

/// How many keys a page has.
const PAGE: usize = 1_000;

/// How many pages are remembered at most; the oldest is dropped.
const PAGES: usize = 256;

/// What pages of keys said.
#[derive(Debug, Default)]
pub(super) struct Absence {
    pages: Mutex<BTreeMap<Place, Page>>,
    /// One page is read at a time.
    reading: tokio::sync::Mutex<()>,
}

/// What a page said of the flags between its place and its end.
#[derive(Debug)]
struct Page {
    until: Option<Place>,
    /// Hashes of the flags that are there; where two collide, a flag is read in vain.
    present: HashSet<u64>,
    read: Instant,
}

/// What is known of a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// It has revisions.
    Present,
    /// It had none a moment ago.
    Absent,
}

impl Absence {
    /// Whether the flag has revisions, as pages not older than `counts` say; reads pages where there is none.
    pub(super) async fn look_up(
        &self,
        store: &FlagStore,
        flag: &FlagKey,
        counts: Duration,
    ) -> Result<Presence, StoreError> {
        let place = Place::of(flag);
        if let Some(presence) = self.known(&place, counts) {
            return Ok(presence);
        }
        let _reading = self.reading.lock().await;
        if let Some(presence) = self.known(&place, counts) {
            return Ok(presence);
        }
        // First from where the page before ends, so that pages join; then, if that was too far away, from here.
        for from in [self.end_before(&place, counts), place.clone()] {
            let read = Instant::now();
            let present = store.present(&from, PAGE).await?;
            self.remember(from, present, read);
            if let Some(presence) = self.known(&place, counts) {
                return Ok(presence);
            }
        }
        // The page from here on speaks for this flag at least; if it was dropped already, a read does.
        Ok(Presence::Present)
    }

    /// Notes that a flag has revisions by now.
    pub(super) fn learn(&self, flag: &FlagKey) {
        let place = Place::of(flag);
        if let Some((_, page)) = self.pages().range_mut(..=&place).next_back() {
            page.present.insert(hash(&place));
        }
    }

    fn known(&self, place: &Place, counts: Duration) -> Option<Presence> {
        let pages = self.pages();
        let (_, page) = pages.range(..=place).next_back()?;
        let speaks = page.read.elapsed() < counts && page.until.as_ref().is_none_or(|u| place < u);
        speaks.then(|| {
            if page.present.contains(&hash(place)) {
                Presence::Present
            } else {
                Presence::Absent
            }
        })
    }

    /// The end of the last page before a place, or the start of the table.
    fn end_before(&self, place: &Place, counts: Duration) -> Place {
        let pages = self.pages();
        let page = pages.range(..=place).next_back();
        let page = page.filter(|(_, page)| page.read.elapsed() < counts);
        page.and_then(|(_, page)| page.until.clone())
            .unwrap_or_else(Place::start)
    }

    fn remember(&self, from: Place, present: Present, read: Instant) {
        let mut pages = self.pages();
        // A page takes the place of those that it overlaps.
        let is_within =
            |place: &Place| *place >= from && present.until.as_ref().is_none_or(|u| place < u);
        pages.retain(|place, page| page.read.elapsed() < COUNTS && !is_within(place));
        if pages.len() >= PAGES {
            let oldest = pages.iter().min_by_key(|(_, page)| page.read);
            let oldest = oldest.map(|(place, _)| place.clone());
            oldest.and_then(|oldest| pages.remove(&oldest));
        }
        let page = Page {
            until: present.until,
            present: present.flags.iter().map(hash).collect(),
            read,
        };
        pages.insert(from, page);
    }

    fn pages(&self) -> MutexGuard<'_, BTreeMap<Place, Page>> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hash(place: &Place) -> u64 {
    let mut hasher = DefaultHasher::new();
    place.hash(&mut hasher);
    hasher.finish()
}

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

/// The pages in memory, each under the key where it begins.
#[derive(Debug, Default)]
pub(super) struct ExistingFlags {
    pages: Mutex<BTreeMap<FlagPrefix, Page>>,
    /// One page is read at a time.
    reading: tokio::sync::Mutex<()>,
}

/// Which flags exist in a range of keys.
#[derive(Debug)]
struct Page {
    /// The key where the page ends, not included; `None` if it reaches to the end of the table.
    until: Option<FlagPrefix>,
    /// Hashes of the flags that exist; a collision costs one useless read.
    existing: HashSet<u64>,
    read: Instant,
}

/// Whether a flag exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Existence {
    /// It has revisions.
    Exists,
    /// It had no revision a moment ago.
    NotFound,
}

impl ExistingFlags {
    /// Whether the flag has revisions, according to pages younger than `valid_for`; reads pages if there is none.
    pub(super) async fn look_up(
        &self,
        store: &FlagStore,
        flag: &FlagKey,
        valid_for: Duration,
    ) -> Result<Existence, StoreError> {
        let place = FlagPrefix::of(flag);
        if let Some(existence) = self.look_up_in_memory(&place, valid_for) {
            return Ok(existence);
        }
        let _reading = self.reading.lock().await;
        if let Some(existence) = self.look_up_in_memory(&place, valid_for) {
            return Ok(existence);
        }
        // First from the end of the page before, so that pages join; then, if that is too far away, from here.
        for from in [self.end_before(&place, valid_for), place.clone()] {
            let read = Instant::now();
            let page = store.flags_with_revisions_from(&from, PAGE).await?;
            self.remember(from, page, read);
            if let Some(existence) = self.look_up_in_memory(&place, valid_for) {
                return Ok(existence);
            }
        }
        // The page from here covers this flag; if it was dropped already, the flag must be read.
        Ok(Existence::Exists)
    }

    /// Notes that a flag has revisions now.
    pub(super) fn note_exists(&self, flag: &FlagKey) {
        let place = FlagPrefix::of(flag);
        if let Some((_, page)) = self.pages().range_mut(..=&place).next_back() {
            page.existing.insert(hash(&place));
        }
    }

    /// Whether the flag of this place exists, according to the pages in memory; `None` if none of them tells.
    fn look_up_in_memory(&self, place: &FlagPrefix, valid_for: Duration) -> Option<Existence> {
        let pages = self.pages();
        let (_, page) = pages.range(..=place).next_back()?;
        let covers =
            page.read.elapsed() < valid_for && page.until.as_ref().is_none_or(|u| place < u);
        covers.then(|| {
            if page.existing.contains(&hash(place)) {
                Existence::Exists
            } else {
                Existence::NotFound
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
            existing: page.flags.iter().map(hash).collect(),
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

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const A_MOMENT: Duration = Duration::from_micros(1);

    fn flag(name: &str) -> FlagKey {
        format!("p/feature/{name}").parse().unwrap()
    }

    fn place(name: &str) -> FlagPrefix {
        FlagPrefix::of(&flag(name))
    }

    impl ExistingFlags {
        /// Adds a page from one flag to another, with these flags.
        fn add(&self, from: &str, until: Option<&str>, flags: &[&str]) {
            let flags = flags.iter().map(|name| place(name)).collect();
            let until = until.map(place);
            self.remember(place(from), FlagPage { flags, until }, Instant::now());
        }

        #[track_caller]
        fn check(&self, name: &str, expected: Option<Existence>) {
            assert_eq!(
                self.look_up_in_memory(&place(name), VALID_FOR),
                expected,
                "{name}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_page_tells_for_a_while_which_flags_of_its_range_exist() {
        use Existence::{Exists, NotFound};

        let pages = ExistingFlags::default();
        pages.check("b", None);
        pages.add("b", Some("d"), &["b", "c"]);
        let exists = |name| (name, Some(Exists));
        let not_found = |name| (name, Some(NotFound));
        for (name, expected) in [
            ("a", None),
            exists("b"),
            not_found("bb"),
            exists("c"),
            not_found("cz"),
            ("d", None),
            ("e", None),
        ] {
            pages.check(name, expected);
        }
        pages.note_exists(&flag("bb"));
        pages.check("bb", Some(Exists));
        pages.add("x", None, &["y"]);
        pages.check("y", Some(Exists));
        pages.check("zzz", Some(NotFound));
        advance(VALID_FOR.saturating_sub(A_MOMENT)).await;
        pages.check("b", Some(Exists));
        advance(A_MOMENT).await;
        pages.check("b", None);
        pages.check("zzz", None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_page_begins_where_the_last_one_before_it_ends() {
        let pages = ExistingFlags::default();
        pages.add("b", Some("d"), &[]);
        let before = |name| pages.end_before(&place(name), VALID_FOR);
        assert_eq!(before("a"), FlagPrefix::start());
        for name in ["d", "e", "z"] {
            assert_eq!(before(name), place("d"), "{name}");
        }
        advance(VALID_FOR.saturating_sub(A_MOMENT)).await;
        assert_eq!(before("e"), place("d"));
        advance(A_MOMENT).await;
        assert_eq!(before("e"), FlagPrefix::start());
    }

    #[tokio::test(start_paused = true)]
    async fn a_page_takes_the_place_of_those_that_begin_in_its_range() {
        let pages = ExistingFlags::default();
        let starts = || pages.pages().keys().cloned().collect::<Vec<_>>();
        for (from, until) in [("d", "f"), ("b", "d"), ("f", "h"), ("h", "k")] {
            pages.add(from, Some(until), &[]);
        }
        assert_eq!(starts(), ["b", "d", "f", "h"].map(place));
        pages.add("d", Some("h"), &[]);
        assert_eq!(starts(), ["b", "d", "h"].map(place));
        pages.add("c", None, &[]);
        assert_eq!(starts(), ["b", "c"].map(place));
    }

    #[tokio::test(start_paused = true)]
    async fn old_pages_are_dropped_and_the_oldest_where_there_are_too_many() {
        let pages = ExistingFlags::default();
        let name = |n: usize| format!("f{n:05}");
        for n in 0..PAGES + 10 {
            pages.add(&name(n), Some(&name(n + 1)), &[]);
            advance(A_MOMENT).await;
            assert_eq!(pages.pages().len(), PAGES.min(n + 1));
        }
        let first = pages.pages().keys().next().cloned();
        assert_eq!(first, Some(place(&name(10))));
        advance(VALID_FOR.saturating_sub(A_MOMENT)).await;
        pages.add("g", None, &[]);
        assert_eq!(pages.pages().len(), 1);
    }
}

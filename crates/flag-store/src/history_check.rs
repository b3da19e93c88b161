//! Checks that the revisions of flags are those that were appended, by the links between them.
//!
//! A link names rows before it by their hash, so a row that was changed or removed later is missed by the row that follows
//! it. `docs/rows.md` says what this cannot show.

mod reading;

use std::collections::{HashMap, HashSet};
use std::fmt;

use flag_model::{FlagKey, Timestamp};
use sha2::{Digest as _, Sha256};

use crate::head::HeadCell;
use crate::row_hash::RowHash;
use crate::rows::Row;
use crate::stored::{Link, MAX_LINKED, covers_rows_below};

/// The findings about the revisions of a flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryCheck {
    /// The flag.
    pub flag: FlagKey,
    /// How many revisions it has.
    pub revisions: usize,
    /// How many of them name those before them.
    pub with_link: usize,
    /// How many are named by a link: a change of one of them is found.
    pub covered: usize,
    /// How many no link will ever name, as they are older than what the first link names; all of them, if the flag has no link.
    pub uncovered: usize,
    /// How many nothing names yet: the last one with a link and those after it. The hash of the histories covers them.
    pub not_yet_covered: usize,
    /// Revisions that came in below newer ones that do not name them.
    pub late: Vec<LateRow>,
    /// The first revision that is not as it was appended.
    pub broken: Option<Break>,
    /// What the next revision will name.
    pub tip: Link,
}

/// A revision that was written after the one above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LateRow {
    /// Its number, counted from the oldest.
    pub number: usize,
    /// When it was created, according to its key.
    pub created: Timestamp,
}

/// A revision, or the head row, that does not fit the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Break {
    /// The number of the revision, counted from the oldest; of the newest one for the head row.
    pub number: usize,
    /// When it was created.
    pub created: Timestamp,
    /// What is wrong.
    pub broken: Broken,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// The revision is not the one that the revision after it names, or one between them is missing.
    Changed {
        /// The revision that names it.
        named_by: Timestamp,
        /// The hash there.
        expected: RowHash,
        /// Its own hash.
        found: RowHash,
    },
    /// The revision names one before it, and there is none.
    Missing {
        /// The hash that it names.
        expected: RowHash,
    },
    /// The link of the revision cannot be read.
    Unreadable,
    /// The head row names a revision that there isn't.
    HeadNames(Timestamp),
    /// The head row names an older revision than this one.
    HeadBehind(Timestamp),
    /// The head row does not name the flag.
    NotInHead,
}

/// A revision, as far as links concern it.
#[derive(Clone, Debug)]
struct Linked {
    created: Timestamp,
    hash: RowHash,
    link: Link,
    covers_rows_below: bool,
}

/// The revisions of a flag, the oldest first.
#[derive(Clone, Debug, Default)]
struct History(Vec<Linked>);

impl History {
    fn add(&mut self, created: Timestamp, row: &Row) {
        self.0.push(Linked {
            created,
            hash: RowHash::of(row),
            link: Link::of(row),
            covers_rows_below: covers_rows_below(row),
        });
    }

    /// Checks the links, and the cell of the flag in the head row. Rows after `latest` are not in force.
    fn check(mut self, flag: FlagKey, head: Option<HeadCell>, latest: Timestamp) -> HistoryCheck {
        self.0.sort_by_key(|row| row.created);
        let rows = self.0.iter();
        let named: HashSet<RowHash> = rows.flat_map(|row| row.link.hashes()).copied().collect();
        let has_link = |row: &Linked| row.link != Link::None;
        let is_named = |row: &Linked| named.contains(&row.hash);
        let last = self.0.iter().rposition(has_link);
        let begins = self.links_begin(is_named);
        let (mut late, mut uncovered, mut not_yet_covered) = (Vec::new(), 0, 0);
        for (at, row) in self.0.iter().enumerate() {
            if is_named(row) {
                continue;
            }
            match last {
                Some(last) if at >= last => not_yet_covered += 1,
                Some(_) if at >= begins => late.push(LateRow {
                    number: at + 1,
                    created: row.created,
                }),
                _ => uncovered += 1,
            }
        }
        HistoryCheck {
            flag,
            revisions: self.0.len(),
            with_link: self.0.iter().filter(|row| has_link(row)).count(),
            covered: self.0.iter().filter(|row| is_named(row)).count(),
            uncovered,
            not_yet_covered,
            late,
            broken: self.first_break().or_else(|| self.head_break(head, latest)),
            tip: self.tip(latest),
        }
    }

    /// The oldest row that was there when the links began, as far as they tell: the first link names all rows before it, or as many
    /// as one names.
    fn links_begin(&self, is_named: impl Fn(&Linked) -> bool) -> usize {
        let first = self.0.iter().find(|row| row.link != Link::None);
        let is_full = first.is_some_and(|row| row.link.hashes().len() >= MAX_LINKED);
        let oldest = self.0.iter().position(is_named);
        oldest.filter(|_| is_full).unwrap_or(0)
    }

    fn first_break(&self) -> Option<Break> {
        let rows = self.0.iter().enumerate();
        let there: HashMap<RowHash, usize> = rows.clone().map(|(at, row)| (row.hash, at)).collect();
        for (at, row) in rows {
            let broken = Break {
                number: at + 1,
                created: row.created,
                broken: Broken::Unreadable,
            };
            if row.link == Link::Unreadable {
                return Some(broken);
            }
            let hashes = row.link.hashes().iter().enumerate();
            let mut missing = hashes.filter(|(_, hash)| !there.contains_key(hash));
            if let Some((back, expected)) = missing.next() {
                return Some(self.missing(at, back, *expected).unwrap_or(Break {
                    broken: Broken::Missing {
                        expected: *expected,
                    },
                    ..broken
                }));
            }
        }
        None
    }

    /// The row that stands where a row names another one.
    fn missing(&self, at: usize, back: usize, expected: RowHash) -> Option<Break> {
        let before = at.checked_sub(back + 1)?;
        let (row, named_by) = (self.0.get(before)?, self.0.get(at)?.created);
        Some(Break {
            number: before + 1,
            created: row.created,
            broken: Broken::Changed {
                named_by,
                expected,
                found: row.hash,
            },
        })
    }

    /// Rows without a link may have been written without the head row; those of this project were not.
    fn head_break(&self, head: Option<HeadCell>, latest: Timestamp) -> Option<Break> {
        let rows = self.0.iter().enumerate();
        let newest = rows.clone().next_back();
        let linked = rows.rev().find(|(_, row)| row.link != Link::None);
        let (row, broken) = match (self.absent(head, latest), head, linked) {
            (Some(absent), ..) => (newest, Broken::HeadNames(absent)),
            (None, None, Some(_)) => (linked, Broken::NotInHead),
            (None, Some(head), Some((_, row))) => {
                let time = if row.created > head.time() {
                    head.time()
                } else {
                    self.left_behind(head)?
                };
                (linked, Broken::HeadBehind(time))
            }
            _ => return None,
        };
        Some(Break {
            number: row.map_or(0, |(at, _)| at + 1),
            created: row.map_or(Timestamp::UNIX_EPOCH, |(_, row)| row.created),
            broken,
        })
    }

    /// A revision that the head row names and that is not there, nor will be: no writer claims a time that is not valid.
    fn absent(&self, head: Option<HeadCell>, latest: Timestamp) -> Option<Timestamp> {
        let head = head?;
        let claimed = Some(head.time()).filter(|at| *at > latest);
        let mut named = head.published().into_iter().chain(claimed);
        named.find(|at| self.0.iter().all(|row| row.created != *at))
    }

    /// What a claim says was published, if several revisions came after that. A writer that died before it published its revision leaves
    /// one, and the next writer publishes its own.
    fn left_behind(&self, head: HeadCell) -> Option<Timestamp> {
        let HeadCell::Claimed { at, published } = head else {
            return None;
        };
        let is_unpublished = |row: &&Linked| {
            row.link != Link::None && row.created != at && Some(row.created) > published
        };
        published.filter(|_| self.0.iter().filter(is_unpublished).count() > 1)
    }

    /// As [`Link::following`] does.
    fn tip(&self, latest: Timestamp) -> Link {
        let in_force = self.0.partition_point(|row| row.created <= latest);
        let newest = self.0.get(..in_force).filter(|rows| !rows.is_empty());
        let newest = newest.unwrap_or(&self.0).iter().rev();
        Link::naming(newest.map(|row| (row.hash, row.covers_rows_below)))
    }
}

/// The hash of the histories of a project: of one line per flag, `{type}/{name} {link}` and a line feed, ordered by bytes.
/// The link is what the next revision of the flag will name.
#[derive(Clone, Debug, Default)]
pub(crate) struct HistoriesHash(Vec<String>);

impl HistoriesHash {
    pub(crate) fn add(&mut self, check: &HistoryCheck) {
        let HistoryCheck { flag, tip, .. } = check;
        self.0
            .push(format!("{}/{} {tip}\n", flag.flag_type, flag.name));
    }
}

impl fmt::Display for HistoriesHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = self.0.clone();
        lines.sort();
        let hash = Sha256::digest(lines.concat());
        hash.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

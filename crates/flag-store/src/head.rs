//! The cell that a flag has in its project's head row: when its newest row was created, or a claim on the next one.
//!
//! The head row of a project with many flags is large. So two of its cells are a mark
//! ([`FlagStore::change_mark`]): after a change that readers should notice, at least one of them has another value. A watcher
//! reads those two, and the rest only when they differ.

mod digest;

use std::collections::BTreeSet;

use flag_model::{FlagKey, FlagName, FlagType, ProjectName, Timestamp};

pub use self::digest::ProjectDigest;
use crate::flags::FlagStore;
use crate::row_key::{RowType, head_key};
use crate::rows::{Cells, Columns};
use crate::store_error::StoreError;
use crate::stored::{CHANGE_ID, LATEST_CHANGE};

/// The head row of a project: the state of each flag's revisions. A hint for readers; the revision rows are the truth.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeadRow {
    project: Option<ProjectName>,
    /// The cells of revisions, by column.
    cells: Cells,
    /// The cells of metadata, by column.
    metadata: Cells,
    mark: ChangeMark,
}

/// Two cells of the head row; after a change that readers should notice, at least one has another value. Marks can be compared
/// for equality only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangeMark(Cells);

/// The cell of a flag's revisions in the head row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadCell {
    /// The newest revision was created at that time, as far as writers have published.
    Newest(Timestamp),
    /// A revision of the time `at` will be appended, has been appended without publishing, or never will be.
    Claimed {
        /// Its time.
        at: Timestamp,
        /// The time that was published before the claim; older releases leave it out.
        published: Option<Timestamp>,
    },
}

impl FlagStore {
    /// Reads the head row of a project: one row, whose size grows with the number of flags.
    pub async fn head_row(&self, project: &ProjectName) -> Result<HeadRow, StoreError> {
        let key = head_key(project);
        let row = self.rows.get(key.as_bytes(), Columns::All).await?;
        let cells = row.map(|row| row.cells).unwrap_or_default();
        Ok(HeadRow {
            project: Some(project.clone()),
            mark: ChangeMark(cells.iter().filter(|(column, _)| is_mark(column)).collect()),
            cells: cells
                .iter()
                .filter(|(column, _)| flag_of(project, column).is_some())
                .collect(),
            metadata: cells
                .iter()
                .filter(|(column, _)| column.starts_with(METADATA.as_bytes()))
                .collect(),
        })
    }

    /// Reads the change mark of a project: two small cells, whatever the number of flags.
    pub async fn change_mark(&self, project: &ProjectName) -> Result<ChangeMark, StoreError> {
        let key = head_key(project);
        let row = self.rows.get(key.as_bytes(), Columns::Only(&MARKS)).await?;
        Ok(ChangeMark(row.map(|row| row.cells).unwrap_or_default()))
    }
}

/// How the columns of metadata begin.
const METADATA: &str = "FLAG/";

/// The columns of a mark. Releases that do not know the first change only the second.
const MARKS: [&str; 2] = [CHANGE_ID, LATEST_CHANGE];

fn is_mark(column: &[u8]) -> bool {
    MARKS.iter().any(|mark| mark.as_bytes() == column)
}

impl HeadRow {
    /// Every flag that has a valid cell.
    pub fn flags(&self) -> impl Iterator<Item = (FlagKey, HeadCell)> {
        self.cells.iter().filter_map(|(column, cell)| {
            let flag = flag_of(self.project.as_ref()?, column)?;
            Some((flag, HeadCell::decode(cell)?))
        })
    }

    /// The cell of a flag.
    pub fn get(&self, flag: &FlagKey) -> Option<HeadCell> {
        HeadCell::decode(self.cells.get(&head_column(RowType::Revision, flag))?)
    }

    /// The mark of the head row that this was read from.
    pub fn mark(&self) -> &ChangeMark {
        &self.mark
    }

    /// The flags whose metadata differs from an earlier head row of the same project, or is gone.
    pub fn metadata_changes_since(&self, before: &Self) -> BTreeSet<FlagKey> {
        let differs = |(one, other): (&Cells, &Cells)| -> Vec<FlagKey> {
            let columns = one.iter().filter(|(column, cell)| {
                let column = str::from_utf8(column).unwrap_or_default();
                other.get(column) != Some(*cell)
            });
            let flags = columns.filter_map(|(column, _)| {
                let column = column.strip_prefix(METADATA.as_bytes())?;
                flag_of(self.project.as_ref()?, column)
            });
            flags.collect()
        };
        let both = [
            (&self.metadata, &before.metadata),
            (&before.metadata, &self.metadata),
        ];
        both.into_iter().flat_map(differs).collect()
    }

    /// The flags whose state differs from an earlier head row of the same project, or is gone.
    pub fn changes_since(&self, before: &Self) -> Vec<(FlagKey, Option<HeadCell>)> {
        let is_news = |(flag, state): &(FlagKey, HeadCell)| before.get(flag) != Some(*state);
        let is_gone = |(flag, _): &(FlagKey, HeadCell)| self.get(flag).is_none();
        let news = self.flags().filter(is_news);
        let gone = before.flags().filter(is_gone);
        news.map(|(flag, state)| (flag, Some(state)))
            .chain(gone.map(|(flag, _)| (flag, None)))
            .collect()
    }
}

impl HeadCell {
    /// The time of the newest revision that there may be.
    pub fn time(self) -> Timestamp {
        match self {
            Self::Newest(at) | Self::Claimed { at, .. } => at,
        }
    }

    /// The time of the newest published revision, if it is known.
    pub fn published(self) -> Option<Timestamp> {
        match self {
            Self::Newest(at) => Some(at),
            Self::Claimed { published, .. } => published,
        }
    }

    /// Whether the cell is older now, or missing. Writers only publish later revisions, so the store was restored to an
    /// older state, or replaced.
    pub fn is_undone_by(self, now: Option<Self>) -> bool {
        let Some(now) = now else { return true };
        let newest = now.published().unwrap_or(now.time());
        self.published().is_some_and(|before| newest < before)
    }

    pub(crate) fn decode(cell: &[u8]) -> Option<Self> {
        let text = str::from_utf8(cell).ok()?;
        let Some((at, by)) = text.split_once(CLAIMED_BY) else {
            return Timestamp::parse(text).ok().map(Self::Newest);
        };
        let published = by.split_once(AFTER).map(|(_, at)| Timestamp::parse(at));
        Some(Self::Claimed {
            at: Timestamp::parse(at).ok()?,
            published: published.and_then(Result::ok),
        })
    }
}

const CLAIMED_BY: &str = " claimed by ";
const AFTER: &str = " after ";

/// The time of the row that a cell claims: a writer is appending it, or died while doing so. `None` if no writer is appending.
///
/// Rows are the truth, so an unreadable cell claims nothing and blocks no writer.
pub(crate) fn claimed_row(cell: Option<&[u8]>) -> Option<Timestamp> {
    match cell.and_then(HeadCell::decode)? {
        HeadCell::Claimed { at, .. } => Some(at),
        HeadCell::Newest(_) => None,
    }
}

/// The cell of a claim, which takes the place of `before`; the nonce makes each claim unique.
///
/// It contains the time that was published before, which is thus known while the claim stands.
pub(crate) fn encode_claim(at: Timestamp, nonce: u64, before: Option<&[u8]>) -> String {
    let published = before
        .and_then(HeadCell::decode)
        .and_then(HeadCell::published);
    let claim = format!("{at}{CLAIMED_BY}{nonce:016x}");
    match published {
        Some(published) => format!("{claim}{AFTER}{published}"),
        None => claim,
    }
}

/// The cell of a new, random change id, which makes watchers read the head row.
pub(crate) fn change_id_cell() -> Cells {
    Cells::default().with(CHANGE_ID, format!("{:016x}", fastrand::u64(..)))
}

/// The column of a flag: `{type}/{name}` for its revisions, `FLAG/{type}/{name}` for its metadata.
pub(crate) fn head_column(row_type: RowType, flag: &FlagKey) -> String {
    match row_type {
        RowType::Revision => format!("{}/{}", flag.flag_type, flag.name),
        RowType::Metadata => format!("{METADATA}{}/{}", flag.flag_type, flag.name),
    }
}

/// The flag of a column.
fn flag_of(project: &ProjectName, column: &[u8]) -> Option<FlagKey> {
    let (flag_type, name) = str::from_utf8(column).ok()?.split_once('/')?;
    Some(FlagKey {
        project: project.clone(),
        flag_type: FlagType::parse(flag_type).ok()?,
        name: FlagName::new(name).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: &str = "2024-09-25 19:15:28.248896";

    fn at(time: &str) -> Timestamp {
        Timestamp::parse(time).unwrap()
    }

    fn head_row(cells: &[(&str, &str)]) -> HeadRow {
        HeadRow {
            project: ProjectName::new("p").ok(),
            cells: cells.iter().copied().collect(),
            metadata: Cells::default(),
            mark: ChangeMark::default(),
        }
    }

    fn by_name(flags: impl IntoIterator<Item = (FlagKey, HeadCell)>) -> Vec<(String, HeadCell)> {
        let flags = flags.into_iter();
        flags
            .map(|(flag, state)| (flag.to_string(), state))
            .collect()
    }

    #[test]
    fn a_head_row_tells_of_each_flags_revisions() {
        let claim = encode_claim(at(TIME), 7, None);
        let head_row = head_row(&[
            ("data/g", &claim),
            ("data/h", "soon"),
            ("feature/f", TIME),
            ("other/i", TIME),
        ]);
        let claimed = HeadCell::Claimed {
            at: at(TIME),
            published: None,
        };
        assert_eq!(
            by_name(head_row.flags()),
            [
                ("p/data/g".to_owned(), claimed),
                ("p/feature/f".to_owned(), HeadCell::Newest(at(TIME))),
            ]
        );
    }

    #[test]
    fn changes_are_what_is_new_what_is_other_and_what_is_gone() {
        let before = head_row(&[("data/a", TIME), ("data/b", TIME), ("data/c", TIME)]);
        let other = "2024-09-25 19:15:28.248895";
        let now = head_row(&[("data/a", TIME), ("data/b", other), ("data/d", TIME)]);
        let changes = now.changes_since(&before).into_iter();
        assert_eq!(
            changes
                .map(|(flag, state)| (flag.name.to_string(), state.map(HeadCell::time)))
                .collect::<Vec<_>>(),
            [
                ("b".to_owned(), Some(at(other))),
                ("d".to_owned(), Some(at(TIME))),
                ("c".to_owned(), None),
            ]
        );
        assert_eq!(now.changes_since(&now), []);
    }

    #[test]
    fn a_claim_is_read_back_with_what_was_published_before_it() {
        let first = encode_claim(at(TIME), 7, None);
        let second = encode_claim(at("2025-01-01 00:00:00"), 8, Some(TIME.as_bytes()));
        // Of a writer that takes an abandoned claim over.
        let third = encode_claim(at("2026-01-01 00:00:00"), 9, Some(second.as_bytes()));
        for (cell, time, published) in [
            (first, TIME, None),
            (second, "2025-01-01 00:00:00", Some(at(TIME))),
            (third, "2026-01-01 00:00:00", Some(at(TIME))),
        ] {
            let (cell, at) = (cell.as_bytes(), at(time));
            assert_eq!(claimed_row(Some(cell)), Some(at));
            let claimed = HeadCell::Claimed { at, published };
            assert_eq!(HeadCell::decode(cell), Some(claimed));
        }
    }

    #[test]
    fn metadata_that_is_new_other_or_gone_has_changed() {
        let with = |cells: &[(&str, &str)]| HeadRow {
            metadata: cells.iter().copied().collect(),
            ..head_row(&[("feature/f", TIME)])
        };
        let before = with(&[
            ("FLAG/data/a", TIME),
            ("FLAG/data/b", TIME),
            ("FLAG/data/c", TIME),
        ]);
        let now = with(&[
            ("FLAG/data/a", TIME),
            ("FLAG/data/b", "later"),
            ("FLAG/data/d", TIME),
        ]);
        let changed = now.metadata_changes_since(&before);
        let names: Vec<_> = changed.iter().map(|flag| flag.name.as_str()).collect();
        assert_eq!(names, ["b", "c", "d"]);
        assert!(now.metadata_changes_since(&now).is_empty());
    }

    /// Older releases write claims without the time that was published before, and read only the beginning of ours.
    #[test]
    fn a_claim_begins_as_it_always_did() {
        let claim = encode_claim(at(TIME), 7, Some(TIME.as_bytes()));
        assert!(claim.starts_with("2024-09-25 19:15:28.248896 claimed by 0000000000000007"));
    }

    #[test]
    fn whatever_is_no_claim_claims_no_row() {
        for cell in [
            None,
            Some(TIME.as_bytes()),
            Some(&b"soon claimed by me"[..]),
            Some(&b"\xff"[..]),
            Some(&b""[..]),
        ] {
            assert_eq!(claimed_row(cell), None);
        }
    }

    #[test]
    fn only_what_is_older_or_gone_undoes() {
        let [old, new] = ["2024-01-01 00:00:00", TIME].map(at);
        let newest = HeadCell::Newest;
        let claimed = |at, published| HeadCell::Claimed { at, published };
        assert!(newest(new).is_undone_by(None));
        assert!(newest(new).is_undone_by(Some(newest(old))));
        assert!(newest(new).is_undone_by(Some(claimed(new, Some(old)))));
        assert!(!newest(old).is_undone_by(Some(newest(new))));
        assert!(!newest(old).is_undone_by(Some(claimed(new, Some(old)))));
        assert!(!newest(old).is_undone_by(Some(claimed(new, None))));
        assert!(!claimed(new, None).is_undone_by(Some(newest(old))));
    }
}

//! The cell that a flag has in its project's head row: when its newest row was made, or a claim on the next one.

use std::hash::BuildHasher as _;

use flag_model::{FlagKey, FlagName, FlagType, ProjectName, Timestamp};
use foldhash::quality::FixedState;

use crate::flags::FlagStore;
use crate::port::{Cells, Columns, StoreError, Table};
use crate::row_key::{RowType, head_key};

/// What the head row of a project says of its flags. It tells of changes early; the rows are the truth.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heads {
    project: Option<ProjectName>,
    cells: Cells,
}

/// What the head row says of a flag's revisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadState {
    /// The newest revision was made at that time, as far as writers have told.
    Newest(Timestamp),
    /// A revision of that time is about to come, has come untold, or never will.
    Claimed(Timestamp),
}

impl FlagStore {
    /// What the head row of a project says; one read of one row.
    pub async fn heads(&self, project: &ProjectName) -> Result<Heads, StoreError> {
        let key = head_key(project);
        let row = self
            .rows
            .get(Table::Flags, key.as_bytes(), Columns::All)
            .await?;
        Ok(Heads {
            project: Some(project.clone()),
            cells: row.map(|row| row.cells).unwrap_or_default(),
        })
    }
}

impl Heads {
    /// Every flag of which something is said. Cells that mean nothing are passed over.
    pub fn flags(&self) -> impl Iterator<Item = (FlagKey, HeadState)> {
        self.cells.iter().filter_map(|(column, cell)| {
            let (flag_type, name) = str::from_utf8(column).ok()?.split_once('/')?;
            let flag = FlagKey {
                project: self.project.clone()?,
                flag_type: FlagType::parse(flag_type).ok()?,
                name: FlagName::new(name).ok()?,
            };
            Some((flag, HeadState::decode(cell)?))
        })
    }

    /// A number that differs, in all likelihood, from that of a head row that says something else; the same only in this
    /// build.
    pub fn digest(&self) -> u64 {
        FixedState::default().hash_one(&self.cells)
    }
}

impl HeadState {
    /// The time of the newest revision that there may be.
    pub fn time(self) -> Timestamp {
        match self {
            Self::Newest(at) | Self::Claimed(at) => at,
        }
    }

    fn decode(cell: &[u8]) -> Option<Self> {
        match Head::decode(Some(cell)) {
            Head::Claimed(at) => Some(Self::Claimed(at)),
            Head::Free => Timestamp::parse(str::from_utf8(cell).ok()?)
                .ok()
                .map(Self::Newest),
        }
    }
}

/// What a head cell says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Head {
    /// Nobody is appending: there is no cell, its row is in, or it says nothing that can be understood.
    Free,
    /// Somebody is about to append a row made at that time, or died trying.
    Claimed(Timestamp),
}

const CLAIMED_BY: &str = " claimed by ";

impl Head {
    /// Reads a cell. Rows are the truth, so a cell that means nothing stands in nobody's way.
    pub(crate) fn decode(cell: Option<&[u8]>) -> Self {
        let text = cell
            .and_then(|cell| str::from_utf8(cell).ok())
            .unwrap_or_default();
        let claim = text
            .split_once(CLAIMED_BY)
            .and_then(|(at, _)| Timestamp::parse(at).ok());
        claim.map_or(Self::Free, Self::Claimed)
    }
}

/// The cell of a claim; the nonce tells one writer's claims from all others.
pub(crate) fn encode_claim(at: Timestamp, nonce: u64) -> String {
    format!("{at}{CLAIMED_BY}{nonce:016x}")
}

/// The column of a flag: `{type}/{name}` for its revisions, `FLAG/{type}/{name}` for its metadata.
pub(crate) fn head_column(row_type: RowType, flag: &FlagKey) -> String {
    match row_type {
        RowType::Revision => format!("{}/{}", flag.flag_type, flag.name),
        RowType::Flag => format!("FLAG/{}/{}", flag.flag_type, flag.name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_row_tells_of_each_flags_revisions() {
        let at = Timestamp::parse("2024-09-25 19:15:28.248896").unwrap();
        let heads = |time: &str| Heads {
            project: ProjectName::new("p").ok(),
            cells: Cells::default()
                .with("LatestChange", time)
                .with("FLAG/feature/f", time)
                .with("feature/f", time)
                .with("data/g", encode_claim(at, 7))
                .with("data/h", "soon")
                .with("other/i", time),
        };
        let told = heads(&at.to_string());
        let flags = told.flags().map(|(flag, state)| (flag.to_string(), state));
        assert_eq!(
            flags.collect::<Vec<_>>(),
            [
                ("p/data/g".to_owned(), HeadState::Claimed(at)),
                ("p/feature/f".to_owned(), HeadState::Newest(at)),
            ]
        );
        assert_eq!(told.digest(), heads(&at.to_string()).digest());
        assert_ne!(told.digest(), heads("2024-09-25 19:15:28.248897").digest());
    }

    #[test]
    fn a_claim_is_read_back() {
        let at = Timestamp::parse("2024-09-25 19:15:28.248896").unwrap();
        assert_eq!(
            Head::decode(Some(encode_claim(at, 7).as_bytes())),
            Head::Claimed(at)
        );
    }

    #[test]
    fn whatever_is_no_claim_is_free() {
        for cell in [
            None,
            Some(&b"2024-09-25 19:15:28.248896"[..]),
            Some(b"soon claimed by me"),
            Some(b"\xff"),
            Some(b""),
        ] {
            assert_eq!(Head::decode(cell), Head::Free);
        }
    }
}

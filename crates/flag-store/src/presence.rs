//! The flags that have revisions in a range of the table; all other flags of the range have none.

use std::collections::BTreeSet;

use flag_model::{FlagKey, ProjectName};

use crate::flags::FlagStore;
use crate::row_key::{FlagRowKey, PROJECTS, RowType, flag_prefix, project_prefix};
use crate::rows::Scan;
use crate::store_error::StoreError;

/// Keys per scan of the flags of a project.
const PAGE: usize = 1_000;

/// The prefix of the row keys of a flag's revisions, in the order of the table; or a key between two flags.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlagPrefix(Vec<u8>);

impl FlagPrefix {
    /// The prefix of a flag.
    pub fn of(flag: &FlagKey) -> Self {
        Self(flag_prefix(RowType::Revision, flag).into())
    }

    /// Before every row.
    pub fn start() -> Self {
        Self::default()
    }
}

/// A range of the table, and the flags that have revisions in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlagPage {
    /// Their prefixes, in order.
    pub flags: Vec<FlagPrefix>,
    /// The end of the range; `None` for the end of the table.
    pub until: Option<FlagPrefix>,
}

impl FlagStore {
    /// The flags that have revisions from `from` on; one scan of the keys of `limit` rows.
    pub async fn flags_with_revisions_from(
        &self,
        from: &FlagPrefix,
        limit: usize,
    ) -> Result<FlagPage, StoreError> {
        let projects = Scan::prefix(PROJECTS);
        let scan = Scan {
            start: from.0.clone().max(projects.start.clone()),
            ..projects
        };
        let keys = self.rows.keys(scan.limit(limit)).await?;
        let mut flags: Vec<FlagPrefix> = keys.iter().filter_map(|key| revisions(key)).collect();
        flags.dedup();
        let last = keys.last().filter(|_| keys.len() >= limit);
        let until = last.and_then(|last| end_of(RowType::Revision, last));
        Ok(FlagPage {
            flags,
            until: until.map(FlagPrefix),
        })
    }

    /// The flags of a project that have revisions, by type and name; stops after the first scan that brings them to `at_least`
    /// flags. Scans of 1,000 keys each, which skip most rows of a flag with a long history.
    pub async fn flags_with_revisions(
        &self,
        project: &ProjectName,
        at_least: usize,
    ) -> Result<Vec<FlagKey>, StoreError> {
        self.flags_with_rows(RowType::Revision, project, at_least, PAGE)
            .await
    }

    /// Every flag of a project that has metadata, revisions or both; scans of the keys of `page` rows each.
    pub async fn flags_with_any_row(
        &self,
        project: &ProjectName,
        page: usize,
    ) -> Result<BTreeSet<FlagKey>, StoreError> {
        let mut flags = BTreeSet::new();
        for row_type in [RowType::Metadata, RowType::Revision] {
            flags.extend(
                self.flags_with_rows(row_type, project, usize::MAX, page)
                    .await?,
            );
        }
        Ok(flags)
    }

    /// The flags of a project that have rows of this type, in scans of `page` keys each; stops after the first scan that
    /// brings them to `at_least` flags.
    async fn flags_with_rows(
        &self,
        row_type: RowType,
        project: &ProjectName,
        at_least: usize,
        page: usize,
    ) -> Result<Vec<FlagKey>, StoreError> {
        let mut scan = Scan::prefix(project_prefix(row_type, project)).limit(page);
        let mut flags = Vec::new();
        loop {
            let keys = self.rows.keys(scan.clone()).await?;
            let found = keys.iter().filter_map(|key| FlagRowKey::subject_of(key));
            flags.extend(found.map(|(_, flag)| flag));
            flags.dedup();
            let last = keys.last().filter(|_| keys.len() >= page);
            match last.and_then(|last| end_of(row_type, last)) {
                Some(end) if flags.len() < at_least => scan.start = end,
                _ => return Ok(flags),
            }
        }
    }
}

/// Where the rows of this type after a flag begin, given the key of one of its rows; or what comes after a key that is of no
/// flag.
fn end_of(row_type: RowType, key: &[u8]) -> Option<Vec<u8>> {
    match FlagRowKey::subject_of(key) {
        Some((found, flag)) if found == row_type => Scan::prefix(flag_prefix(row_type, &flag)).end,
        _ => Some([key, b"\0"].concat()),
    }
}

/// The prefix of a revision's row; `None` for any other row.
fn revisions(key: &[u8]) -> Option<FlagPrefix> {
    match FlagRowKey::subject_of(key)? {
        (RowType::Revision, flag) => Some(FlagPrefix::of(&flag)),
        (RowType::Metadata, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use flag_model::{FlagName, FlagType};

    use super::*;
    use crate::clock::SystemClock;
    use crate::memory::MemoryStore;
    use crate::rows::{Cells, Row, RowStore};

    fn flag(project: &str, name: &str) -> FlagKey {
        FlagKey {
            project: ProjectName::new(project).unwrap(),
            flag_type: FlagType::Feature,
            name: FlagName::new(name).unwrap(),
        }
    }

    async fn check(from: FlagPrefix, limit: usize, flags: &[(&str, &str)], until: Option<&str>) {
        let rows = MemoryStore::default();
        for (project, name, time) in [("p", "a", 1), ("p", "b", 1), ("p", "b", 2), ("q", "a", 1)] {
            let key = flag_prefix(RowType::Revision, &flag(project, name));
            let cells = Cells::default().with("Name", "1");
            let key = format!("{key}{time}").into();
            let row = Row { key, cells };
            rows.insert_if_absent(&row).await.unwrap();
        }
        for key in ["A", "PROJECT#p#ROWTYPE#HEAD", "PROJECT#q#ROWTYPE#HEAD", "Z"] {
            let cells = Cells::default().with("Name", "1");
            let key = key.into();
            let row = Row { key, cells };
            rows.insert_if_absent(&row).await.unwrap();
        }
        let store = FlagStore::new(Arc::new(rows), Arc::new(SystemClock));
        let page = store.flags_with_revisions_from(&from, limit).await.unwrap();
        let expected: Vec<_> = flags
            .iter()
            .map(|(project, name)| FlagPrefix::of(&flag(project, name)))
            .collect();
        assert_eq!(page.flags, expected);
        assert_eq!(page.until, until.map(|until| FlagPrefix(until.into())));
    }

    #[tokio::test(start_paused = true)]
    async fn every_flag_from_a_place_on_is_listed() {
        let all = [("p", "a"), ("p", "b"), ("q", "a")];
        check(FlagPrefix::start(), 100, &all, None).await;
        check(FlagPrefix::of(&flag("p", "aa")), 100, &all[1..], None).await;
        check(FlagPrefix::of(&flag("q", "b")), 100, &[], None).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_project_has_its_own_flags_and_no_others() {
        let rows = MemoryStore::default();
        let insert = async |project: &str, name: &str, time: usize| {
            let key = flag_prefix(RowType::Revision, &flag(project, name));
            let key = format!("{key}{time:026}").into();
            let cells = Cells::default().with("Name", "1");
            rows.insert_if_absent(&Row { key, cells }).await.unwrap();
        };
        for number in 0..PAGE {
            insert("p", &format!("f{number:04}"), 1).await;
            insert("p", "history", number).await;
        }
        for project in ["o", "p2", "q"] {
            insert(project, "f", 1).await;
        }
        let store = FlagStore::new(Arc::new(rows), Arc::new(SystemClock));
        let project = ProjectName::new("p").unwrap();
        let found = store
            .flags_with_revisions(&project, usize::MAX)
            .await
            .unwrap();
        assert_eq!(found.len(), PAGE + 1);
        assert_eq!(found.last(), Some(&flag("p", "history")));
        assert!(found.iter().all(|flag| flag.project == project));
        let found = store.flags_with_revisions(&project, 10).await.unwrap();
        assert_eq!(found.len(), PAGE);
    }

    /// Its other rows need no look: they are its own.
    #[tokio::test(start_paused = true)]
    async fn a_page_speaks_for_the_whole_of_its_last_flag() {
        let until = "PROJECT#p#ROWTYPE#REVISION#FLAGTYPE#feature#FLAGNAME#b#TIME$";
        check(
            FlagPrefix::of(&flag("p", "b")),
            1,
            &[("p", "b")],
            Some(until),
        )
        .await;
        check(
            FlagPrefix::start(),
            1,
            &[],
            Some("PROJECT#p#ROWTYPE#HEAD\0"),
        )
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn the_flags_of_a_project_have_metadata_or_revisions() {
        let rows = MemoryStore::default();
        for (row_type, project, name) in [
            (RowType::Metadata, "p", "a"),
            (RowType::Revision, "p", "a"),
            (RowType::Revision, "p", "ab"),
            (RowType::Metadata, "p", "c"),
            (RowType::Revision, "pp", "d"),
        ] {
            let prefix = flag_prefix(row_type, &flag(project, name));
            for time in ["2026-01-01 00:00:00", "2026-01-02 00:00:00", "soon"] {
                let cells = Cells::default().with("Name", "1");
                let key = format!("{prefix}{time}").into();
                let row = Row { key, cells };
                rows.insert_if_absent(&row).await.unwrap();
            }
        }
        let store = FlagStore::new(Arc::new(rows), Arc::new(SystemClock));
        for page in [1, 2, 3, 100] {
            let project = ProjectName::new("p").unwrap();
            let flags = store.flags_with_any_row(&project, page).await.unwrap();
            let names: Vec<_> = flags.iter().map(|flag| flag.name.as_str()).collect();
            assert_eq!(names, ["a", "ab", "c"], "{page}");
        }
    }
}

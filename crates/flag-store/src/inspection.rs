//! Reads a store row by row, whatever tooling wrote it, to check it.

use flag_model::{Metadata, ProjectName, Revision, Timestamp};

use crate::flags::FlagStore;
use crate::options::RowOptions;
use crate::row_key::{FlagRowKey, PROJECTS, RowType, head_key};
use crate::rows::{Row, Scan};
use crate::store_error::StoreError;
use crate::stored::{Oddities, Oddity, UnreadableRow, read_metadata, read_revision};

/// A decoded row of the table of flags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlagRow {
    /// What a flag is for.
    Metadata(Metadata),
    /// Who gets what.
    Revision(Revision),
    /// A head row: the changes of a project.
    Head,
}

/// The projects that have rows in the table of flags.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Projects {
    /// Their names, ordered.
    pub names: Vec<ProjectName>,
    /// Keys that belong to no project, one or two of each kind; such rows are never served.
    pub keys_without_project: Vec<String>,
}

/// The findings about a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// The decoded row.
    pub row: Result<FlagRow, UnreadableRow>,
    /// What is unusual about it, and is read all the same.
    pub oddities: Vec<Oddity>,
    /// Whether it is not in force: its key has no valid time, or one too far ahead of the clock. It is in force all the
    /// same if the flag has no other rows.
    pub is_passed_over: bool,
}

impl FlagRow {
    /// Whether a key is that of a head row.
    pub fn is_head(key: &[u8]) -> bool {
        let project = project_prefix(key).and_then(project);
        project.is_some_and(|project| head_key(&project).as_bytes() == key)
    }

    /// Looks at everything about a row of the table of flags, at this time by the clock.
    pub fn inspect(row: &Row, options: &RowOptions, now: Timestamp) -> Inspection {
        let oddities = Oddities::default();
        let read = Self::read(row, options, &oddities);
        let key = FlagRowKey::decode(&row.key);
        let latest_time_in_force = now.saturating_add(options.max_future);
        let mut oddities = oddities.into_inner();
        let is_ahead = key
            .as_ref()
            .is_ok_and(|key| key.created > latest_time_in_force);
        if is_ahead {
            oddities.push(Oddity {
                column: "row key".to_owned(),
                field: "row key".to_owned(),
                found: "a time ahead of the clock".to_owned(),
                read_as: "a row that doesn't count yet".to_owned(),
            });
        }
        Inspection {
            is_passed_over: is_ahead || (key.is_err() && read.is_err()),
            row: read,
            oddities,
        }
    }

    fn read(row: &Row, options: &RowOptions, oddities: &Oddities) -> Result<Self, UnreadableRow> {
        let key = match FlagRowKey::decode(&row.key) {
            Err(_) if Self::is_head(&row.key) => return Ok(Self::Head),
            Err(problem) => return Err(UnreadableRow::key_of(row, problem)),
            Ok(key) => key,
        };
        match key.row_type {
            RowType::Metadata => read_metadata(row, Some(oddities)).map(Self::Metadata),
            RowType::Revision => read_revision(row, options, Some(oddities)).map(Self::Revision),
        }
    }
}

impl FlagStore {
    /// The projects that there are, and what there is beside them; one scan of one row each.
    pub async fn projects(&self) -> Result<Projects, StoreError> {
        let mut projects = Projects::default();
        let mut scan = Scan::prefix(PROJECTS).limit(1);
        let end = scan.end.clone().unwrap_or_default();
        let before = Scan {
            start: Vec::new(),
            end: Some(PROJECTS.into()),
            ..scan.clone()
        };
        projects.add_key_without_project(self.first(before).await?);
        while let Some(key) = self.first(scan.clone()).await? {
            let prefix = project_prefix(&key);
            let next = prefix.and_then(|prefix| Scan::prefix(prefix).end);
            scan.start = next.unwrap_or_else(|| [&*key, b"\0"].concat());
            match prefix.and_then(project) {
                Some(name) => projects.names.push(name),
                None => projects.add_key_without_project(Some(key)),
            }
        }
        let after = Scan {
            start: end,
            end: None,
            ..scan
        };
        projects.add_key_without_project(self.first(after).await?);
        Ok(projects)
    }

    async fn first(&self, scan: Scan) -> Result<Option<Vec<u8>>, StoreError> {
        let rows = self.rows.scan(scan).await?;
        Ok(rows.into_iter().next().map(|row| row.key))
    }
}

impl Projects {
    fn add_key_without_project(&mut self, key: Option<Vec<u8>>) {
        let key = key.map(|key| String::from_utf8_lossy(&key).into_owned());
        self.keys_without_project.extend(key);
    }
}

/// The part of a key that all rows of its project share, `PROJECT#…#`; `None` where there is no second `#`.
fn project_prefix(key: &[u8]) -> Option<&[u8]> {
    let name = key.iter().skip(PROJECTS.len());
    let length = name.take_while(|byte| **byte != b'#').count();
    key.get(..=PROJECTS.len() + length)
}

fn project(prefix: &[u8]) -> Option<ProjectName> {
    let text = str::from_utf8(prefix).ok()?;
    let name = text.strip_prefix(PROJECTS)?.strip_suffix('#')?;
    ProjectName::new(name).ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::clock::SystemClock;
    use crate::memory::MemoryStore;
    use crate::rows::{Cells, RowStore};

    async fn projects(keys: &[&str]) -> Projects {
        let rows = MemoryStore::default();
        for key in keys {
            let cells = Cells::default().with("Name", "1");
            let key = (*key).into();
            let row = Row { key, cells };
            rows.insert_if_absent(&row).await.unwrap();
        }
        let store = FlagStore::new(Arc::new(rows), Arc::new(SystemClock));
        store.projects().await.unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn every_project_is_found_once() {
        let found = projects(&[
            "PROJECT#a#ROWTYPE#FLAG#1",
            "PROJECT#a#ROWTYPE#HEAD",
            "PROJECT#a-b#x",
            "PROJECT#a.b#x",
            "PROJECT#ab#x",
        ])
        .await;
        let names: Vec<_> = found.names.iter().map(ProjectName::as_str).collect();
        assert_eq!(names, ["a", "a-b", "a.b", "ab"]);
        assert_eq!(found.keys_without_project, [""; 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn keys_of_no_project_are_reported() {
        let keys = [
            "A",
            "B",
            "PROJECT#",
            "PROJECT#a b#x",
            "PROJECT#a%b#x",
            "PROJECT#a%b#y",
            "PROJECT#c",
            "PROJECT#c#x",
            "Z",
        ];
        let found = projects(&keys).await;
        assert_eq!(
            found.names,
            ["a b", "c"].map(|name| ProjectName::new(name).unwrap())
        );
        let keys_without_project = ["A", "PROJECT#", "PROJECT#a%b#x", "PROJECT#c", "Z"];
        assert_eq!(found.keys_without_project, keys_without_project);
        assert_eq!(projects(&[]).await, Projects::default());
    }

    #[test]
    fn a_head_row_is_one_whatever_its_cells() {
        let read = |key: &str| {
            let row = Row {
                key: key.into(),
                cells: Cells::default(),
            };
            FlagRow::inspect(&row, &RowOptions::default(), Timestamp::UNIX_EPOCH).row
        };
        for key in ["PROJECT#p#ROWTYPE#HEAD", "PROJECT#p q#ROWTYPE#HEAD"] {
            assert_eq!(read(key), Ok(FlagRow::Head));
        }
        for key in ["PROJECT#p#ROWTYPE#HEADS", "PROJECT#p%q#ROWTYPE#HEAD"] {
            assert!(read(key).is_err(), "{key}");
        }
    }
}

//! What a log of rows keeps of one instance.

use flag_model::{InstanceId, ProjectName};

use crate::pages::Pages;
use crate::row_key::{
    encoded, exposure_prefix_of_key, flag_texts_of_prefix, project_exposures_prefix,
    spelled_instance_prefix,
};
use crate::rows::{Row, RowStore, Scan};
use crate::store_error::StoreError;
use crate::stored::instance_cell;

/// The exposures of one instance to one flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceExposures {
    /// The flag's type, as the keys spell it.
    pub flag_type: String,
    /// The flag's name, as the keys spell it.
    pub flag_name: String,
    key_prefix: String,
    /// The instance.
    pub instance: InstanceId<'static>,
    /// The keys of those that are rows.
    pub keys: Vec<Vec<u8>>,
    /// How many are in blocks.
    pub in_blocks: usize,
}

impl InstanceExposures {
    /// What the keys of the flag's exposures begin with, see [`ExposureBlock::key_prefix`](crate::ExposureBlock::key_prefix).
    pub fn key_prefix(&self) -> &str {
        &self.key_prefix
    }

    /// Adds exposures in blocks of a flag to what was found.
    pub fn add_blocks(
        found: &mut Vec<Self>,
        key_prefix: &str,
        instance: &InstanceId<'_>,
        count: usize,
    ) {
        let there = found.iter_mut().find(|of| of.key_prefix == key_prefix);
        if let Some(of_flag) = there {
            of_flag.in_blocks += count;
        } else if let Some((flag_type, flag_name)) = flag_texts_of_prefix(key_prefix.as_bytes()) {
            found.push(Self {
                flag_type,
                flag_name,
                key_prefix: key_prefix.to_owned(),
                instance: instance.clone().into_owned(),
                keys: Vec::new(),
                in_blocks: count,
            });
            found.sort_by(|one, other| one.key_prefix.cmp(&other.key_prefix));
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.keys.len() + self.in_blocks
    }
}

/// The exposures of an instance among these rows. Reads a key of each flag and the rows of the instance, whatever else
/// there is.
pub async fn instance_in_rows(
    rows: &dyn RowStore,
    project: &ProjectName,
    instance: &InstanceId<'_>,
) -> Result<Vec<InstanceExposures>, StoreError> {
    let id = instance.as_str();
    let mut scan = Scan::prefix(project_exposures_prefix(project)).limit(1);
    let mut found = Vec::new();
    while let Some(key) = rows.keys(scan.clone()).await?.pop() {
        let key_prefix = exposure_prefix_of_key(&key);
        let next = key_prefix.and_then(|prefix| Scan::prefix(prefix).end);
        scan.start = next.unwrap_or_else(|| [&*key, b"\0"].concat());
        let Some(prefix) = key_prefix else { continue };
        // The Python framework spells ids as they are.
        let mut keys = keys_of(rows, prefix, &encoded(id), id).await?;
        if encoded(id) != id {
            keys.extend(keys_of(rows, prefix, id, id).await?);
        }
        if let Some((flag_type, flag_name)) =
            flag_texts_of_prefix(prefix).filter(|_| !keys.is_empty())
        {
            found.push(InstanceExposures {
                flag_type,
                flag_name,
                key_prefix: String::from_utf8_lossy(prefix).into_owned(),
                instance: instance.clone().into_owned(),
                keys,
                in_blocks: 0,
            });
        }
    }
    Ok(found)
}

/// The keys of a flag's rows in which an id is spelled so, and is this one.
async fn keys_of(
    rows: &dyn RowStore,
    key_prefix: &[u8],
    spelled: &str,
    id: &str,
) -> Result<Vec<Vec<u8>>, StoreError> {
    let prefix = spelled_instance_prefix(key_prefix, spelled);
    let mut pages = Pages::new(rows, Scan::prefix(prefix));
    let mut keys = Vec::new();
    loop {
        let page = pages.next().await?;
        if page.is_empty() {
            return Ok(keys);
        }
        let rows = page.into_iter().filter(|row| is_of(row, spelled, id));
        keys.extend(rows.map(|row| row.key));
    }
}

/// Whether a row is of an instance. Its column decides; the key alone may be of another instance whose id continues with `#REQUESTID#`.
fn is_of(row: &Row, spelled: &str, id: &str) -> bool {
    match instance_cell(row) {
        Some(cell) => cell == id.as_bytes(),
        None => spelled == encoded(id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exposure_log::{ExposureLog as _, ExposureScope, TimeRange};
    use crate::exposures::ExposureRecord;
    use crate::memory::MemoryLog;
    use crate::rows::{Cells, Insert};

    async fn insert(log: &MemoryLog, key: Vec<u8>, cells: Cells) {
        let record = ExposureRecord::from(Row { key, cells });
        let inserted = log.insert_if_absent(&record).await;
        assert_eq!(inserted.unwrap(), Insert::Inserted);
    }

    /// A log with these exposures: project, type and name of the flag, the id as the key spells it, the id.
    async fn log(rows: &[(&str, &str, Option<&str>)]) -> MemoryLog {
        let log = MemoryLog::default();
        for (at, (flag, spelled, id)) in rows.iter().enumerate() {
            let [project, flag_type, name] = flag.split('/').collect::<Vec<_>>()[..] else {
                panic!("{flag}");
            };
            let key = format!(
                "PROJECT#{project}#FLAGTYPE#{flag_type}#FLAGNAME#{name}#INSTANCEID#{spelled}#REQUESTID#r-{at}#TIME#2024-09-26 10:00:00"
            );
            let cells = Cells::default().with("Name", name);
            let cells = match id {
                Some(id) => cells.with("InstanceID", *id),
                None => cells,
            };
            insert(&log, key.into(), cells).await;
        }
        log
    }

    /// How many exposures are left in both projects.
    async fn left(log: &MemoryLog) -> usize {
        let mut left = 0;
        for project in ["p", "p2"].map(|name| ProjectName::new(name).unwrap()) {
            let of = ExposureScope::Project(&project);
            left += log
                .page(of, TimeRange::ALL, None, 100)
                .await
                .unwrap()
                .records
                .len();
        }
        left
    }

    /// What is found of an id in project `p`, as flag and count; and how many rows are left without it.
    async fn check(
        rows: &[(&str, &str, Option<&str>)],
        id: &str,
        expected: &[(&str, usize)],
        left: usize,
    ) {
        let log = log(rows).await;
        let project = ProjectName::new("p").unwrap();
        let id = InstanceId::new(id).unwrap();
        let found = log.of_instance(&project, &id).await.unwrap();
        let told: Vec<(String, usize)> = (found.iter())
            .map(|of| (format!("{}/{}", of.flag_type, of.flag_name), of.count()))
            .collect();
        let told: Vec<(&str, usize)> = told.iter().map(|(flag, count)| (&**flag, *count)).collect();
        assert_eq!(told, expected);
        for exposures in &found {
            log.delete(exposures).await.unwrap();
        }
        assert_eq!(log.of_instance(&project, &id).await.unwrap(), []);
        assert_eq!(self::left(&log).await, left);
    }

    #[tokio::test(start_paused = true)]
    async fn an_instance_is_found_in_every_flag_of_its_project_and_nobody_else_is() {
        let rows = [
            ("p/data/a", "A", Some("A")),
            ("p/data/a", "A", Some("A")),
            ("p/data/a", "AB", Some("AB")),
            ("p/data/a", "B", Some("B")),
            ("p/data/ab", "B", Some("B")),
            ("p/feature/a", "A", Some("A")),
            ("p2/data/a", "A", Some("A")),
        ];
        check(&rows, "A", &[("data/a", 2), ("feature/a", 1)], 4).await;
        check(&rows, "C", &[], 7).await;
    }

    #[tokio::test(start_paused = true)]
    async fn ids_are_distinguished_however_keys_spell_them() {
        let rows = [
            ("p/data/a", "A", Some("A")),
            ("p/data/a", "A#REQUESTID#x", Some("A#REQUESTID#x")),
            ("p/data/a", "A%23REQUESTID%23x", Some("A#REQUESTID#x")),
            ("p/data/a", "50%25", Some("50%")),
            ("p/data/a", "50%25", Some("50%25")),
            ("p/data/a", "A", None),
        ];
        check(&rows, "A#REQUESTID#x", &[("data/a", 2)], 4).await;
        check(&rows, "A", &[("data/a", 2)], 4).await;
        check(&rows, "50%", &[("data/a", 1)], 5).await;
        check(&rows, "50%25", &[("data/a", 1)], 5).await;
    }

    #[tokio::test(start_paused = true)]
    async fn keys_of_another_shape_hide_nobody() {
        let log = log(&[("p/data/z", "A", Some("A"))]).await;
        for key in [
            "PROJECT#p#FLAGTYPE#",
            "PROJECT#p#FLAGTYPE#data#x",
            "PROJECT#p#ROWTYPE#COUNTS#1",
        ] {
            let cells = Cells::default().with("Name", "x");
            insert(&log, key.into(), cells).await;
        }
        let project = ProjectName::new("p").unwrap();
        let found = log
            .of_instance(&project, &InstanceId::new("A").unwrap())
            .await;
        assert_eq!(found.unwrap().len(), 1);
    }
}

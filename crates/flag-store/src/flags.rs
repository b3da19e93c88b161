//! Reads flags. Revisions are written by `append.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;

use flag_model::{BucketScheme, FlagKey, Metadata, ProjectName, Revision, Timestamp};

use crate::clock::Clock;
use crate::newest::RowInForce;
use crate::options::RowOptions;
use crate::row_key::{FlagRowKey, RowType, flag_prefix, project_prefix};
use crate::rows::{Row, RowStore, Scan};
use crate::store_error::StoreError;
use crate::stored::{UnreadableRow, decode_metadata, decode_revision, read_bucket_scheme};

/// The flags of a backend.
#[derive(Clone, Debug)]
pub struct FlagStore {
    pub(crate) rows: Arc<dyn RowStore>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) options: RowOptions,
}

/// A flag with its newest metadata and revision.
#[derive(Clone, Debug)]
pub struct FlagEntry {
    /// The flag.
    pub flag: FlagKey,
    /// Its newest metadata; the Python framework's tooling may have left none.
    pub metadata: Option<Result<Metadata, UnreadableRow>>,
    /// Its newest revision, if it has one and revisions were asked for.
    pub revision: Option<Result<Revision, UnreadableRow>>,
}

/// Why a read failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The newest row of the flag cannot be read. Retrying cannot help.
    #[error(transparent)]
    Unreadable(#[from] UnreadableRow),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl FlagStore {
    /// The flags kept in `rows`; `clock` stamps what is appended.
    pub fn new(rows: Arc<dyn RowStore>, clock: Arc<dyn Clock>) -> Self {
        let options = RowOptions::default();
        Self {
            rows,
            clock,
            options,
        }
    }

    /// The same, whose rows are read and written with these options.
    #[must_use]
    pub fn with_options(self, options: RowOptions) -> Self {
        Self { options, ..self }
    }

    /// How its rows are read and written.
    pub fn options(&self) -> &RowOptions {
        &self.options
    }

    /// Makes sure that the store can be read.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.rows.ping().await
    }

    /// Whether no row at all is kept.
    pub async fn is_empty(&self) -> Result<bool, StoreError> {
        Ok(self.rows.scan(Scan::prefix("").limit(1)).await?.is_empty())
    }

    /// The revision in force; usually one reverse scan of one row.
    pub async fn newest_revision(&self, flag: &FlagKey) -> Result<Option<Revision>, ReadError> {
        let row = self.newest_revision_row(flag).await?.row;
        Ok(row.map(|row| self.decode_revision(&row)).transpose()?)
    }

    /// The row of the revision in force, as it is kept; usually one reverse scan of one row. [`decode_revision`] reads it.
    pub async fn newest_revision_row(&self, flag: &FlagKey) -> Result<RowInForce, StoreError> {
        self.newest_row(RowType::Revision, flag).await
    }

    /// The revision that was in force at an instant: the newest one created at or before it; usually two
    /// reverse scans.
    pub async fn revision_at(
        &self,
        flag: &FlagKey,
        at: Timestamp,
    ) -> Result<Option<Revision>, ReadError> {
        let row = self.newest_row_at(RowType::Revision, flag, at).await?;
        Ok(row.map(|row| self.decode_revision(&row)).transpose()?)
    }

    /// The metadata that was the newest at an instant; usually two reverse scans.
    pub async fn metadata_at(
        &self,
        flag: &FlagKey,
        at: Timestamp,
    ) -> Result<Option<Metadata>, ReadError> {
        let row = self.newest_row_at(RowType::Metadata, flag, at).await?;
        Ok(row.as_ref().map(decode_metadata).transpose()?)
    }

    /// When the first revision of a flag was created, even if that row cannot be read; one scan of a few rows.
    pub async fn first_revision_created(
        &self,
        flag: &FlagKey,
    ) -> Result<Option<Timestamp>, StoreError> {
        self.oldest_created(RowType::Revision, flag).await
    }

    /// The metadata that is in force; usually one reverse scan of one row.
    pub async fn newest_metadata(&self, flag: &FlagKey) -> Result<Option<Metadata>, ReadError> {
        let row = self.newest_row(RowType::Metadata, flag).await?.row;
        Ok(row.as_ref().map(decode_metadata).transpose()?)
    }

    /// At most `limit` revisions of a flag, the newest first; an unreadable one is its error.
    pub async fn history(
        &self,
        flag: &FlagKey,
        limit: usize,
    ) -> Result<Vec<Result<Revision, UnreadableRow>>, StoreError> {
        let rows = self
            .rows_newest_first(RowType::Revision, flag, limit)
            .await?;
        Ok(rows.iter().map(|row| self.decode_revision(row)).collect())
    }

    /// When at most `limit` revisions of a flag were created, the newest first, also if they cannot be read; usually one
    /// scan of keys.
    pub async fn revision_times(
        &self,
        flag: &FlagKey,
        limit: usize,
    ) -> Result<Vec<Timestamp>, StoreError> {
        self.newest_times(RowType::Revision, flag, limit).await
    }

    /// The bucket scheme of a flag (version, hash algorithm and salt), also if its newest revision cannot be read.
    ///
    /// The newest row with a valid version decides the version; the newest row of that version with a valid hash
    /// algorithm and salt decides those. At most `limit` rows are read.
    pub async fn newest_bucket_scheme(
        &self,
        flag: &FlagKey,
        limit: usize,
    ) -> Result<Option<BucketScheme>, StoreError> {
        let rows = self
            .rows_newest_first(RowType::Revision, flag, limit)
            .await?;
        let schemes = rows.iter();
        let mut schemes = schemes
            .filter_map(|row| read_bucket_scheme(row, &self.options))
            .peekable();
        let version = schemes.peek().map(|(version, _)| *version);
        Ok(schemes.find_map(|(of, scheme)| scheme.filter(|_| Some(of) == version)))
    }

    /// At most `limit` metadata rows of a flag, the newest first; an unreadable one is its error.
    pub async fn metadata_history(
        &self,
        flag: &FlagKey,
        limit: usize,
    ) -> Result<Vec<Result<Metadata, UnreadableRow>>, StoreError> {
        let rows = self
            .rows_newest_first(RowType::Metadata, flag, limit)
            .await?;
        Ok(rows.iter().map(decode_metadata).collect())
    }

    /// The flags of a project that have metadata, with the newest of it and without their revisions, by type and name;
    /// usually one scan of one row per flag.
    pub async fn metadata_entries(
        &self,
        project: &ProjectName,
    ) -> Result<Vec<FlagEntry>, StoreError> {
        let entries = self
            .newest_row_of_each_flag(RowType::Metadata, project)
            .await?
            .into_iter()
            .map(|(flag, row)| {
                let metadata = Some(decode_metadata(&row));
                FlagEntry {
                    flag,
                    metadata,
                    revision: None,
                }
            });
        Ok(entries.collect())
    }

    /// Every flag of a project with its newest metadata and its newest revision, by type and name; flags that have
    /// only one of the two are among them. Usually two scans of one row per flag.
    pub async fn flag_entries(&self, project: &ProjectName) -> Result<Vec<FlagEntry>, StoreError> {
        let entries = self
            .metadata_entries(project)
            .await?
            .into_iter()
            .map(|entry| (entry.flag.clone(), entry));
        let mut entries: BTreeMap<FlagKey, FlagEntry> = entries.collect();
        for (flag, row) in self
            .newest_row_of_each_flag(RowType::Revision, project)
            .await?
        {
            let entry = entries.entry(flag).or_insert_with_key(|flag| FlagEntry {
                flag: flag.clone(),
                metadata: None,
                revision: None,
            });
            entry.revision = Some(self.decode_revision(&row));
        }
        Ok(entries.into_values().collect())
    }

    /// Reads a revision row with the options of the store.
    pub(crate) fn decode_revision(&self, row: &Row) -> Result<Revision, UnreadableRow> {
        decode_revision(row, &self.options)
    }

    /// The row in force of each flag of a project, by type and name, hopping from flag to flag. Rows of no flag are skipped.
    async fn newest_row_of_each_flag(
        &self,
        row_type: RowType,
        project: &ProjectName,
    ) -> Result<Vec<(FlagKey, Row)>, StoreError> {
        let mut found = Vec::new();
        let mut scan = Scan::prefix(project_prefix(row_type, project))
            .descending()
            .limit(1);
        while let Some(row) = self.rows.scan(scan.clone()).await?.pop() {
            scan.end = Some(row.key.clone());
            if let Some((_, flag)) = FlagRowKey::subject_of(&row.key) {
                let prefix = flag_prefix(row_type, &flag);
                let newest = self.newest_from(&prefix, row).await?;
                scan.end = Some(prefix.into());
                found.extend(newest.row.map(|row| (flag, row)));
            }
        }
        found.reverse();
        Ok(found)
    }
}

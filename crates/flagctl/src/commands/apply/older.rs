//! Reads the older rows of the flags in a file: those that they were exported from.

use std::collections::BTreeMap;

use flag_model::{FlagKey, Metadata};
use flag_store::{FlagEntry, FlagStore, ReadError};

use crate::apply::{ExportedRows, OlderRows};
use crate::context::Context;
use crate::failure::Failure;
use crate::flag_file::{FlagFile, FlagInFile};
use crate::lookup::{SEARCHED_REVISIONS, newest_readable_scheme};
use crate::maybe_readable::{created, created_by};

/// The older rows that decide what a file means.
pub(super) async fn older_rows(
    context: &Context,
    store: &FlagStore,
    file: &FlagFile,
    stored: &[FlagEntry],
) -> Result<OlderRows, Failure> {
    let mut older = OlderRows::default();
    let stored = stored.iter().map(|entry| (&entry.flag, entry));
    let stored: BTreeMap<&FlagKey, &FlagEntry> = stored.collect();
    for wanted in &file.flags {
        let Some(entry) = stored.get(&wanted.flag) else {
            continue;
        };
        if let Some(Err(_)) = &entry.revision {
            let scheme =
                newest_readable_scheme(context, store, &entry.flag, entry.revision.as_ref());
            let scheme = scheme.await?.map(|scheme| (entry.flag.clone(), scheme));
            older.schemes.extend(scheme);
        }
        let rows = exported_rows(context, store, wanted, entry).await?;
        older.exported.insert(wanted.flag.clone(), rows);
    }
    Ok(older)
}

/// The rows that a flag was exported from, if they are not the newest.
async fn exported_rows(
    context: &Context,
    store: &FlagStore,
    wanted: &FlagInFile,
    entry: &FlagEntry,
) -> Result<ExportedRows, Failure> {
    let mut rows = ExportedRows::default();
    let Some(exported) = wanted.exported_from else {
        return Ok(rows);
    };
    let flag = &wanted.flag;
    let newest = (entry.metadata.as_ref()).and_then(|row| created_by(row, Metadata::created));
    if let Some(time) = exported.metadata.filter(|time| Some(*time) != newest) {
        let history = store.metadata_history(flag, SEARCHED_REVISIONS).await;
        let history = history.map_err(|source| context.store_failed(source))?;
        let mut readable = history.into_iter().flatten();
        rows.metadata = readable.find(|metadata| metadata.created() == time);
    }
    let newest = entry.revision.as_ref().and_then(created);
    if let Some(time) = exported.revision.filter(|time| Some(*time) != newest) {
        rows.revision = match store.revision_at(flag, time).await {
            Ok(found) => found.filter(|revision| revision.created() == time),
            Err(ReadError::Store(source)) => return Err(context.store_failed(source).into()),
            Err(_) => None,
        };
    }
    Ok(rows)
}

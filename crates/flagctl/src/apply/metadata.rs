//! The metadata that a file wants, on top of the newest.

use flag_model::{Metadata, MetadataParts, quoted};

use super::Defaults;
use super::merge;
use super::origin::{ChangedSince, OnConflict, Origin};
use crate::change::Change;
use crate::interpret;
use crate::maybe_readable::MaybeReadable;
use crate::output::visible;
use crate::write::NextMetadata;

/// The next metadata; none if the newest is equal.
pub(super) fn next_metadata(
    in_file: &MetadataParts,
    stored: Option<&MaybeReadable<Metadata>>,
    origin: Origin<'_, Metadata>,
    defaults: &Defaults,
) -> Result<(Option<NextMetadata>, Option<ChangedSince>), String> {
    let newest = stored.and_then(|stored| stored.as_ref().ok());
    if newest.is_some_and(|newest| says_the_same(newest, in_file)) {
        return Ok((None, None));
    }
    check(in_file, newest, defaults)?;
    let append = |parts: MetadataParts| {
        let edited_by = defaults.owner.clone();
        NextMetadata::on(stored, MetadataParts { edited_by, ..parts })
    };
    let is_changed = match origin {
        Origin::Newest => false,
        Origin::Older(base) => !base
            .zip(newest)
            .is_some_and(|(base, newest)| says_the_same(base, newest)),
        Origin::Unknown(_) => true,
    };
    if !is_changed {
        return Ok((Some(append(in_file.clone())), None));
    }
    let mut changed = changed_since(in_file, stored, origin);
    match defaults.on_conflict {
        OnConflict::Refuse => Ok((Some(append(in_file.clone())), Some(changed))),
        OnConflict::Force => {
            let mut forced = append(in_file.clone());
            forced.change = changed.taken_back_by(forced.change);
            Ok((Some(forced), None))
        }
        OnConflict::Rebase => match merged(in_file, newest, origin) {
            Ok(Some(merged)) => {
                let mut rebased = append(merged);
                rebased.change = changed.kept_by(rebased.change);
                Ok((Some(rebased), None))
            }
            Ok(None) => Ok((None, None)),
            Err(obstacle) => {
                changed.obstacle = Some(obstacle);
                Ok((Some(append(in_file.clone())), Some(changed)))
            }
        },
    }
}

/// The rules of `flagctl add` and `flagctl update`, for what differs from the store.
fn check(
    in_file: &MetadataParts,
    newest: Option<&Metadata>,
    defaults: &Defaults,
) -> Result<(), String> {
    let is_new = |of: &dyn Fn(&MetadataParts) -> bool| newest.is_none_or(|newest| of(newest));
    let description = &in_file.description;
    if description.trim().is_empty() && is_new(&|newest| newest.description != *description) {
        let found = quoted(description);
        return Err(format!("description: found {found}, expected some text"));
    }
    if is_new(&|newest| newest.expires_on != in_file.expires_on) {
        let checked = interpret::not_past("expires_on", in_file.expires_on, defaults.today);
        checked.map_err(|past| past.to_string())?;
    }
    Ok(())
}

/// Both changes, none if the store has them all; else why they cannot be merged.
fn merged(
    in_file: &MetadataParts,
    newest: Option<&Metadata>,
    origin: Origin<'_, Metadata>,
) -> Result<Option<MetadataParts>, String> {
    let newest = newest.ok_or("the newest metadata cannot be read")?;
    let base = match origin {
        Origin::Newest | Origin::Older(None) => return Err("both added metadata".to_owned()),
        Origin::Older(Some(base)) => base,
        Origin::Unknown(time) => return Err(format!("the store has no metadata of {time}")),
    };
    let merged = merge::metadata(base, newest, in_file)?;
    Ok((!says_the_same(newest, &merged)).then_some(merged))
}

fn changed_since(
    in_file: &MetadataParts,
    stored: Option<&MaybeReadable<Metadata>>,
    origin: Origin<'_, Metadata>,
) -> ChangedSince {
    let newest = stored.and_then(|stored| stored.as_ref().ok());
    let base = match origin {
        Origin::Older(base) => base,
        Origin::Newest | Origin::Unknown(_) => None,
    };
    let described = match stored {
        Some(Ok(newest)) => {
            let by = newest.edited_by.as_ref();
            let by = by.map(|editor| format!(" by {}", visible(editor.as_str())));
            format!("{}{}", newest.created(), by.unwrap_or_default())
        }
        Some(Err(row)) => row.to_string(),
        None => String::new(),
    };
    ChangedSince {
        what: "metadata",
        newest: described,
        obstacle: None,
        in_store: base
            .zip(newest)
            .map(|(base, newest)| Change::of_metadata(Some(base), newest)),
        in_file: Some(Change::of_metadata(base.or(newest), in_file)),
    }
}

/// Whether both are equal in everything that a file contains.
fn says_the_same(newest: &Metadata, parts: &MetadataParts) -> bool {
    let edited_by = newest.edited_by.clone();
    **newest
        == MetadataParts {
            edited_by,
            ..parts.clone()
        }
}

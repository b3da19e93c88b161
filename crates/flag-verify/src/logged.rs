//! Exposures that are kept one by one, in types.

use flag_model::{Bucket, FlagKey, FlagValue, InstanceId, Reason, Timestamp};
use flag_store::{
    ExposureRecord, ExposureText, check_exposure, flag_of_exposure_prefix, prefix_and_time,
};

/// An exposure that could be read.
#[derive(Clone, Debug)]
pub(crate) struct Logged {
    pub(crate) flag: FlagKey,
    pub(crate) instance: InstanceId<'static>,
    pub(crate) request_id: String,
    pub(crate) value: FlagValue,
    pub(crate) group: String,
    pub(crate) reason: Option<Reason>,
    pub(crate) bucket: Option<Bucket>,
    pub(crate) revision: Option<Timestamp>,
    pub(crate) created: Timestamp,
}

/// Reads a record; an error says what is wrong with it. `None` if it names no revision, and has an instance id that only the
/// Python framework accepted: nothing about it can be decided.
pub(crate) fn read(record: &ExposureRecord) -> Result<Option<Logged>, String> {
    let (flag, in_key) = key_of(record).ok_or("the row key is invalid")?;
    check_exposure(record.row()).map_err(|error| error.to_string())?;
    let text = record.text();
    if let Err(invalid) = InstanceId::new(&*text.instance) {
        return match text.revision {
            Some(_) => Err(format!("column InstanceID: {invalid}")),
            None => Ok(None),
        };
    }
    let logged = typed(flag, text).ok_or("a cell is invalid")?;
    // Other tooling may have written rows without a revision.
    if logged.revision.is_some() && logged.created != in_key {
        let (cell, key) = (logged.created, in_key);
        return Err(format!(
            "column CreatedTimestamp: found {cell}, the row key has {key}"
        ));
    }
    Ok(Some(logged))
}

/// The flag that a record is of, and its time, by its key.
pub(crate) fn key_of(record: &ExposureRecord) -> Option<(FlagKey, Timestamp)> {
    let (prefix, created) = prefix_and_time(record.key())?;
    Some((flag_of_exposure_prefix(prefix).ok()?, created))
}

fn typed(flag: FlagKey, text: ExposureText) -> Option<Logged> {
    let bucket = text.bucket.as_deref().map(str::parse);
    let revision = text.revision.as_deref().map(Timestamp::parse);
    Some(Logged {
        value: FlagValue::parse(flag.flag_type, &text.value).ok()?,
        flag,
        instance: InstanceId::new(text.instance).ok()?,
        request_id: text.request_id,
        group: text.rollout_group,
        reason: text.reason.as_deref().and_then(Reason::parse),
        bucket: bucket.transpose().ok()?.and_then(Bucket::new),
        revision: revision.transpose().ok()?,
        created: Timestamp::parse(&text.created).ok()?,
    })
}

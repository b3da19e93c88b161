//! What was served to one instance around an instant, each answer decided again.

use std::collections::BTreeMap;
use std::time::Duration;

use flag_model::{FlagKey, InstanceId, Timestamp};
use flag_store::{
    Cursor, ExposureLog, ExposureQuery, ExposureRecord, ExposureScope, ExposureText, FlagStore,
    InstanceIdMode, NewestExposures, PAGE, StoreError, TimeRange,
};

use crate::check::{Comparison, LoggedDecision, check};
use crate::ids::KnownIds;
use crate::logged;
use crate::revisions::{OwnRevision, Revisions};

/// An exposure that was decided again.
#[derive(Clone, Debug)]
pub struct RecheckedExposure {
    /// The exposure as it is logged.
    pub exposure: ExposureText,
    /// What its revision decides; an error if it cannot be read.
    pub comparison: Result<Comparison, String>,
    /// For how long there had been a newer revision, if there was one.
    pub outdated_for: Option<Duration>,
}

impl RecheckedExposure {
    /// Whether its revision decides the same; `None` if that is not known.
    pub fn agrees(&self) -> Option<bool> {
        match &self.comparison {
            Ok(Comparison::Agrees) => Some(true),
            Ok(Comparison::Differs(_) | Comparison::UnknownRevision) | Err(_) => Some(false),
            Ok(_) => None,
        }
    }
}

/// Whether all that was served agrees; `None` if that is not known of any.
pub fn all_agree(served: &[RecheckedExposure]) -> Option<bool> {
    let mut known = served
        .iter()
        .filter_map(RecheckedExposure::agrees)
        .peekable();
    known.peek()?;
    Some(known.all(|agrees| agrees))
}

/// The last exposures of an instance up to an instant, and as many after it; or the newest of all. The newest first.
///
/// Reads under the id, and under its pseudonym if the log has those; what was served after the instant is read to its end.
pub async fn recheck_around(
    (store, log): (&FlagStore, &dyn ExposureLog),
    id_mode: &InstanceIdMode,
    flag: &FlagKey,
    instance: &InstanceId<'_>,
    at: Option<Timestamp>,
    limit: usize,
) -> Result<Vec<RecheckedExposure>, StoreError> {
    let pseudonym = id_mode.pseudonym(instance);
    let ids = [Some(instance), pseudonym.as_ref()];
    let scopes = ids.into_iter().flatten();
    let scopes: Vec<_> = scopes.map(|id| ExposureScope::Instance(flag, id)).collect();
    let mut records = Vec::new();
    if let Some(at) = at {
        records = first_after(log, &scopes, at, limit).await?;
        records.reverse();
    }
    records.extend(newest(log, &scopes, at, limit).await?);
    if records.is_empty() {
        return Ok(Vec::new());
    }
    let ids = KnownIds::new(id_mode.clone(), [instance.clone().into_owned()]);
    let mut revisions = Revisions::open(store, &ids, flag.clone()).await?;
    let mut served = Vec::with_capacity(records.len());
    for record in &records {
        served.push(recheck(record, &ids, &mut revisions).await?);
    }
    Ok(served)
}

async fn newest(
    log: &dyn ExposureLog,
    scopes: &[ExposureScope<'_>],
    at: Option<Timestamp>,
    limit: usize,
) -> Result<Vec<ExposureRecord>, StoreError> {
    let within = TimeRange {
        since: None,
        until: at.and_then(Timestamp::next),
    };
    let query = |of| ExposureQuery {
        scope: of,
        within,
        group: None,
        limit,
    };
    let Some(first) = scopes.first() else {
        return Ok(Vec::new());
    };
    let mut newest = NewestExposures::new(query(*first));
    for scope in scopes {
        newest.extend(log.newest(query(*scope)).await?);
    }
    Ok(newest.into_records())
}

async fn first_after(
    log: &dyn ExposureLog,
    scopes: &[ExposureScope<'_>],
    at: Timestamp,
    limit: usize,
) -> Result<Vec<ExposureRecord>, StoreError> {
    let within = TimeRange {
        since: at.next(),
        until: None,
    };
    let mut first = BTreeMap::new();
    for scope in scopes {
        let mut after: Option<Cursor> = None;
        loop {
            let page = log.page(*scope, within, after.as_ref(), PAGE).await?;
            for record in page.records {
                first.insert((record.created(), record.key().to_vec()), record);
                if first.len() > limit {
                    first.pop_last();
                }
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
    }
    Ok(first.into_values().collect())
}

async fn recheck(
    record: &ExposureRecord,
    ids: &KnownIds,
    revisions: &mut Revisions<'_>,
) -> Result<RecheckedExposure, StoreError> {
    let exposure = record.text();
    let logged = match logged::read(record) {
        Ok(Some(logged)) => logged,
        undecidable => {
            return Ok(RecheckedExposure {
                exposure,
                comparison: undecidable.map(|_| Comparison::WithoutRevision),
                outdated_for: None,
            });
        }
    };
    let own = match logged.revision {
        Some(revision) => Some(revisions.get(revision).await?),
        None => None,
    };
    let mut outdated_for = None;
    let comparison = match &own {
        None => Comparison::WithoutRevision,
        Some(OwnRevision::Unknown) => Comparison::UnknownRevision,
        Some(OwnRevision::Unreadable) => Comparison::UnreadableRevision,
        Some(OwnRevision::Known(revision)) => {
            let newer = revision.replaced.filter(|newer| *newer <= logged.created);
            outdated_for = newer.map(|newer| logged.created.since(newer));
            let served = LoggedDecision {
                instance: &logged.instance,
                value: &logged.value,
                group: &logged.group,
                reason: logged.reason,
                bucket: logged.bucket,
            };
            check(revision, &served, ids)
        }
    };
    Ok(RecheckedExposure {
        exposure,
        comparison: Ok(comparison),
        outdated_for,
    })
}

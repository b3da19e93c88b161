//! Which exposures are shown, and how they are read.

use std::ops::ControlFlow;

use flag_model::{FlagKey, InstanceId, Timestamp};
use flag_store::{
    Cursor, ExposureLog, ExposureQuery, ExposureRecord, ExposureScope, NewestExposures, StoreError,
    is_within,
};

/// How many records are read at once.
const AT_ONCE: usize = 5_000;

/// Which exposures of a flag are shown.
#[derive(Clone, Debug)]
pub(super) struct Selection {
    pub(super) flag: FlagKey,
    /// The names of the instance in the log; empty for all instances.
    pub(super) instances: Vec<InstanceId<'static>>,
    pub(super) since: Option<Timestamp>,
    pub(super) until: Option<Timestamp>,
    pub(super) group: Option<String>,
}

impl Selection {
    /// Whether they are all exposures of the flag.
    pub(super) fn is_all(&self) -> bool {
        self.instances.is_empty()
            && self.since.is_none()
            && self.until.is_none()
            && self.group.is_none()
    }

    /// Where they are in the log.
    pub(super) fn scopes(&self) -> Vec<ExposureScope<'_>> {
        if self.instances.is_empty() {
            return vec![ExposureScope::Flag(&self.flag)];
        }
        let instances = self.instances.iter();
        let scopes = instances.map(|instance| ExposureScope::Instance(&self.flag, instance));
        scopes.collect()
    }

    /// Whether a record is one of them.
    pub(super) fn has(&self, record: &ExposureRecord) -> bool {
        let is_within = is_within(record.created(), self.since, self.until);
        let group = self.group.as_deref().map(str::as_bytes);
        is_within && group.is_none_or(|group| group == record.group())
    }

    /// The newest of them, the newest first.
    pub(super) async fn newest(
        &self,
        log: &dyn ExposureLog,
        limit: usize,
    ) -> Result<Vec<ExposureRecord>, StoreError> {
        let query = |of| ExposureQuery {
            of,
            since: self.since,
            until: self.until,
            group: self.group.as_deref(),
            limit,
        };
        let mut newest = NewestExposures::new(query(ExposureScope::Flag(&self.flag)));
        for scope in self.scopes() {
            newest.extend(log.newest(query(scope)).await?);
        }
        Ok(newest.into_records())
    }

    /// Visits all of them in the order of the log, until told to stop; in memory there are a few thousand at once.
    pub(super) async fn each<E: From<StoreError>>(
        &self,
        log: &dyn ExposureLog,
        mut visit: impl FnMut(Vec<ExposureRecord>) -> Result<ControlFlow<()>, E>,
    ) -> Result<(), E> {
        for scope in self.scopes() {
            let mut after: Option<Cursor> = None;
            loop {
                let page = log.page(scope, after.as_ref(), AT_ONCE).await?;
                let mut records = page.records;
                records.retain(|record| self.has(record));
                if visit(records)?.is_break() {
                    return Ok(());
                }
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(())
    }
}

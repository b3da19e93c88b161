//! How many of the instances seen lately a change moves.

use std::time::Duration;

use flag_model::{FlagKey, InstanceId, Reason, Revision, Timestamp};
use flag_rollout::{Plan, decide};
use flag_store::{
    BatchPage, ExposureBatch, ExposureLog, ExposureScope, InstanceIdMode, InstanceSet, TimeRange,
};
use tokio::task::yield_now;
use tokio::time::{Instant, timeout};

/// How far back instances count, in days.
const DAYS: u64 = 7;

/// How long the page waits for the exposure log.
const WAITS: Duration = Duration::from_secs(1);

/// How many exposures are read at once.
const AT_ONCE: usize = 2_000;

/// The most instances that are distinguished: about 7 MB.
const MAX: usize = 200_000;

/// Instances that have asked for a flag in the last days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::dashboard) struct SeenInstances {
    /// How many exposures were read.
    pub(in crate::dashboard) exposures: u64,
    /// How many instances are known from them; each is decided once.
    pub(in crate::dashboard) instances: u64,
    /// How many of them receive another value.
    pub(in crate::dashboard) moved: u64,
    /// How many of those are in an override list, before or after.
    pub(in crate::dashboard) by_override: u64,
    /// Whether these are all exposures of that time, each with the id of its instance.
    pub(in crate::dashboard) is_complete: bool,
}

/// Why nothing is known of the instances seen lately.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::dashboard) enum NotCounted {
    /// The exposure log has hashes of their ids only.
    Hashed,
    /// The exposure log has not answered in time, or cannot be read.
    Unread,
}

impl SeenInstances {
    /// How far back, in days.
    pub(in crate::dashboard) const DAYS: u64 = DAYS;
}

/// Decides for the instances in the exposure log.
pub(in crate::dashboard) async fn seen_instances(
    log: &dyn ExposureLog,
    id_mode: &InstanceIdMode,
    (flag, now): (&FlagKey, Timestamp),
    [current, next]: [&Revision; 2],
) -> Result<SeenInstances, NotCounted> {
    let InstanceIdMode::Plain = id_mode else {
        return Err(NotCounted::Hashed);
    };
    let within = TimeRange {
        since: Some(now.saturating_sub(Duration::from_hours(24 * DAYS))),
        until: None,
    };
    let plans = [current, next].map(|revision| Plan::compile(revision.clone()));
    let (began, mut counter) = (Instant::now(), Counter::new(plans));
    let mut after = None;
    while let Some(left) = WAITS.checked_sub(began.elapsed()) {
        let scope = ExposureScope::Flag(flag);
        let page = timeout(left, log.batches(scope, within, after.as_ref(), AT_ONCE)).await;
        let Ok(Ok(page)) = page else { break };
        counter.add(&page);
        after = page.next;
        if after.is_none() {
            counter.seen.is_complete = counter.is_exact;
            break;
        }
        yield_now().await;
    }
    let seen = counter.seen;
    match (seen.instances, seen.exposures) {
        (0, 0) if !seen.is_complete => Err(NotCounted::Unread),
        (0, 1..) => Err(NotCounted::Hashed),
        _ => Ok(seen),
    }
}

/// Counts each instance once.
struct Counter {
    plans: [Plan; 2],
    known: InstanceSet,
    seen: SeenInstances,
    /// Whether every exposure that was read could be counted.
    is_exact: bool,
}

impl Counter {
    fn new(plans: [Plan; 2]) -> Self {
        Self {
            plans,
            known: InstanceSet::with_max(MAX),
            seen: SeenInstances::default(),
            is_exact: true,
        }
    }

    fn add(&mut self, page: &BatchPage) {
        self.is_exact &= page.unreadable.is_empty();
        let records = page.records.iter();
        let records = records.map(|record| (record.instance(), record.is_hashed()));
        let entries = page.batches.iter().flat_map(ExposureBatch::entries);
        let entries = entries.map(|entry| (Some(entry.instance), entry.is_hashed()));
        for (name, is_hashed) in records.chain(entries) {
            self.seen.exposures += 1;
            let instance = name.filter(|_| !is_hashed);
            let instance = instance.and_then(|name| InstanceId::new(name).ok());
            let is_new = instance.as_ref().map(|id| self.known.insert(id.as_str()));
            match (instance, is_new) {
                (Some(instance), Some(Ok(true))) => self.decide(&instance),
                (Some(_), Some(Ok(false))) => {}
                _ => self.is_exact = false,
            }
        }
    }

    fn decide(&mut self, instance: &InstanceId<'_>) {
        let [before, after] = self.plans.each_ref().map(|plan| decide(plan, instance));
        self.seen.instances += 1;
        if before.value != after.value {
            let reasons = [before.reason, after.reason];
            self.seen.moved += 1;
            self.seen.by_override += u64::from(reasons.contains(&Reason::Override));
        }
    }
}

#[cfg(test)]
mod tests {
    use flag_model::{
        BucketScheme, FlagValue, FormatVersion, HashAlgorithm, Percent, RevisionParts, Treatment,
    };
    use flag_store::memory::MemoryLog;
    use flag_store::{CellFormat, Exposure};

    use super::*;

    fn revision(overrides: &[&str]) -> Revision {
        let overrides = overrides.iter().copied();
        let treatment = Treatment {
            name: None,
            overrides: overrides
                .map(|id| InstanceId::new(id).unwrap().into_owned())
                .collect(),
            percent: Percent::parse("0", FormatVersion::V1).unwrap(),
            value: FlagValue::Boolean(true),
            ranges: Vec::new(),
        };
        let parts = RevisionParts {
            flag: "p/feature/f".parse().unwrap(),
            scheme: BucketScheme::v1(HashAlgorithm::Md5),
            control: FlagValue::Boolean(false),
            treatments: vec![treatment],
            comment: "why".to_owned(),
            owner: None,
            rollback_of: None,
        };
        Revision::new(Timestamp::UNIX_EPOCH, parts).unwrap()
    }

    async fn seen(days_ago: &[u64]) -> Result<SeenInstances, NotCounted> {
        let (log, now) = (
            MemoryLog::default(),
            Timestamp::parse("2026-11-30 12:00:00").unwrap(),
        );
        let flag: FlagKey = "p/feature/f".parse().unwrap();
        for (number, days) in days_ago.iter().enumerate() {
            let instance = format!("A{}", number % 3);
            let exposure = Exposure {
                request_id: format!("r-{number}").into(),
                flag: std::borrow::Cow::Borrowed(&flag),
                instance: InstanceId::new(instance).unwrap(),
                value: std::borrow::Cow::Owned(FlagValue::Boolean(false)),
                rollout_group: "control".into(),
                reason: Some(Reason::Control),
                bucket: flag_model::Bucket::new(1),
                revision: Some(Timestamp::UNIX_EPOCH),
                from_cache: Some(true),
                created: now.saturating_sub(Duration::from_hours(24 * days)),
            };
            let record = exposure.to_record(CellFormat::Json).unwrap();
            log.insert_or_compare(&record).await.unwrap();
        }
        let revisions = [&revision(&[]), &revision(&["A1", "B"])];
        seen_instances(&log, &InstanceIdMode::Plain, (&flag, now), revisions).await
    }

    #[tokio::test]
    async fn each_instance_of_the_last_days_is_counted_once() {
        let expected = SeenInstances {
            exposures: 5,
            instances: 3,
            moved: 1,
            by_override: 1,
            is_complete: true,
        };
        assert_eq!(seen(&[1, 1, 2, 3, 6, 9]).await, Ok(expected));
        let none = SeenInstances {
            is_complete: true,
            ..SeenInstances::default()
        };
        assert_eq!(seen(&[8, 9]).await, Ok(none));
    }
}

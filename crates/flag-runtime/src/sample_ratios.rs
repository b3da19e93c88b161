//! Compares the observed split of percentage rollouts with the configured one, for the metrics.
//!
//! Reads the counts of a bounded number of flags in each period, so that many flags are only compared less often.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use flag_model::{FlagKey, Timestamp};
use flag_rollout::{RatioResult, SampleRatio};
use flag_store::{Clock, ExposureLog, StoreError, exposures_by_group};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use tokio::time::sleep;

use crate::flags::{CacheEntry, FlagCache};

/// How often flags are compared.
const PERIOD: Duration = Duration::from_mins(5);

/// The most flags that are compared in a period.
const AT_ONCE: usize = 50;

/// The most flags that the metric names.
const NAMED: usize = 100;

/// The flags whose exposures are not split as configured.
#[derive(Clone, Debug, Default)]
pub struct SampleRatios(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// With the revision that was compared.
    mismatches: BTreeMap<FlagKey, Timestamp>,
    /// The last flag that was compared.
    last: Option<FlagKey>,
}

impl SampleRatios {
    /// Registers the metric.
    pub fn register(registry: &mut Registry) -> Self {
        let sample_ratios = Self::default();
        registry.register_collector(Box::new(sample_ratios.clone()));
        sample_ratios
    }

    /// Compares the flags of a cache with their counts, for ever.
    pub async fn watch(self, flags: FlagCache, log: Arc<dyn ExposureLog>, clock: Arc<dyn Clock>) {
        loop {
            sleep(PERIOD).await;
            self.compare(flags.in_memory(), &*log, clock.now()).await;
        }
    }

    /// Compares the next of these flags. What the exposure log does not tell stays as it was.
    async fn compare(&self, flags: Vec<Arc<CacheEntry>>, log: &dyn ExposureLog, now: Timestamp) {
        let flags = flags.into_iter();
        let split = flags.filter(|entry| SampleRatio::of(entry.plan(), |_| 0).is_some());
        let split = split.map(|entry| (entry.plan().flag().clone(), entry));
        let split: BTreeMap<FlagKey, Arc<CacheEntry>> = split.collect();
        self.forget_others(&split);
        for (flag, entry) in self.next(&split) {
            let Ok(is_mismatch) = is_mismatch(entry, log, now).await else {
                continue;
            };
            let mut state = self.state();
            if is_mismatch {
                let revision = entry.plan().created();
                state.mismatches.insert(flag.clone(), revision);
            } else {
                state.mismatches.remove(flag);
            }
        }
    }

    /// Forgets flags that are no longer there as they were compared.
    fn forget_others(&self, split: &BTreeMap<FlagKey, Arc<CacheEntry>>) {
        let is_there = |flag: &FlagKey, revision: &mut Timestamp| {
            let entry = split.get(flag);
            entry.is_some_and(|entry| entry.plan().created() == *revision)
        };
        self.state().mismatches.retain(is_there);
    }

    /// The flags after those that were compared last, then the first ones.
    fn next<'a>(
        &self,
        split: &'a BTreeMap<FlagKey, Arc<CacheEntry>>,
    ) -> Vec<(&'a FlagKey, &'a Arc<CacheEntry>)> {
        let mut state = self.state();
        let next: Vec<_> = match &state.last {
            Some(last) => {
                let after = (Bound::Excluded(last), Bound::Unbounded);
                let up_to = (Bound::Unbounded, Bound::Included(last));
                let (after, up_to) = (split.range(after), split.range(up_to));
                after.chain(up_to).take(AT_ONCE).collect()
            }
            None => split.iter().take(AT_ONCE).collect(),
        };
        state.last = next.last().map(|(flag, _)| (*flag).clone());
        next
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn is_mismatch(
    entry: &CacheEntry,
    log: &dyn ExposureLog,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let plan = entry.plan();
    let exposures = exposures_by_group(log, plan.flag(), plan.created(), now).await?;
    let ratio = SampleRatio::of(plan, |group| {
        exposures.get(group).copied().unwrap_or_default()
    });
    Ok(ratio.is_some_and(|ratio| ratio.result == RatioResult::Mismatch))
}

impl Collector for SampleRatios {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let state = self.state();
        let one = ConstGauge::new(1_u64);
        let mut metric = encoder.encode_descriptor(
            "sample_ratio_mismatch",
            "1 for a flag whose answers of 24 hours are not split as its revision says, for at most 100 of them",
            None,
            one.metric_type(),
        )?;
        for (flag, revision) in state.mismatches.iter().take(NAMED) {
            let labels = [
                ("flag", flag.to_string()),
                ("revision", revision.to_string()),
            ];
            one.encode(metric.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use flag_model::{
        BucketScheme, FlagName, FlagType, FlagValue, FormatVersion, HashAlgorithm, Percent,
        ProjectName, Reason, Revision, RevisionParts, Treatment,
    };
    use flag_rollout::Plan;
    use flag_store::memory::MemoryLog;
    use flag_store::{CountKey, CountsWriterId, Minute, MinuteCounts};
    use tokio::time::Instant;

    use super::*;
    use crate::flags::test_settings;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    /// A flag whose revision of this time gives a treatment to a percentage.
    fn flag(name: &str, percent: &str, created: &str) -> Arc<CacheEntry> {
        let treatment = Treatment {
            name: None,
            value: FlagValue::Boolean(true),
            percent: Percent::parse(percent, FormatVersion::V1).unwrap(),
            overrides: Vec::new(),
            ranges: Vec::new(),
        };
        let parts = RevisionParts {
            flag: FlagKey {
                project: ProjectName::new("p").unwrap(),
                flag_type: FlagType::Feature,
                name: FlagName::new(name).unwrap(),
            },
            scheme: BucketScheme::v1(HashAlgorithm::Md5),
            control: FlagValue::Boolean(false),
            comment: "Test".to_owned(),
            owner: None,
            treatments: vec![treatment],
            rollback_of: None,
        };
        let plan = Plan::compile(Revision::new(at(created), parts).unwrap());
        let settings = test_settings();
        Arc::new(CacheEntry::new(
            plan,
            None,
            at(created),
            Instant::now(),
            &settings,
        ))
    }

    /// Counts exposures of a flag shortly before [`NOW`].
    async fn expose(log: &MemoryLog, entry: &CacheEntry, control: u64, treatment: u64) {
        let minute = Minute::of(at("2026-11-25 11:00:00"));
        let mut counts = MinuteCounts::new(entry.plan().flag().clone(), minute);
        let groups = [("control", control), ("treatment_1", treatment)];
        for (group, count) in groups {
            let counted = CountKey::Group {
                revision: Some(entry.plan().created()),
                rollout_group: group.to_owned(),
                reason: Some(Reason::Rollout),
            };
            counts.add(&counted, count);
        }
        let written = log.write_counts(CountsWriterId(7), &[counts]).await;
        written.unwrap();
    }

    const NOW: &str = "2026-11-25 12:00:00";
    const MADE: &str = "2026-11-22 12:00:00";

    fn exposed(sample_ratios: &SampleRatios) -> Vec<String> {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(sample_ratios.clone()));
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        let series = text.lines().filter(|line| !line.starts_with('#'));
        series.map(str::to_owned).collect()
    }

    #[tokio::test]
    async fn a_flag_that_is_not_split_as_configured_is_named_with_its_revision() {
        let (log, sample_ratios) = (MemoryLog::default(), SampleRatios::default());
        let flags = ["right", "wrong", "few", "none"].map(|name| flag(name, "50", MADE));
        expose(&log, &flags[0], 5_000, 5_000).await;
        expose(&log, &flags[1], 5_500, 4_500).await;
        expose(&log, &flags[2], 4, 0).await;
        sample_ratios.compare(flags.to_vec(), &log, at(NOW)).await;
        let series = r#"sample_ratio_mismatch{flag="p/feature/wrong",revision="2026-11-22 12:00:00.000000"} 1"#;
        assert_eq!(exposed(&sample_ratios), [series]);
    }

    #[tokio::test]
    async fn a_new_revision_and_a_flag_that_is_gone_are_no_mismatch() {
        let (log, sample_ratios) = (MemoryLog::default(), SampleRatios::default());
        let old = flag("f", "50", MADE);
        expose(&log, &old, 5_500, 4_500).await;
        sample_ratios
            .compare(vec![Arc::clone(&old)], &log, at(NOW))
            .await;
        assert_eq!(exposed(&sample_ratios).len(), 1);
        let new = flag("f", "45", "2026-11-25 11:30:00");
        sample_ratios.compare(vec![new], &log, at(NOW)).await;
        assert_eq!(exposed(&sample_ratios), [""; 0]);
        sample_ratios.compare(vec![old], &log, at(NOW)).await;
        assert_eq!(exposed(&sample_ratios).len(), 1);
        sample_ratios.compare(Vec::new(), &log, at(NOW)).await;
        assert_eq!(exposed(&sample_ratios), [""; 0]);
    }

    #[tokio::test]
    async fn many_flags_are_compared_one_part_after_the_other() {
        let (log, sample_ratios) = (MemoryLog::default(), SampleRatios::default());
        let names = (0..AT_ONCE + 20).map(|number| format!("f_{number:03}"));
        let flags: Vec<_> = names.map(|name| flag(&name, "50", MADE)).collect();
        for entry in &flags {
            expose(&log, entry, 5_500, 4_500).await;
        }
        for expected in [AT_ONCE, AT_ONCE + 20, AT_ONCE + 20] {
            sample_ratios.compare(flags.clone(), &log, at(NOW)).await;
            assert_eq!(exposed(&sample_ratios).len(), expected);
        }
    }
}

//! Compares the observed split of percentage rollouts with the configured one.

use flag_model::{Revision, Timestamp};
use flag_rollout::{Plan, RatioResult, SampleRatio};
use flag_store::{ExposureLog, FlagEntry, StoreError, exposures_by_group};

use crate::output::{Checks, Status};

/// The revisions in force.
pub(super) fn in_force(newest: &[FlagEntry]) -> Vec<Revision> {
    let revisions = newest.iter().filter_map(|entry| entry.revision.as_ref());
    revisions
        .filter_map(|row| row.as_ref().ok().cloned())
        .collect()
}

/// Adds the result for a revision, unless all instances have the same group, or there were too few answers to tell.
pub(super) async fn check(
    log: &dyn ExposureLog,
    revision: &Revision,
    now: Timestamp,
    checks: &mut Checks,
) -> Result<(), StoreError> {
    let plan = Plan::compile(revision.clone());
    if SampleRatio::of(&plan, |_| 0).is_none() {
        return Ok(());
    }
    let exposures = exposures_by_group(log, &revision.flag, revision.created(), now).await?;
    let of_group = |group: &str| exposures.get(group).copied().unwrap_or_default();
    if let Some(ratio) = SampleRatio::of(&plan, of_group) {
        note(revision, &ratio, exposures.values().sum(), checks);
    }
    Ok(())
}

fn note(revision: &Revision, ratio: &SampleRatio, answers: u64, checks: &mut Checks) {
    let check = format!("split of {}", revision.flag);
    match ratio.result {
        RatioResult::TooFew => {}
        RatioResult::Fits => {
            let found = format!(
                "{answers} answers of 24 h fit the percentages (p = {:.3})",
                ratio.p
            );
            checks.note(Status::Ok, check, found);
        }
        RatioResult::Mismatch => checks.note(Status::Warning, check, mismatch(ratio, answers)),
    }
}

/// The group that is farthest from its share comes first, as tables show the beginning only.
fn mismatch(ratio: &SampleRatio, answers: u64) -> String {
    let mut groups: Vec<_> = ratio.groups.iter().collect();
    groups.sort_by(|one, other| {
        let distance = |observed: f64, expected: f64| (observed - expected).abs();
        let [one, other] = [one, other].map(|of| distance(of.observed, of.expected));
        other.total_cmp(&one)
    });
    let groups = groups.iter().map(|of| {
        let [observed, expected] = [of.observed, of.expected].map(|share| 100.0 * share);
        format!("{} has {observed:.2} %, not {expected:.3} %", of.group)
    });
    let groups: Vec<_> = groups.collect();
    format!(
        "sample ratio mismatch: {} of {answers} answers in 24 h (p = {:.1e}); see \"Sample ratio mismatch\" in docs/operating.md",
        groups.join(", "),
        ratio.p
    )
}

#[cfg(test)]
mod tests {
    use flag_model::{
        BucketScheme, FlagValue, FormatVersion, HashAlgorithm, Percent, Reason, RevisionParts,
        Treatment,
    };
    use flag_store::memory::MemoryLog;
    use flag_store::{CountKey, CountsWriterId, Minute, MinuteCounts};

    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    /// A revision of noon that gives half of the instances a treatment.
    fn halves() -> Revision {
        let treatment = Treatment {
            name: None,
            value: FlagValue::Boolean(true),
            percent: Percent::parse("50", FormatVersion::V1).unwrap(),
            overrides: Vec::new(),
            ranges: Vec::new(),
        };
        let parts = RevisionParts {
            flag: "p/feature/f".parse().unwrap(),
            scheme: BucketScheme::v1(HashAlgorithm::Md5),
            control: FlagValue::Boolean(false),
            comment: "Test".to_owned(),
            owner: None,
            treatments: vec![treatment],
            rollback_of: None,
        };
        Revision::new(at("2026-11-22 12:00:00"), parts).unwrap()
    }

    /// What is found three days later of these answers: when, group, reason and number of each.
    async fn check(answers: &[(&str, &str, Reason, u64)], expected: &[(Status, &str)]) {
        let (log, revision) = (MemoryLog::default(), halves());
        for (replica, (time, group, reason, count)) in (0..).zip(answers) {
            let mut counts = MinuteCounts::new(revision.flag.clone(), Minute::of(at(time)));
            let count_key = CountKey::Group {
                revision: Some(revision.created()),
                rollout_group: (*group).to_owned(),
                reason: Some(*reason),
            };
            counts.add(&count_key, *count);
            let written = log.write_counts(CountsWriterId(replica), &[counts]).await;
            written.unwrap();
        }
        let mut checks = Checks::default();
        let now = at("2026-11-25 12:00:00");
        super::check(&log, &revision, now, &mut checks)
            .await
            .unwrap();
        let found = checks.checks.iter();
        let found: Vec<_> = found.map(|check| (check.status, &*check.found)).collect();
        assert_eq!(found, expected);
    }

    const RECENT: &str = "2026-11-25 10:00:00";
    const CONTROL: (&str, &str, Reason, u64) = (RECENT, "control", Reason::Control, 5_000);

    #[tokio::test]
    async fn a_split_that_fits_is_right() {
        let rollout = (RECENT, "treatment_1", Reason::Rollout, 5_000);
        let found = "10000 answers of 24 h fit the percentages (p = 1.000)";
        check(&[CONTROL, rollout], &[(Status::Ok, found)]).await;
    }

    #[tokio::test]
    async fn a_group_that_is_too_large_is_a_mismatch() {
        let rollout = (RECENT, "treatment_1", Reason::Rollout, 4_000);
        let found = "sample ratio mismatch: control has 55.56 %, not 50.000 %, treatment_1 has 44.44 %, not 50.000 % of 9000 answers in 24 h (p = 5.6e-26); see \"Sample ratio mismatch\" in docs/operating.md";
        check(&[CONTROL, rollout], &[(Status::Warning, found)]).await;
    }

    #[tokio::test]
    async fn overrides_delivered_lists_and_what_is_older_than_a_day_are_left_out() {
        let rollout = (RECENT, "treatment_1", Reason::Rollout, 5_000);
        let overridden = (RECENT, "treatment_1", Reason::Override, 9_000);
        let delivered = (RECENT, "treatment_1", Reason::Delivered, 9_000);
        let old = ("2026-11-24 11:59:00", "control", Reason::Control, 9_000);
        let found = "10000 answers of 24 h fit the percentages (p = 1.000)";
        check(
            &[CONTROL, rollout, overridden, delivered, old],
            &[(Status::Ok, found)],
        )
        .await;
    }

    #[tokio::test]
    async fn of_few_answers_nothing_is_said() {
        check(&[(RECENT, "control", Reason::Control, 9)], &[]).await;
        check(&[], &[]).await;
    }
}

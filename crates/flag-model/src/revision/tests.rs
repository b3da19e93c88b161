//! Facts about what can be a revision.

use super::*;
use crate::flag::FlagType;
use crate::hash_algorithm::HashAlgorithm;
use crate::name::{FlagName, InstanceId, ProjectName, Salt, TreatmentName};
use crate::percent::Percent;

const V1: BucketScheme = BucketScheme::v1(HashAlgorithm::Md5);

fn treatment(percent: u32, overrides: &[&str]) -> Treatment {
    let id = |&id: &&str| InstanceId::new(id.to_owned()).unwrap();
    Treatment {
        name: None,
        overrides: overrides.iter().map(id).collect(),
        percent: Percent::from_buckets(percent).unwrap(),
        value: FlagValue::Boolean(true),
        ranges: Vec::new(),
    }
}

fn named(name: &str) -> Treatment {
    Treatment {
        name: Some(TreatmentName::new(name).unwrap()),
        ..treatment(0, &[])
    }
}

fn with_ranges(ranges: &[(u32, u32)]) -> Treatment {
    let ranges: Vec<_> = ranges
        .iter()
        .map(|&(from, to)| BucketRange::new(from, to).unwrap())
        .collect();
    let percent = ranges.iter().map(|range| range.width()).sum();
    Treatment {
        ranges,
        ..treatment(percent, &[])
    }
}

fn v2() -> BucketScheme {
    BucketScheme::V2 {
        algorithm: HashAlgorithm::Md5,
        salt: Salt::new("s").unwrap(),
    }
}

fn parts(scheme: BucketScheme, treatments: Vec<Treatment>) -> RevisionParts {
    let project = ProjectName::new("p").unwrap();
    RevisionParts {
        flag: FlagKey {
            project,
            flag_type: FlagType::Feature,
            name: FlagName::new("f").unwrap(),
        },
        scheme,
        control: FlagValue::Boolean(false),
        treatments,
        comment: String::new(),
        owner: None,
        rollback_of: None,
    }
}

fn revision(parts: RevisionParts) -> Result<Revision, InvalidRevision> {
    Revision::new(Timestamp::parse("2024-09-25 18:50:00").unwrap(), parts)
}

#[track_caller]
fn check_valid(scheme: BucketScheme, treatments: Vec<Treatment>) {
    revision(parts(scheme, treatments)).unwrap();
}

#[track_caller]
fn check_refused(scheme: BucketScheme, treatments: Vec<Treatment>, message: &str) {
    assert_eq!(
        revision(parts(scheme, treatments)).unwrap_err().to_string(),
        message
    );
}

#[test]
fn percentages_may_add_up_to_a_hundred_and_no_more() {
    check_valid(V1, vec![treatment(60_000, &[]), treatment(40_000, &[])]);
    check_refused(
        V1,
        vec![treatment(60_000, &[]), treatment(41_000, &[])],
        "Rollout percentage: 101 is invalid. Value should be an integer in range [0, 100]. 101 is the total of all treatments.",
    );
    check_refused(
        v2(),
        vec![treatment(60_000, &[]), treatment(40_001, &[])],
        "Rollout percentage: 100.001 is invalid. Value should be a number in range [0, 100] with at most three decimals. 100.001 is the total of all treatments.",
    );
}

#[test]
fn control_has_what_no_treatment_owns() {
    let control = |treatments| parts(v2(), treatments).control_percent().to_string();
    assert_eq!(control(vec![]), "100");
    assert_eq!(
        control(vec![treatment(500, &["A"]), treatment(0, &["B"])]),
        "99.5"
    );
    assert_eq!(
        control(vec![treatment(60_000, &[]), treatment(40_000, &[])]),
        "0"
    );
    assert_eq!(
        control(vec![treatment(60_000, &[]), treatment(41_000, &[])]),
        "0"
    );
}

#[test]
fn version_1_has_whole_percentages_and_neither_names_nor_ranges() {
    check_refused(
        V1,
        vec![treatment(500, &[])],
        "Rollout percentage: 0.5 is invalid. Value should be an integer in range [0, 100].",
    );
    check_refused(
        V1,
        vec![named("blue")],
        "Treatments[0].Name: found \"blue\", expected no name in FormatVersion 1",
    );
    check_refused(
        V1,
        vec![with_ranges(&[(0, 1_000)])],
        "Treatments[0].Ranges: found [0, 1000), expected no ranges in FormatVersion 1",
    );
}

#[test]
fn an_id_stands_in_one_override_list_once() {
    check_valid(V1, vec![treatment(0, &["a", "A"]), treatment(0, &["b"])]);
    let message = |at| {
        format!(
            "Treatments[{at}].OverrideList: found \"a\" once more, expected each instance id in one place"
        )
    };
    check_refused(
        V1,
        vec![treatment(0, &["a"]), treatment(0, &["b", "a"])],
        &message(1),
    );
    check_refused(V1, vec![treatment(0, &["a", "a"])], &message(0));
}

#[test]
fn in_stored_override_lists_the_first_one_counts() {
    let lists: [&[&str]; 3] = [&["a", "b", "a"], &["c"], &["b", "d", "a", "c"]];
    let lists = lists.map(|list| treatment(0, list)).to_vec();
    let (revision, repeated) =
        Revision::from_stored(Timestamp::UNIX_EPOCH, parts(V1, lists)).unwrap();
    let expected: [&[&str]; 3] = [&["a", "b"], &["c"], &["d"]];
    assert_eq!(revision.treatments, expected.map(|list| treatment(0, list)));
    let repeated = repeated
        .iter()
        .map(|id| (id.treatment, id.instance.as_str()));
    assert_eq!(
        repeated.collect::<Vec<_>>(),
        [(0, "a"), (2, "b"), (2, "a"), (2, "c")]
    );
}

#[test]
fn only_hash_algorithm_and_salt_place_an_instance() {
    let stored = |algorithm| BucketScheme::V1 {
        algorithm,
        source: AlgorithmSource::Row,
    };
    let (md5, sha1) = (HashAlgorithm::Md5, HashAlgorithm::Sha1);
    assert!(
        V1.assigns_equal_buckets(&stored(md5))
            && stored(sha1).assigns_equal_buckets(&BucketScheme::v1(sha1))
    );
    for (one, other) in [(V1, stored(sha1)), (V1, v2())] {
        assert!(!one.assigns_equal_buckets(&other), "{one:?} {other:?}");
    }
}

#[test]
fn values_are_of_the_flags_type() {
    let text = || FlagValue::text("on").unwrap();
    let control = RevisionParts {
        control: text(),
        ..parts(V1, vec![])
    };
    let message = revision(control).unwrap_err().to_string();
    assert_eq!(
        message,
        "ControlValue: found the text \"on\", expected a value of a feature flag"
    );
    let treatments = vec![
        treatment(0, &[]),
        Treatment {
            value: text(),
            ..treatment(0, &[])
        },
    ];
    check_refused(
        V1,
        treatments,
        "Treatments[1].Value: found the text \"on\", expected a value of a feature flag",
    );
}

#[test]
fn rollout_groups_are_distinct() {
    check_valid(
        v2(),
        vec![named("blue"), treatment(0, &[]), named("treatment_1")],
    );
    let message = |at, name| {
        format!(
            "Treatments[{at}].Name: found \"{name}\", expected a name that no other rollout group has"
        )
    };
    check_refused(
        v2(),
        vec![named("blue"), named("blue")],
        &message(1, "blue"),
    );
    check_refused(v2(), vec![named("control")], &message(0, "control"));
    check_refused(
        v2(),
        vec![named("treatment_2"), treatment(0, &[])],
        &message(1, "treatment_2"),
    );
}

#[test]
fn ranges_add_up_to_the_percentage() {
    check_valid(
        v2(),
        vec![
            with_ranges(&[(5, 10), (0, 5)]),
            with_ranges(&[(10, 100_000)]),
        ],
    );
    let short = Treatment {
        percent: Percent::from_buckets(11).unwrap(),
        ..with_ranges(&[(0, 10)])
    };
    check_refused(
        v2(),
        vec![short],
        "Treatments[0].Ranges: found 10 buckets, expected 11 buckets for 0.011 %",
    );
}

#[test]
fn ranges_share_no_bucket() {
    check_refused(
        v2(),
        vec![with_ranges(&[(0, 10)]), with_ranges(&[(20, 30), (9, 11)])],
        "Treatments[1].Ranges: found [9, 11) beside [0, 10), expected ranges that share no bucket",
    );
    check_refused(
        v2(),
        vec![with_ranges(&[(0, 10), (3, 4)])],
        "Treatments[0].Ranges: found [3, 4) beside [0, 10), expected ranges that share no bucket",
    );
}

#[test]
fn a_format_version_is_1_or_2() {
    for (text, version) in [("1", FormatVersion::V1), ("2", FormatVersion::V2)] {
        assert_eq!(FormatVersion::parse(text), Ok(version));
        assert_eq!(version.to_string(), text);
    }
    let message = FormatVersion::parse("9").unwrap_err().to_string();
    assert_eq!(message, "FormatVersion: found \"9\", expected 1 or 2");
}

#[test]
fn groups_are_names_or_positions() {
    let revision =
        super::tests::revision(parts(v2(), vec![treatment(0, &[]), named("blue")])).unwrap();
    assert_eq!(
        (revision.group(0), revision.group(1)),
        ("treatment_1".to_owned(), "blue".to_owned())
    );
}

#[test]
fn a_revision_has_the_parts_that_it_was_made_of() {
    let parts = parts(v2(), vec![with_ranges(&[(5, 10)])]);
    let revision = revision(parts.clone()).unwrap();
    assert_eq!(revision.created().to_string(), "2024-09-25 18:50:00.000000");
    assert_eq!(revision.scheme.version(), FormatVersion::V2);
    assert_eq!(*revision, parts);
    assert_eq!(revision.into_parts(), parts);
}

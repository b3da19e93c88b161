//! Facts about planning.

use flag_model::{
    BucketRange, BucketScheme, FlagName, FlagValue, HashAlgorithm, InstanceId, MetadataParts,
    Percent, Revision, RevisionParts, Salt, Timestamp, Treatment, TreatmentName,
};
use flag_rollout::{Risk, reweight};
use flag_store::{Base, UnreadableRow};

use super::*;
use crate::flag_file::{Written, read};

const V1: BucketScheme = BucketScheme::v1(HashAlgorithm::Md5);

fn key() -> FlagKey {
    "p/feature/f".parse().unwrap()
}

fn version_2() -> BucketScheme {
    BucketScheme::V2 {
        algorithm: HashAlgorithm::Md5,
        salt: Salt::new("f").unwrap(),
    }
}

fn treatment(name: Option<&str>, buckets: u32, ranges: &[[u32; 2]]) -> Treatment {
    let ranges = ranges.iter();
    Treatment {
        name: name.map(|name| TreatmentName::new(name).unwrap()),
        overrides: Vec::new(),
        percent: Percent::from_buckets(buckets).unwrap(),
        value: FlagValue::Boolean(true),
        ranges: ranges
            .map(|[from, to]| BucketRange::new(*from, *to).unwrap())
            .collect(),
    }
}

fn revision(scheme: BucketScheme, treatments: Vec<Treatment>) -> Revision {
    let parts = RevisionParts {
        flag: key(),
        scheme,
        control: FlagValue::Boolean(false),
        treatments,
        comment: "before".to_owned(),
        owner: None,
        rollback_of: None,
    };
    Revision::new(Timestamp::UNIX_EPOCH, parts).unwrap()
}

fn metadata() -> Metadata {
    let parts = MetadataParts {
        flag: key(),
        description: "x".to_owned(),
        owner: None,
        edited_by: None,
        ticket: None,
        tags: Vec::new(),
        expires_on: None,
    };
    Metadata::new(Timestamp::UNIX_EPOCH, parts).unwrap()
}

fn stored(revision: Option<Revision>) -> Vec<FlagEntry> {
    let entry = |revision| FlagEntry {
        flag: key(),
        metadata: None,
        revision: Some(Ok(revision)),
    };
    revision.map(entry).into_iter().collect()
}

fn defaults() -> Defaults {
    Defaults {
        comment: "why".to_owned(),
        owner: None,
        v1: HashAlgorithm::Md5,
        names: NewName::SnakeCase,
        on_conflict: OnConflict::Refuse,
        today: None,
    }
}

/// What a file plans whose one flag has these lines in its revision.
fn planned(lines: &str, stored: Vec<FlagEntry>) -> Result<ApplyPlan, String> {
    let lines = lines.replace('\n', "\n    ");
    let file = format!(
        "file_version: 1\nproject: p\nflags:\n- flag_type: feature\n  name: f\n  metadata: {{description: x}}\n  revision:\n    control: false\n    {lines}"
    );
    plan(
        read(&file).unwrap(),
        stored,
        &OlderRows::default(),
        &defaults(),
    )
    .map_err(|mistakes| mistakes.to_string())
}

/// The revision that is planned, if there is one.
fn next(lines: &str, newest: Option<Revision>) -> Option<RevisionParts> {
    let plan = planned(lines, stored(newest)).unwrap();
    let flag = plan.flags.into_iter().next()?;
    Some(flag.revision?.parts)
}

/// The ranges of each treatment that is planned, without the spaces.
fn ranges(lines: &str, newest: Option<Revision>) -> Vec<String> {
    let parts = next(lines, newest).unwrap();
    let ranges = |treatment: &Treatment| {
        let ranges = treatment.ranges.iter().map(ToString::to_string);
        ranges.collect::<Vec<_>>().join(" ")
    };
    parts.treatments.iter().map(ranges).collect()
}

#[track_caller]
fn check_refused(lines: &str, newest: Option<Revision>, message: &str) {
    let refused = planned(lines, stored(newest)).map(|_| ()).unwrap_err();
    assert_eq!(refused, format!("line 4, column 3: p/feature/f: {message}"));
}

const TWO: &str = "\
treatments:
- {name: a, percent: 10, value: true, overrides: [x, y]}
- {name: b, percent: 5, value: true}";

fn two() -> Revision {
    let mut first = treatment(Some("a"), 10_000, &[[0, 8_000], [20_000, 22_000]]);
    first.overrides = ["y", "x"].map(|id| InstanceId::new(id).unwrap()).to_vec();
    revision(
        version_2(),
        vec![first, treatment(Some("b"), 5_000, &[[8_000, 13_000]])],
    )
}

#[test]
fn a_file_that_says_what_is_there_changes_nothing() {
    assert!(next(TWO, Some(two())).is_none());
    let told = format!("{TWO}\nformat_version: 2\nhash_algorithm: md5\nsalt: f");
    assert!(next(&told, Some(two())).is_none());
}

#[test]
fn what_is_planned_stands_on_what_was_read() {
    let plan = planned("", stored(Some(two()))).unwrap();
    let revision = plan.flags[0].revision.as_ref().unwrap();
    assert_eq!(revision.base, Base::Row(Timestamp::UNIX_EPOCH));
    assert_eq!(revision.parts.comment, "why");
    let plan = planned("", Vec::new()).unwrap();
    assert_eq!(plan.flags[0].revision.as_ref().unwrap().base, Base::Nothing);
}

#[test]
fn treatments_keep_the_buckets_that_they_have() {
    let more = TWO.replace("10", "11");
    let expected = ["[0, 8000) [13000, 14000) [20000, 22000)", "[8000, 13000)"];
    assert_eq!(ranges(&more, Some(two())), expected);
    let told = more.replace("name: a,", "name: a, ranges: [[50000, 51000]],");
    assert_eq!(ranges(&told, Some(two())), expected);
    let swapped =
        "treatments:\n- {name: b, percent: 5, value: true}\n- {name: a, percent: 10, value: true}";
    let expected = ["[8000, 13000)", "[0, 8000) [20000, 22000)"];
    assert_eq!(ranges(swapped, Some(two())), expected);
}

#[test]
fn a_treatment_that_is_renamed_keeps_its_buckets() {
    let renamed = TWO.replace("name: b", "name: c");
    let expected = ["[0, 8000) [20000, 22000)", "[8000, 13000)"];
    assert_eq!(ranges(&renamed, Some(two())), expected);
}

#[test]
fn a_treatment_that_is_left_out_gives_its_buckets_back() {
    let one = "treatments:\n- {name: b, percent: 5, value: true}";
    assert_eq!(ranges(one, Some(two())), ["[8000, 13000)"]);
}

#[test]
fn ranges_in_the_file_count_where_there_are_none() {
    let lines = "treatments:\n- {percent: 3, value: true, ranges: [[7000, 8000], [9000, 10000]]}";
    assert_eq!(
        ranges(lines, None),
        ["[0, 1000) [7000, 8000) [9000, 10000)"]
    );
    let other = revision(V1, Vec::new());
    let lines = format!("format_version: 2\n{lines}");
    let plan = planned(&lines, stored(Some(other))).unwrap();
    assert_eq!(plan.changes()[1].risks, [Risk::Resalt]);
    let overlap = "treatments:\n- {percent: 1, value: true, ranges: [[0, 1000]]}\n\
                   - {percent: 1, value: true, ranges: [[0, 1000]]}";
    let found = "Treatments[1].Ranges: found [0, 1000) beside [0, 1000), expected ranges that share no bucket";
    check_refused(overlap, None, found);
}

#[test]
fn a_flag_keeps_its_version_unless_the_file_says_another() {
    let of_version_1 = || Some(revision(V1, Vec::new()));
    let lines = "treatments:\n- {percent: 40, value: true}";
    assert_eq!(next(lines, of_version_1()).unwrap().scheme, V1);
    assert_eq!(next(lines, None).unwrap().scheme, version_2());
    let back = "format_version: found 1, but the flag has 2, and cannot go back to 1";
    check_refused("format_version: 1", Some(two()), back);
    let salt = "salt needs format_version 2";
    check_refused("salt: x", of_version_1(), salt);
    let percent =
        "Rollout percentage: 12.5 is invalid. Value should be an integer in range [0, 100].";
    check_refused(
        "treatments:\n- {percent: 12.5, value: true}",
        of_version_1(),
        percent,
    );
    let name = "Treatments[0].Name: found \"a\", expected no name in FormatVersion 1";
    check_refused(
        "treatments:\n- {name: a, percent: 1, value: true}",
        of_version_1(),
        name,
    );
    let ranges = "treatments:\n- {percent: 1, value: true, ranges: [[0, 1000]]}";
    check_refused(ranges, of_version_1(), "ranges need format_version 2");
}

#[test]
fn flags_that_the_file_does_not_name_are_left_alone() {
    let mut other = stored(Some(two())).remove(0);
    other.flag.name = FlagName::new("g").unwrap();
    let left = other.flag.clone();
    let plan = planned("", vec![other]).unwrap();
    assert_eq!(plan.not_in_file, [left]);
    let nothing = "file_version: 1\nproject: p\nflags:\n- {flag_type: feature, name: f}";
    let defaults = defaults();
    let plan = super::plan(
        read(nothing).unwrap(),
        stored(Some(two())),
        &OlderRows::default(),
        &defaults,
    )
    .unwrap();
    assert_eq!((plan.flags.len(), plan.unchanged), (0, 1));
}

#[test]
fn a_revision_that_cannot_be_read_is_replaced_and_nothing_of_it_is_kept() {
    let mut entries = stored(Some(two()));
    let key = "PROJECT#p#ROWTYPE#REVISION#FLAGTYPE#feature#FLAGNAME#f#TIME#2026-01-01 00:00:00";
    entries[0].revision = Some(Err(UnreadableRow::Percent {
        problem: Percent::parse("x", flag_model::FormatVersion::V1).unwrap_err(),
        key: key.to_owned(),
    }));
    let refused = planned("", entries.clone()).map(|_| ()).unwrap_err();
    assert!(
        refused.contains("p/feature/f: format_version: found none, expected one"),
        "{refused}"
    );
    let plan = planned("format_version: 1", entries).unwrap();
    let revision = plan.flags[0].revision.as_ref().unwrap();
    let made = Timestamp::parse("2026-01-01 00:00:00").unwrap();
    assert_eq!(revision.base, Base::Row(made));
    assert_eq!(revision.change.risks, [Risk::Unreadable]);
}

#[test]
fn a_new_flag_is_named_as_by_add_and_one_that_is_there_keeps_its_name() {
    for (name, says) in [
        (
            "My-Flag",
            "snake_case: a lower-case letter, then lower-case letters, digits or '_'; --any-name takes",
        ),
        (
            "my flag",
            "snake_case: a lower-case letter, then lower-case letters, digits or '_'",
        ),
    ] {
        let file = || {
            let text = format!(
                "file_version: 1\nproject: p\nflags:\n- {{flag_type: feature, name: {name}, metadata: {{description: x}}}}"
            );
            read(&text).unwrap()
        };
        let mut defaults = defaults();
        let refused = super::plan(file(), Vec::new(), &OlderRows::default(), &defaults)
            .map(|_| ())
            .unwrap_err();
        assert!(refused.to_string().contains(says), "{refused}");
        defaults.names = NewName::Any;
        let any = super::plan(file(), Vec::new(), &OlderRows::default(), &defaults);
        assert_eq!(any.is_ok(), name == "My-Flag");
        let mut there = stored(Some(two()));
        there[0].flag.name = FlagName::new(name).unwrap();
        defaults.names = NewName::SnakeCase;
        assert!(super::plan(file(), there, &OlderRows::default(), &defaults).is_ok());
    }
}

/// Twenty flags with as many histories, each exported and applied where there is nothing.
#[test]
fn what_is_exported_and_applied_elsewhere_decides_alike() {
    let mut random = 1_u32;
    for _ in 0..20 {
        let mut ranges = vec![Vec::new(); 3];
        let mut percents = Vec::new();
        for _ in 0..5 {
            percents = (0..3)
                .map(|_| {
                    random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    Percent::from_buckets((random >> 8) % 33_000).unwrap()
                })
                .collect();
            let shares: Vec<(&[BucketRange], Percent)> = ranges
                .iter()
                .map(Vec::as_slice)
                .zip(percents.iter().copied())
                .collect();
            ranges = reweight(&shares);
        }
        let treatments = ranges
            .into_iter()
            .zip(percents)
            .map(|(ranges, percent)| Treatment {
                ranges,
                ..treatment(None, percent.buckets(), &[])
            });
        let newest = revision(version_2(), treatments.collect());
        let mut entries = stored(Some(newest.clone()));
        entries[0].metadata = Some(Ok(metadata()));
        let written = Written::new(&key().project, &entries);
        for text in [
            serde_json::to_string(&written).unwrap(),
            serde_saphyr::to_string(&written).unwrap(),
        ] {
            let defaults = defaults();
            let plan = plan(
                read(&text).unwrap(),
                Vec::new(),
                &OlderRows::default(),
                &defaults,
            )
            .unwrap();
            let revision = plan.flags[0].revision.as_ref().unwrap();
            assert_eq!(revision.parts.treatments, newest.treatments);
            assert_eq!(revision.parts.scheme, newest.scheme);
        }
    }
}

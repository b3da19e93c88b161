//! Facts about what options mean, told as sequences of revisions.

use std::ffi::OsString;

use flag_model::{BucketScheme, FlagType, FormatVersion, HashAlgorithm, InstanceId, Timestamp};

use super::*;
use crate::args::{TreatmentArgs, revise_args};

const V1: BucketScheme = BucketScheme::v1(HashAlgorithm::Md5);

fn key(flag_type: FlagType) -> FlagKey {
    format!("p/{flag_type}/f").parse().unwrap()
}

/// What the last of these sequences of options makes of the revisions that the others made; the only call to `next_revision`.
fn next_if_changed(
    flag_type: FlagType,
    revisions: &[&str],
) -> Result<Option<RevisionParts>, ArgumentError> {
    let mut newest: Option<Revision> = None;
    let mut next = None;
    for options in revisions {
        if let Some(parts) = next.take() {
            newest = Some(Revision::new(Timestamp::UNIX_EPOCH, parts).unwrap());
        }
        let options: Vec<&str> = options.split_whitespace().collect();
        let args = revise_args(&options);
        let flag = key(flag_type);
        let variables = vec![("USER".into(), "ann".into())];
        next = next_revision(
            &flag,
            newest.as_ref(),
            newest.as_ref().map(|newest| &newest.scheme),
            &args,
            HashAlgorithm::Md5,
            &variables,
        )?;
    }
    Ok(next)
}

fn next(flag_type: FlagType, revisions: &[&str]) -> Result<RevisionParts, ArgumentError> {
    next_if_changed(flag_type, revisions).map(Option::unwrap)
}

fn feature(revisions: &[&str]) -> RevisionParts {
    next(FlagType::Feature, revisions).unwrap()
}

/// Each treatment: its percentage, its value, its override list, and the ranges that it owns.
#[track_caller]
fn check(revisions: &[&str], expected: &[&str]) {
    let parts = feature(revisions);
    let treatments: Vec<String> = parts
        .treatments
        .iter()
        .map(|treatment| {
            let overrides: Vec<&str> = treatment.overrides.iter().map(InstanceId::as_str).collect();
            let ranges: Vec<String> = treatment.ranges.iter().map(ToString::to_string).collect();
            let name = treatment.name.as_ref().map_or("-", |name| name.as_str());
            let (percent, value) = (treatment.percent, &treatment.value);
            format!(
                "{name} {percent} {value} [{}] {}",
                overrides.join(" "),
                ranges.join(" ")
            )
        })
        .collect();
    let treatments: Vec<&str> = treatments.iter().map(|text| text.trim_end()).collect();
    assert_eq!(treatments, expected);
}

#[track_caller]
fn check_refused(revisions: &[&str], message: &str) {
    let error = next(FlagType::Feature, revisions).unwrap_err();
    assert_eq!(error.to_string(), message);
}

fn v2(algorithm: HashAlgorithm, salt: &str) -> BucketScheme {
    let salt = flag_model::Salt::new(salt).unwrap();
    BucketScheme::V2 { algorithm, salt }
}

const OFF: &str = "--control false";
const OFF_V1: &str = "--control false --format-version 1";
const TWO: &[&str] = &[
    OFF,
    "--percent 10",
    "--treatment new --percent 20 --treatment-name blue",
];

#[test]
fn a_first_revision_has_version_2_and_the_name_as_its_salt() {
    let parts = feature(&[OFF]);
    assert_eq!(parts.scheme, v2(HashAlgorithm::Md5, "f"));
    assert_eq!(parts.control, FlagValue::Boolean(false));
    assert_eq!(parts.comment, "why");
    let owner = parts.owner.as_ref().map(OwnerId::as_str);
    assert_eq!((parts.treatments.len(), owner), (0, Some("ann")));
}

#[test]
fn a_first_revision_may_have_version_1_or_another_algorithm() {
    assert_eq!(feature(&[OFF_V1]).scheme, V1);
    let sha256 = feature(&["--control false --algorithm sha256"]).scheme;
    assert_eq!(sha256, v2(HashAlgorithm::Sha256, "f"));
}

#[test]
fn a_first_revision_needs_a_control_value() {
    check_refused(
        &["--percent 40"],
        "--control is required: p/feature/f has no revision yet whose control value could be kept",
    );
}

#[test]
fn a_first_treatment_has_the_opposite_of_the_control() {
    check(
        &["--control false --percent 40"],
        &["- 40 true [] [0, 40000)"],
    );
    check(&["--control true --override A"], &["- 0 false [A]"]);
}

#[test]
fn a_treatment_of_a_data_flag_needs_a_value() {
    let error = next(FlagType::Data, &["--control a --percent 40"]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "--value is required: a new treatment of a data flag has none"
    );
    let parts = next(FlagType::Data, &["--control a --percent 40 --value b"]).unwrap();
    assert_eq!(parts.treatments[0].value, FlagValue::Text("b".into()));
}

#[test]
fn what_is_not_said_stays_as_it_is() {
    let with_all = "--control false --percent 12.5 --override A --override B --treatment-name blue";
    check(
        &[with_all, "--control true"],
        &["blue 12.5 true [A B] [0, 12500)"],
    );
    assert_eq!(
        feature(&[with_all, "--percent 1"]).control,
        FlagValue::Boolean(false)
    );
}

#[test]
fn a_percentage_moves_as_few_as_possible() {
    check(
        &[TWO, &["--treatment 1 --percent 15"]].concat(),
        &[
            "- 15 true [] [0, 10000) [30000, 35000)",
            "blue 20 true [] [10000, 30000)",
        ],
    );
    check(
        &[
            TWO,
            &["--treatment 1 --percent 15", "--treatment 1 --percent 4"],
        ]
        .concat(),
        &["- 4 true [] [0, 4000)", "blue 20 true [] [10000, 30000)"],
    );
}

#[test]
fn a_removed_treatment_gives_its_buckets_back() {
    check(
        &[TWO, &["--treatment 1 --remove-treatment"]].concat(),
        &["blue 20 true [] [10000, 30000)"],
    );
    check(
        &[TWO, &["--treatment 1 --remove-treatment", "--percent 25"]].concat(),
        &["blue 25 true [] [0, 5000) [10000, 30000)"],
    );
}

#[test]
fn a_treatment_is_selected_by_position_or_by_its_group() {
    let expected = ["- 10 true [] [0, 10000)", "blue 30 true [] [10000, 40000)"];
    for selector in ["2", "blue"] {
        let change = format!("--treatment {selector} --percent 30");
        check(&[TWO, &[change.as_str()]].concat(), &expected);
    }
    check(
        &[TWO, &["--treatment treatment_1 --percent 0"]].concat(),
        &["- 0 true []", "blue 20 true [] [10000, 30000)"],
    );
}

#[test]
fn one_of_several_treatments_must_be_selected() {
    check_refused(
        &[TWO, &["--percent 1"]].concat(),
        "--treatment is required: use '#1' (or name:treatment_1), '#2' (or name:blue), or '#new' for another one",
    );
    check_refused(
        &[TWO, &["--treatment green --percent 1"]].concat(),
        "--treatment: found \"green\", but there is no such treatment; use '#1' (or name:treatment_1), '#2' (or name:blue), or '#new' for another one",
    );
    for selector in ["0", "3"] {
        let change = format!("--treatment {selector} --percent 1");
        assert!(next(FlagType::Feature, &[TWO, &[change.as_str()]].concat()).is_err());
    }
    check_refused(
        &[OFF, "--treatment 1 --percent 1"],
        "--treatment: found \"1\", expected new, as the flag has no treatment",
    );
}

const MISNAMED: &[&str] = &[
    OFF,
    "--percent 10 --treatment-name 2",
    "--treatment new --percent 10 --treatment-name 1",
    "--treatment new --percent 10 --treatment-name new",
];

#[test]
fn a_selector_that_fits_two_treatments_is_refused() {
    for (selector, exact) in [
        ("2", "'#1' for \"2\" or '#2' for \"1\""),
        ("1", "'#1' for \"2\" or '#2' for \"1\""),
        ("new", "'#3' for \"new\" or '#new' for another one"),
    ] {
        let change = format!("--treatment {selector} --percent 30");
        check_refused(
            &[MISNAMED, &[change.as_str()]].concat(),
            &format!("--treatment: \"{selector}\" matches several treatments; use {exact}"),
        );
    }
}

#[test]
fn a_selector_can_be_exact() {
    let percents = |selector: &str| -> Vec<u32> {
        let change = format!("--treatment {selector} --percent 30");
        let parts = feature(&[MISNAMED, &[change.as_str()]].concat());
        let percents = parts.treatments.iter();
        percents
            .map(|treatment| treatment.percent.buckets() / 1_000)
            .collect()
    };
    for (selector, expected) in [
        ("#1", [30, 10, 10].as_slice()),
        ("name:1", &[10, 30, 10]),
        ("#2", &[10, 30, 10]),
        ("name:2", &[30, 10, 10]),
        ("3", &[10, 10, 30]),
        ("name:new", &[10, 10, 30]),
        ("#new", &[10, 10, 10, 30]),
    ] {
        assert_eq!(percents(selector), expected, "{selector}");
    }
    for unknown in ["#0", "#4", "name:3", "#"] {
        let change = format!("--treatment {unknown} --percent 30");
        assert!(next(FlagType::Feature, &[MISNAMED, &[change.as_str()]].concat()).is_err());
    }
}

#[test]
fn many_ids_in_one_option_are_refused() {
    check_refused(
        &[OFF, "--override A,-B,"],
        "--override: found \"A,-B,\", which would be one id with a comma in it; use `--override A --override=-B`; \
         to add an id that is really spelled like this, use `flagctl apply`",
    );
    check_refused(
        &[OFF, "--override @ids.txt"],
        "--override: found \"@ids.txt\", which is one id; use `--overrides-file ids.txt` for a file of ids; \
         to add an id that is really spelled like this, use `flagctl apply`",
    );
    assert_eq!(tag("a b").unwrap(), "a b");
    assert_eq!(
        tag("a,b").unwrap_err().to_string(),
        "--tag: found \"a,b\", which would be one tag with a comma in it; use `--tag a --tag b`"
    );
}

#[test]
fn a_day_that_has_passed_is_refused() {
    let [past, today, future] =
        ["2026-01-31", "2026-02-01", "2026-02-02"].map(|day| Date::parse(day).ok());
    assert!(not_past("day", past, today).is_err());
    for fine in [today, future, None] {
        assert!(not_past("day", fine, today).is_ok());
    }
}

#[test]
fn a_selected_treatment_must_be_changed() {
    check_refused(
        &[TWO, &["--treatment 2"]].concat(),
        "--treatment 2: give an option that changes it",
    );
}

#[test]
fn there_must_be_a_treatment_to_remove() {
    for selector in ["", "--treatment new"] {
        let change = format!("--remove-treatment {selector}");
        check_refused(
            &[OFF, &change],
            "--remove-treatment: there is no treatment to remove",
        );
    }
}

#[test]
fn overrides_are_added_and_removed() {
    let first = "--control false --override A --override B";
    check(
        &[first, "--override C --remove-override A"],
        &["- 0 true [B C]"],
    );
    check_refused(
        &[first, "--override A"],
        "--override: \"A\" is in the override list already",
    );
    check_refused(
        &[first, "--remove-override C"],
        "--remove-override: \"C\" is not in the override list",
    );
}

/// Time grows with the number of ids, not with its square: quadratic work on 100,000 ids takes minutes.
#[test]
fn a_hundred_thousand_overrides_are_added_and_removed() {
    let ids: Vec<String> = (0..100_000).map(|number| format!("id-{number}")).collect();
    let args = TreatmentArgs {
        overrides: ids.clone(),
        removed_overrides: ids[1..].to_vec(),
        ..TreatmentArgs::default()
    };
    let rules = treatments::TreatmentRules {
        control: &FlagValue::Boolean(false),
        version: FormatVersion::V2,
        is_first: true,
    };
    let edited = treatments::edit(None, &args, &rules).unwrap();
    assert_eq!(edited[0].overrides, [InstanceId::new("id-0").unwrap()]);
}

#[test]
fn an_override_moves_from_one_treatment_to_another_in_one_revision() {
    let revisions = &[
        OFF,
        "--override A --override B",
        "--treatment new --override A",
    ];
    check(revisions, &["- 0 true [B]", "- 0 true [A]"]);
}

#[test]
fn a_total_above_a_hundred_is_refused() {
    let revisions = &[OFF, "--percent 60", "--treatment new --percent 41"];
    let refused = Revision::new(Timestamp::UNIX_EPOCH, feature(revisions)).unwrap_err();
    assert!(
        refused
            .to_string()
            .starts_with("Rollout percentage: 101 is invalid.")
    );
}

#[test]
fn a_revision_that_changes_nothing_is_none() {
    for change in ["", "--owner ann", "--control false", "--format-version 2"] {
        assert_eq!(next_if_changed(FlagType::Feature, &[OFF, change]), Ok(None));
    }
    let same = [OFF, "--percent 40", "--percent 40.000"];
    assert_eq!(next_if_changed(FlagType::Feature, &same), Ok(None));
}

#[test]
fn version_1_stays_version_1() {
    let revisions = &[OFF_V1, "--percent 40", "--treatment new --percent 3.0"];
    assert_eq!(feature(revisions).scheme, V1);
    check(revisions, &["- 40 true []", "- 3 true []"]);
}

#[test]
fn what_needs_version_2_is_refused_in_version_1() {
    let keeps = "needs FormatVersion 2, but the flag has version 1 and keeps it, and with it everybody's bucket; \
                 --resalt moves it to version 2 and gives everybody a new bucket";
    for option in [
        "--percent 12.5",
        "--treatment-name blue",
        "--format-version 2",
    ] {
        check_refused(&[OFF_V1, option], &format!("{option} {keeps}"));
    }
    check_refused(
        &["--control false --format-version 1 --percent 12.5"],
        "--percent 12.5 needs FormatVersion 2, but --format-version 1 was asked for",
    );
}

#[test]
fn a_resalt_moves_version_1_to_version_2() {
    let revisions = &[OFF_V1, "--percent 40", "--resalt --percent 12.5"];
    assert_eq!(feature(revisions).scheme, v2(HashAlgorithm::Md5, "f"));
    check(revisions, &["- 12.5 true [] [0, 12500)"]);
    let named = feature(&[OFF_V1, "--resalt other --algorithm sha1"]).scheme;
    assert_eq!(named, v2(HashAlgorithm::Sha1, "other"));
}

#[test]
fn a_resalt_deals_buckets_anew() {
    let revisions = [TWO, &["--treatment 1 --percent 15", "--resalt f.2"]].concat();
    assert_eq!(feature(&revisions).scheme, v2(HashAlgorithm::Md5, "f.2"));
    check(
        &revisions,
        &["- 15 true [] [0, 15000)", "blue 20 true [] [15000, 35000)"],
    );
}

#[test]
fn a_resalt_in_version_2_needs_another_salt() {
    for resalt in ["--resalt", "--resalt f"] {
        check_refused(
            &[OFF, resalt],
            "--resalt: the flag has the salt f; give another one, for instance --resalt f.2",
        );
    }
    let message = next(FlagType::Feature, &[OFF, "--resalt f.2", "--resalt"]).unwrap_err();
    assert!(message.to_string().ends_with("--resalt f.3"), "{message}");
}

#[test]
fn an_algorithm_is_carried_forward_and_changes_with_a_resalt_alone() {
    let first = "--control false --algorithm sha1";
    let kept = feature(&[first, "--resalt f.2"]).scheme;
    assert_eq!(kept, v2(HashAlgorithm::Sha1, "f.2"));
    check_refused(
        &[first, "--algorithm sha256"],
        "--algorithm gives everybody a new bucket, which --resalt must confirm",
    );
    check_refused(
        &["--control false --algorithm md4"],
        "Hashing algorithm: md4 is invalid. Value should be one of md5, sha1, sha224, sha256, sha384, sha512, \
         sha3_224, sha3_256, sha3_384, sha3_512, blake2b, blake2s.",
    );
}

#[test]
fn options_of_the_format_that_contradict_each_other_are_refused() {
    for revisions in [
        &["--control false --format-version 1 --salt f.1"][..],
        &[OFF, "--salt f.1"],
        &["--control false --resalt f.2"],
        &[OFF, "--format-version 1"],
        &[OFF_V1, "--resalt --format-version 1"],
    ] {
        let error = next(FlagType::Feature, revisions).unwrap_err();
        assert!(
            matches!(error, ArgumentError::Usage(_)),
            "{revisions:?}: {error}"
        );
    }
}

#[test]
fn what_no_flag_can_hold_is_refused_by_the_name_of_its_option() {
    for (options, message) in [
        (
            "--control yes",
            "--control: found \"yes\", expected true or false",
        ),
        (
            "--control true --value no",
            "--value: found \"no\", expected true or false",
        ),
        (
            "--control true --percent 100.5",
            "Rollout percentage: 100.5 is invalid. Value should be a number in range [0, 100] with at most three decimals.",
        ),
        (
            "--control true --format-version 1 --percent -1",
            "Rollout percentage: -1 is invalid. Value should be an integer in range [0, 100].",
        ),
        (
            "--control true --treatment-name a#b",
            "--treatment-name: found \"a#b\", expected 1 to 128 letters, digits, '.', '_' or '-', the first a letter or digit",
        ),
    ] {
        check_refused(&[options], message);
    }
}

#[track_caller]
fn check_owner(args: Option<&str>, variables: &[(&str, &str)], expected: Option<&str>) {
    let args = OwnerArgs {
        owner: args.map(str::to_owned),
    };
    let variables = variables.iter();
    let variables = variables.map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let owner = owner(&args, &variables.collect()).ok();
    assert_eq!(owner.as_ref().map(OwnerId::as_str), expected);
}

#[test]
fn an_owner_is_named_or_comes_from_the_environment() {
    let all = [("LOGNAME", "log"), ("USER", "use"), ("FLAG_OWNER", "team")];
    check_owner(Some("ann"), &all, Some("ann"));
    check_owner(None, &all, Some("team"));
    check_owner(None, &all[..2], Some("use"));
    check_owner(None, &all[..1], Some("log"));
    check_owner(None, &[("FLAG_OWNER", ""), ("USER", "use")], Some("use"));
    check_owner(None, &[("USER", " "), ("LOGNAME", "log")], Some("log"));
    check_owner(None, &[], None);
    check_owner(Some(""), &all, None);
    check_owner(Some(" "), &all, None);
}

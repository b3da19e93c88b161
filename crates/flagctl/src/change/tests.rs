//! Facts about what a change says of itself.

use flag_model::{BucketScheme, FlagValue, HashAlgorithm, OwnerId, Percent, Salt, Treatment};
use flag_rollout::reweight;

use super::*;

const V1: BucketScheme = BucketScheme::v1(HashAlgorithm::Md5);

struct Share<'a>(u32, &'a str, &'a [&'a str]);

fn v2(salt: &str) -> BucketScheme {
    BucketScheme::V2 {
        algorithm: HashAlgorithm::Md5,
        salt: Salt::new(salt).unwrap(),
    }
}

/// A revision of treatments in whole percent, their ranges one behind the other.
fn parts(scheme: BucketScheme, control: &str, shares: &[Share<'_>]) -> RevisionParts {
    let percents: Vec<Percent> = shares
        .iter()
        .map(|share| Percent::from_buckets(share.0 * 1_000).unwrap())
        .collect();
    let changes: Vec<_> = percents.iter().map(|&percent| (&[][..], percent)).collect();
    let ranges = reweight(&changes)
        .into_iter()
        .map(|ranges| if scheme == V1 { vec![] } else { ranges });
    let treatments = shares
        .iter()
        .zip(percents)
        .zip(ranges)
        .map(|((share, percent), ranges)| Treatment {
            name: None,
            overrides: share
                .2
                .iter()
                .map(|&id| InstanceId::new(id.to_owned()).unwrap())
                .collect(),
            percent,
            value: FlagValue::text(share.1).unwrap(),
            ranges,
        });
    RevisionParts {
        flag: "p/data/f".parse().unwrap(),
        treatments: treatments.collect(),
        scheme,
        control: FlagValue::text(control).unwrap(),
        comment: "why".to_owned(),
        owner: None,
        rollback_of: None,
    }
}

fn change(now: RevisionParts, then: &RevisionParts) -> Change {
    let now = Revision::new(Timestamp::UNIX_EPOCH, now).unwrap();
    Change::of(Some(&now), then).unwrap()
}

#[track_caller]
fn check(now: RevisionParts, then: &RevisionParts, shown: &[&str], risks: &[Risk]) {
    let change = change(now, then);
    let text = change.to_string();
    assert_eq!(text.lines().collect::<Vec<_>>(), shown);
    assert_eq!(change.risks, risks);
}

#[test]
fn a_percentage_is_shown_beside_the_old_one() {
    check(
        parts(v2("s"), "a", &[Share(10, "b", &["x", "y"])]),
        &parts(v2("s"), "a", &[Share(20, "b", &["y", "z 1"])]),
        &[
            "p/data/f",
            "                         current    new",
            "  control                a          a",
            "~ treatment_1            10 % b     20 % b",
            "~ treatment_1 overrides  without x  with z 1",
            "10 % of all instances receive another value, and so do 2 instances in override lists",
        ],
        &[],
    );
}

#[test]
fn a_first_revision_has_nothing_beside_it() {
    let change = Change::of(None, &parts(V1, "a", &[Share(99, "b", &[])])).unwrap();
    let expected = "p/data/f\n               current  new\n+ version               1\n+ control               a\n+ treatment_1           99 % b\n+ comment               why\n";
    assert_eq!(
        (change.to_string().as_str(), change.risks.as_slice()),
        (expected, &[][..])
    );
}

#[test]
fn what_a_revision_says_of_itself_is_shown_where_it_differs() {
    let now = RevisionParts {
        owner: Some(OwnerId::new("ann").unwrap()),
        ..parts(v2("s"), "a", &[])
    };
    let then = RevisionParts {
        comment: "because".to_owned(),
        owner: Some(OwnerId::new("bob").unwrap()),
        rollback_of: Some(Timestamp::UNIX_EPOCH),
        ..now.clone()
    };
    check(
        now,
        &then,
        &[
            "p/data/f",
            "               current  new",
            "  control      a        a",
            "~ comment      why      because",
            "~ owner        ann      bob",
            "+ rollback of           1970-01-01 00:00:00.000000",
            "nothing changes for any instance: the revision in force decides the same",
        ],
        &[],
    );
}

#[test]
fn a_control_that_changes_moves_all_who_had_it() {
    let change = change(
        parts(v2("s"), "a", &[Share(25, "b", &[])]),
        &parts(v2("s"), "c", &[Share(25, "b", &[])]),
    );
    assert!(
        change
            .to_string()
            .ends_with("75 % of all instances receive another value\n"),
        "{change}"
    );
}

#[test]
fn leaving_nobody_with_the_control_is_a_risk() {
    let now = || parts(v2("s"), "a", &[Share(60, "b", &[]), Share(30, "c", &[])]);
    let then = parts(v2("s"), "a", &[Share(60, "b", &[]), Share(40, "c", &[])]);
    assert_eq!(change(now(), &then).risks, [Risk::NobodyKeepsControl]);
    assert_eq!(change(then, &now()).risks, []);
}

#[test]
fn a_new_salt_is_a_risk() {
    let now = parts(v2("s"), "a", &[Share(50, "b", &[])]);
    let change = change(now, &parts(v2("s.2"), "a", &[Share(50, "b", &[])]));
    assert_eq!(change.risks, [Risk::Resalt]);
    assert!(
        change
            .to_string()
            .ends_with("about 50 % of all instances receive another value\n"),
        "{change}"
    );
}

/// In version 1 the second treatment begins where the first one ends.
#[test]
fn version_1_moves_instances_between_treatments() {
    let change = change(
        parts(V1, "a", &[Share(10, "b", &[]), Share(10, "c", &[])]),
        &parts(V1, "a", &[Share(15, "b", &[]), Share(10, "c", &[])]),
    );
    assert_eq!(change.risks, [Risk::BetweenTreatments]);
    let expected =
        "10 % of all instances receive another value, 5 % move from one treatment to another\n";
    assert!(change.to_string().ends_with(expected), "{change}");
}

#[test]
fn a_treatment_with_another_value_keeps_its_instances() {
    let change = change(
        parts(v2("s"), "a", &[Share(40, "b", &["x"])]),
        &parts(v2("s"), "a", &[Share(40, "c", &["x"])]),
    );
    assert_eq!(change.risks, []);
    let expected = "40 % of all instances receive another value, and so does 1 instance in an override list; \
        they stay in their treatment\n";
    assert!(change.to_string().ends_with(expected), "{change}");
}

#[test]
fn an_override_that_goes_to_another_treatment_is_a_risk() {
    let change = change(
        parts(v2("s"), "a", &[Share(1, "b", &["x"]), Share(1, "c", &[])]),
        &parts(v2("s"), "a", &[Share(1, "b", &[]), Share(1, "c", &["x"])]),
    );
    assert_eq!(change.risks, [Risk::BetweenTreatments]);
}

/// In version 1 the third one takes the place of the second.
#[test]
fn a_treatment_that_goes_hands_its_instances_to_the_next_one_in_version_1() {
    let change = change(
        parts(V1, "a", &[Share(20, "b", &[]), Share(20, "c", &[])]),
        &parts(V1, "a", &[Share(20, "c", &[])]),
    );
    assert_eq!(change.risks, [Risk::BetweenTreatments]);
}

#[test]
fn an_override_takes_an_instance_out_of_another_treatment() {
    // Bucket 4,982 of version 1, so that the first treatment has it.
    let now = parts(V1, "x", &[Share(10, "b", &[]), Share(10, "c", &[])]);
    let then = parts(V1, "x", &[Share(10, "b", &[]), Share(10, "c", &["a"])]);
    assert_eq!(change(now, &then).risks, [Risk::BetweenTreatments]);
}

#[test]
fn another_value_for_everybody_is_a_risk() {
    let change = change(parts(v2("s"), "a", &[]), &parts(v2("s"), "b", &[]));
    assert_eq!(change.risks, [Risk::EveryValueChanges]);
}

#[test]
fn long_values_are_cut_where_they_differ() {
    let long = |end: &str| "v".repeat(100) + end;
    let (now, then) = (long("X"), long("Y"));
    let shown = change(parts(v2("s"), &now, &[]), &parts(v2("s"), &then, &[])).to_string();
    assert!(
        shown.contains("vX") && shown.contains("vY") && !shown.contains(&long("")),
        "{shown}"
    );
}

#[test]
fn what_a_terminal_would_obey_is_escaped() {
    let shown = change(
        parts(v2("s"), "a", &[]),
        &parts(v2("s"), "\u{1b}[31m\nfake\u{202e}", &[]),
    )
    .to_string();
    assert!(shown.contains("\\u{1b}[31m\\nfake\\u{202e}"), "{shown}");
}

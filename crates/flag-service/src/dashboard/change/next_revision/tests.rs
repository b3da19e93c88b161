use flag_model::{
    BucketScheme, FlagKey, FlagValue, FormatVersion, HashAlgorithm, InstanceId, Salt, Treatment,
};
use flag_store::{RowOptions, decode_revision, encode_revision};

use super::*;

const V1: BucketScheme = BucketScheme::v1(HashAlgorithm::Md5);

fn flag() -> FlagKey {
    "p/data/f".parse().unwrap()
}

fn v2() -> BucketScheme {
    BucketScheme::V2 {
        algorithm: HashAlgorithm::Md5,
        salt: Salt::new("s").unwrap(),
    }
}

/// A revision in which each of these percentages gets a value of its own; the first one also these ids.
fn parts(scheme: BucketScheme, percents: &[&str], ids: &[&str]) -> RevisionParts {
    let treatments = percents.iter().enumerate().map(|(at, percent)| Treatment {
        name: None,
        overrides: match at {
            0 => ids
                .iter()
                .map(|id| InstanceId::new(id.to_string()).unwrap())
                .collect(),
            _ => Vec::new(),
        },
        percent: Percent::parse(percent, FormatVersion::V2).unwrap(),
        value: FlagValue::text(&format!("value {at}")).unwrap(),
        ranges: Vec::new(),
    });
    let mut parts = RevisionParts {
        flag: flag(),
        scheme,
        control: FlagValue::text("control").unwrap(),
        treatments: treatments.collect(),
        comment: "why".to_owned(),
        owner: None,
        rollback_of: None,
    };
    flag_rollout::assign_buckets(&mut parts, true);
    parts
}

/// The state after these revisions, the oldest first, made in seconds 1, 2 and so on.
fn state(revisions: impl IntoIterator<Item = RevisionParts>) -> FlagState {
    let revisions = revisions.into_iter().zip(1..);
    let made = revisions.map(|(parts, second)| Ok(Revision::new(at(second), parts).unwrap()));
    let mut history: Vec<_> = made.collect();
    history.reverse();
    FlagState {
        flag: flag(),
        history,
        older: None,
        ahead: None,
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_unix_micros(second * 1_000_000).unwrap()
}

fn percent(group: &str, percent: &str) -> Wanted {
    Wanted::Percent {
        group: group.to_owned(),
        percent: percent.to_owned(),
    }
}

fn off(takes_overrides: bool) -> Wanted {
    Wanted::Off { takes_overrides }
}

fn summary(next: &NextRevision) -> String {
    next.effect.summary().unwrap()
}

#[test]
fn a_rollback_copies_an_older_revision_and_says_so() {
    let state = state([parts(v2(), &["10"], &[]), parts(v2(), &["30"], &[])]);
    let next = next_revision(&state, &Wanted::Rollback(at(1))).unwrap();
    assert_eq!(next.revision.rollback_of, Some(at(1)));
    assert_eq!(
        next.revision.treatments,
        parts(v2(), &["10"], &[]).treatments
    );
    assert_eq!(
        summary(&next),
        "20 % of all instances receive another value"
    );
    assert_eq!(next.risks, []);
    assert!(next.wants_name("hcb-prod") && !next.wants_name("hcb-test"));
}

#[test]
fn what_was_rolled_back_comes_into_force_again_only_with_the_name() {
    let back = RevisionParts {
        rollback_of: Some(at(1)),
        ..parts(v2(), &["10"], &[])
    };
    let state = state([parts(v2(), &["10"], &[]), parts(v2(), &["30"], &[]), back]);
    let next = next_revision(&state, &Wanted::Rollback(at(2))).unwrap();
    assert_eq!(next.risks, [Risk::UndoesRollback]);
    assert!(next.wants_name("hcb-test"));
    let same = next_revision(&state, &Wanted::Rollback(at(1))).unwrap_err();
    assert!(matches!(same, NoNextRevision::Unchanged(_)), "{same:?}");
    let absent = next_revision(&state, &Wanted::Rollback(at(9))).unwrap_err();
    assert!(matches!(absent, NoNextRevision::Refused(_)), "{absent:?}");
}

#[test]
fn a_percentage_moves_as_few_instances_as_possible() {
    let state = state([parts(v2(), &["10", "20"], &[])]);
    let next = next_revision(&state, &percent("treatment_1", "12.5")).unwrap();
    assert_eq!(
        summary(&next),
        "2.5 % of all instances receive another value"
    );
    assert_eq!(next.risks, []);
}

#[test]
fn a_percentage_that_is_none_or_too_many_or_the_same_is_refused() {
    let two = state([parts(v2(), &["10", "20"], &[])]);
    for (group, text) in [
        ("treatment_1", "lots"),
        ("treatment_1", "-1"),
        ("treatment_1", "81"),
        ("treatment_3", "1"),
    ] {
        let refused = next_revision(&two, &percent(group, text)).unwrap_err();
        assert!(
            matches!(refused, NoNextRevision::Refused(_)),
            "{group} {text}: {refused:?}"
        );
    }
    let same = next_revision(&two, &percent("treatment_2", "20.0")).unwrap_err();
    assert_eq!(
        same,
        NoNextRevision::Unchanged("treatment_2 has 20 % already.".to_owned())
    );
    let whole = next_revision(
        &state([parts(V1, &["10"], &[])]),
        &percent("treatment_1", "1.5"),
    );
    assert!(
        matches!(whole, Err(NoNextRevision::Refused(_))),
        "{whole:?}"
    );
}

#[test]
fn in_version_1_a_percentage_may_move_instances_between_treatments_which_is_a_risk() {
    let state = state([parts(V1, &["10", "10"], &[])]);
    let next = next_revision(&state, &percent("treatment_1", "15")).unwrap();
    assert_eq!(next.risks, [Risk::BetweenTreatments]);
}

#[test]
fn switched_off_means_control_for_everybody_and_for_those_by_name_if_wanted() {
    let state = state([parts(v2(), &["100"], &["a", "b"])]);
    let kept = next_revision(&state, &off(false)).unwrap();
    assert_eq!(kept.revision.treatments[0].overrides.len(), 2);
    assert_eq!(
        summary(&kept),
        "100 % of all instances receive another value"
    );
    let all = next_revision(&state, &off(true)).unwrap();
    assert!(all.revision.treatments[0].overrides.is_empty());
    assert_eq!(
        summary(&all),
        "100 % of all instances receive another value, and so do 2 instances in override lists"
    );
    // Control for everybody is what it is for.
    assert_eq!((kept.risks, all.risks), (vec![], vec![]));
}

#[test]
fn a_flag_that_is_off_already_says_who_is_not() {
    let state = state([parts(v2(), &["0"], &["a"])]);
    let unchanged = next_revision(&state, &off(false)).unwrap_err();
    let expected = "Everybody gets the control value already, but 1 by name.".to_owned();
    assert_eq!(unchanged, NoNextRevision::Unchanged(expected));
    assert!(next_revision(&state, &off(true)).is_ok());
}

#[test]
fn an_unreadable_revision_is_rolled_back_with_the_name_and_changed_in_no_other_way() {
    let options = RowOptions::default();
    let newest = Revision::new(at(2), parts(v2(), &["30"], &[])).unwrap();
    let mut row = encode_revision(&newest, &options).unwrap();
    row.cells.set("FormatVersion", "9");
    let mut state = state([parts(v2(), &["10"], &[])]);
    state.history.insert(0, decode_revision(&row, &options));
    assert_eq!(
        (state.in_force(), state.newest_created()),
        (None, Some(at(2)))
    );
    let next = next_revision(&state, &Wanted::Rollback(at(1))).unwrap();
    assert_eq!(next.risks, [Risk::Unreadable]);
    for wanted in [off(false), percent("treatment_1", "5")] {
        let refused = next_revision(&state, &wanted).unwrap_err();
        assert!(matches!(refused, NoNextRevision::Refused(_)), "{refused:?}");
    }
}

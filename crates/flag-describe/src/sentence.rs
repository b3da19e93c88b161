//! A revision in one sentence: who gets what.

use flag_model::{FlagValue, Percent, Revision};

use crate::escape::visible;

/// The longest value in a sentence, in characters.
const VALUE: usize = 40;

/// Who gets what, such as `10 % get true, 2 by name, others false`.
pub fn sentence(revision: &Revision) -> String {
    let mut parts = Vec::new();
    for treatment in &revision.treatments {
        let value = shown(&treatment.value);
        let named = treatment.overrides.len();
        match (treatment.percent, named) {
            (Percent::ZERO, 0) => {}
            (Percent::ZERO, 1) => parts.push(format!("1 by name gets {value}")),
            (Percent::ZERO, _) => parts.push(format!("{named} by name get {value}")),
            (percent, _) => {
                parts.push(format!("{percent} % get {value}"));
                parts.extend((named > 0).then(|| format!("{named} by name")));
            }
        }
    }
    let is_all = revision.control_percent() == Percent::ZERO;
    let control = shown(&revision.control);
    match parts.as_slice() {
        [] => return format!("all get {control}"),
        [_] if is_all => {
            let values = revision.treatments.iter();
            let all = values
                .into_iter()
                .find(|treatment| treatment.percent == Percent::HUNDRED);
            if let Some(all) = all {
                return format!("all get {}", shown(&all.value));
            }
        }
        _ => {}
    }
    if !is_all {
        parts.push(format!("others {control}"));
    }
    parts.join(", ")
}

fn shown(value: &FlagValue) -> String {
    visible(&shortened(&value.to_string(), VALUE))
}

/// The beginning of a text, with dots where there is more.
pub fn shortened(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use flag_model::{
        BucketScheme, FormatVersion, HashAlgorithm, InstanceId, RevisionParts, Timestamp, Treatment,
    };

    use super::*;

    /// Percentage, ids by name, value.
    type Share<'a> = (&'a str, usize, &'a str);

    #[track_caller]
    fn check(control: &str, shares: &[Share<'_>], expected: &str) {
        let mut ids = 0..;
        let treatments = shares.iter().map(|(percent, named, value)| Treatment {
            name: None,
            overrides: ids
                .by_ref()
                .take(*named)
                .map(|id| InstanceId::new(format!("id{id}")).unwrap())
                .collect(),
            percent: Percent::parse(percent, FormatVersion::V1).unwrap(),
            value: FlagValue::text(value).unwrap(),
            ranges: Vec::new(),
        });
        let parts = RevisionParts {
            flag: "p/data/f".parse().unwrap(),
            scheme: BucketScheme::v1(HashAlgorithm::Md5),
            control: FlagValue::text(control).unwrap(),
            treatments: treatments.collect(),
            comment: String::new(),
            owner: None,
            rollback_of: None,
        };
        let revision = Revision::new(Timestamp::UNIX_EPOCH, parts).unwrap();
        assert_eq!(sentence(&revision), expected);
    }

    #[test]
    fn a_sentence_says_who_gets_what() {
        check(
            "no",
            &[("10", 2, "yes")],
            "10 % get yes, 2 by name, others no",
        );
        check(
            "a",
            &[("10", 0, "b"), ("20", 0, "c")],
            "10 % get b, 20 % get c, others a",
        );
        check(
            "a",
            &[("40", 0, "b"), ("60", 1, "c")],
            "40 % get b, 60 % get c, 1 by name",
        );
        check("a", &[("0", 1, "b")], "1 by name gets b, others a");
        check("a", &[("0", 2, "b")], "2 by name get b, others a");
    }

    #[test]
    fn where_all_get_the_same_the_sentence_says_so() {
        check("a", &[], "all get a");
        check("a", &[("0", 0, "b")], "all get a");
        check("a", &[("100", 0, "b")], "all get b");
        check("a", &[("0", 0, "b"), ("100", 0, "c")], "all get c");
    }

    #[test]
    fn a_value_is_shortened_and_shows_what_is_invisible() {
        check("", &[], "all get \"\"");
        check("a\u{202e}b", &[], "all get \"a\\u{202e}b\"");
        let long = "é".repeat(50);
        check(&long, &[], &format!("all get {}…", "é".repeat(40)));
    }
}

//! The parts that results have for people.

use flag_model::{BucketRange, BucketScheme, CONTROL_GROUP, Metadata, Revision};
use flag_rollout::groups;

use super::escape::{list_item, visible};
use super::terminal;
use super::text::{Columns, Text, Tone};
use super::when::in_full;
use crate::revision_numbers::RevisionNumbers;

/// How many characters of a text are shown where many rows are.
const SHORT: usize = 60;

/// How many ids or ranges of a list are shown.
const LISTED: usize = 8;

/// The metadata of a flag.
pub(super) fn of_metadata(metadata: &Metadata) -> Text {
    let owner = metadata.owner.as_ref().map(ToString::to_string);
    let edited_by = metadata.edited_by.as_ref().map(ToString::to_string);
    let expires_on = metadata.expires_on.map(|date| date.to_string());
    Columns::from([
        ("description", visible(&metadata.description)),
        ("owner", or_none(owner)),
        ("ticket", or_none(metadata.ticket.clone())),
        ("tags", listed(&metadata.tags)),
        ("expires on", or_none(expires_on)),
        ("created", in_full(metadata.created(), terminal::began())),
        ("edited by", or_none(edited_by)),
    ])
    .text()
}

/// A revision: values, time and comment.
pub(super) fn of_revision(revision: &Revision, numbers: &RevisionNumbers) -> Text {
    let owner = revision.owner.as_ref().map(ToString::to_string);
    let label = numbers.label(revision.created());
    let mut columns = Columns::from([
        ("revision", or_none(label)),
        ("created", in_full(revision.created(), terminal::began())),
        ("version", placing(&revision.scheme)),
        ("comment", visible(&revision.comment)),
        ("owner", or_none(owner)),
    ]);
    if let Some(rollback_of) = revision.rollback_of {
        let of = numbers.label(rollback_of);
        let of = of.unwrap_or_else(|| rollback_of.to_string());
        let line = ["rollback of".to_owned(), of];
        columns.line(Tone::Plain, line);
    }
    columns.text().and(of_groups(revision))
}

/// Each rollout group with its share, its value and its override list.
fn of_groups(revision: &Revision) -> Text {
    let mut columns = Columns::headed(["GROUP", "PERCENT", "OVERRIDES", "BUCKETS", "VALUE"]);
    let treatments = revision.treatments.iter();
    for (treatment, (group, owned)) in treatments.zip(groups(revision)) {
        let line = [
            group,
            treatment.percent.to_string(),
            listed(&treatment.overrides),
            ranges(&owned),
            visible(&treatment.value.to_string()),
        ];
        columns.line(Tone::Plain, line);
    }
    let line = [
        CONTROL_GROUP.to_owned(),
        revision.control_percent().to_string(),
        "-".to_owned(),
        "all others".to_owned(),
        visible(&revision.control.to_string()),
    ];
    columns.line(Tone::Plain, line);
    columns.text()
}

/// Format version, hash algorithm and salt.
pub(super) fn placing(scheme: &BucketScheme) -> String {
    match scheme {
        BucketScheme::V1 { algorithm, .. } => format!("1, {algorithm}"),
        BucketScheme::V2 { algorithm, salt } => format!("2, {algorithm}, salt {salt}"),
    }
}

/// The treatments in one line.
pub(super) fn treatments(revision: &Revision) -> String {
    let treatments = revision.treatments.iter().enumerate();
    let treatments: Vec<String> = treatments
        .map(|(at, treatment)| {
            let overrides = match treatment.overrides.len() {
                0 => String::new(),
                1 => " +1 override".to_owned(),
                number => format!(" +{number} overrides"),
            };
            let (group, percent) = (revision.group(at), treatment.percent);
            let value = short(&treatment.value.to_string());
            format!("{group} {percent} % {value}{overrides}")
        })
        .collect();
    if treatments.is_empty() {
        return "-".to_owned();
    }
    treatments.join("; ")
}

/// The text, or a dash where there is none.
pub(super) fn or_none(text: Option<String>) -> String {
    text.map_or_else(|| "-".to_owned(), |text| visible(&text))
}

/// The first ones of a list, and how many more there are.
pub(super) fn listed(items: &[impl ToString]) -> String {
    beginning(items, |one| list_item(&one.to_string()))
}

/// The first ones of some ranges likewise, which have commas of their own.
pub(super) fn ranges(ranges: &[BucketRange]) -> String {
    beginning(ranges, ToString::to_string)
}

fn beginning<T>(items: &[T], show: impl Fn(&T) -> String) -> String {
    let first: Vec<String> = items.iter().take(LISTED).map(show).collect();
    match items.len().saturating_sub(LISTED) {
        0 if first.is_empty() => "-".to_owned(),
        0 => first.join(", "),
        more => format!("{}, … ({more} more)", first.join(", ")),
    }
}

/// The beginning of a text.
pub(super) fn short(text: &str) -> String {
    let mut short: String = text.chars().take(SHORT).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    visible(&short)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_says_how_many_are_left_out() {
        let items: Vec<usize> = (1..=10).collect();
        assert_eq!(listed(&items), "1, 2, 3, 4, 5, 6, 7, 8, … (2 more)");
        assert_eq!(listed(&items[..1]), "1");
        assert_eq!(listed(&items[..0]), "-");
    }

    #[test]
    fn a_long_text_is_cut() {
        assert_eq!(short(&"é".repeat(60)), "é".repeat(60));
        assert_eq!(short(&"é".repeat(61)), "é".repeat(60) + "…");
    }
}

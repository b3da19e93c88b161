//! The bucket line: who gets what from 0 to 100 %, as a picture.

use flag_model::{BUCKETS, Bucket, BucketRange, CONTROL_GROUP, FlagValue, Revision};
use flag_rollout::groups;
use maud::{Markup, html};

use super::text::{pluralized, shown, thousands};
use crate::dashboard::listing::Split;

/// How many colours there are; further groups use them again, and differ by their names.
const COLOURS: usize = 6;

/// The class of a group's colour; that of control is another.
pub(in crate::dashboard) fn colour(position: usize) -> String {
    format!("g{}", position % COLOURS)
}

/// How a flag is split, as a small bar. The sentence beside it says the same.
pub(in crate::dashboard) fn split_bar(split: &Split) -> Markup {
    let mut from = 0;
    let shares = split.0.iter().enumerate().map(|(position, share)| {
        let (x, is_control) = (from, position + 1 == split.0.len());
        from += share.buckets;
        let class = if is_control {
            "gc".to_owned()
        } else {
            colour(position)
        };
        (class, x, share.buckets)
    });
    let shares: Vec<_> = shares.filter(|(_, _, width)| *width > 0).collect();
    html! {
        svg.split viewBox="0 0 100000 8000" preserveAspectRatio="none" aria-hidden="true" focusable="false" {
            @for (class, x, width) in shares {
                rect class=(class) x=(x) y="0" width=(width) height="8000" {}
            }
        }
    }
}

/// The bucket line of a revision with the ranges of its treatments, and the place of an instance.
pub(in crate::dashboard) fn bucket_line(revision: &Revision, place: Option<Bucket>) -> Markup {
    let ranges = groups(revision).into_iter().enumerate();
    let ranges = ranges.flat_map(|(position, (_, ranges))| {
        ranges
            .into_iter()
            .map(move |range| (colour(position), range))
    });
    let label = match place {
        Some(bucket) => format!(
            "The bucket line. The instance is at bucket {} of {}.",
            thousands(bucket.get().into()),
            thousands(BUCKETS.into())
        ),
        None => "The bucket line from 0 to 100 %; the list below has its ranges.".to_owned(),
    };
    html! {
        svg.line viewBox="0 0 1000 46" preserveAspectRatio="none" role="img" aria-label=(label) {
            rect.gc x="0" y="6" width="1000" height="24" {}
            @for (class, range) in ranges {
                rect class=(class) x=(position(range.from())) y="6" width=(position(range.width())) height="24" {}
            }
            @for tick in [0, 25, 50, 75, 100] {
                line.tick x1=(tick * 10) x2=(tick * 10) y1="30" y2="36" {}
            }
            @if let Some(bucket) = place {
                line.place x1=(position(bucket.get())) x2=(position(bucket.get())) y1="0" y2="40" {}
            }
        }
        div.scale aria-hidden="true" {
            @for tick in ["0 %", "25 %", "50 %", "75 %", "100 %"] { span { (tick) } }
        }
    }
}

/// The rollout groups with their colours, values and ranges.
pub(in crate::dashboard) fn legend(revision: &Revision) -> Markup {
    let treatments = groups(revision).into_iter().zip(&revision.treatments);
    html! {
        div.wide tabindex="0" role="region" aria-label="Rollout groups" {
            table.legend {
                caption.hidden { "Rollout groups" }
                thead { tr { th scope="col" { "Group" } th scope="col" { "Value" } th scope="col" { "Share" } th scope="col" { "Buckets" } th scope="col" { "By name" } } }
                tbody {
                    @for (position, ((group, ranges), treatment)) in treatments.enumerate() {
                        tr {
                            th scope="row" { (swatch(&colour(position))) " " (shown(&group)) }
                            td { (value(&treatment.value)) }
                            td { (treatment.percent.to_string()) " %" }
                            td { (list(&ranges)) }
                            td { (counted_ids(treatment.overrides.len())) }
                        }
                    }
                    tr {
                        th scope="row" { (swatch("gc")) " " (CONTROL_GROUP) }
                        td { (value(&revision.control)) }
                        td { "the others" }
                        td { "–" }
                        td { "–" }
                    }
                }
            }
        }
    }
}

/// A sample of a colour.
pub(super) fn swatch(class: &str) -> Markup {
    html! {
        svg.swatch viewBox="0 0 10 10" aria-hidden="true" focusable="false" {
            rect class=(class) x="0" y="0" width="10" height="10" {}
        }
    }
}

fn value(value: &FlagValue) -> Markup {
    html! { code.value { (shown(&value.to_string())) } }
}

fn counted_ids(ids: usize) -> String {
    match u64::try_from(ids) {
        Ok(0) => "–".to_owned(),
        Ok(ids) => pluralized(ids, "id"),
        Err(_) => String::new(),
    }
}

fn list(ranges: &[BucketRange]) -> String {
    let ranges = ranges.iter().map(|range| {
        let last = range.to().saturating_sub(1);
        format!(
            "{}–{}",
            thousands(range.from().into()),
            thousands(last.into())
        )
    });
    let ranges: Vec<String> = ranges.collect();
    if ranges.is_empty() {
        "–".to_owned()
    } else {
        ranges.join(", ")
    }
}

/// A place on a line of 1,000 points.
fn position(bucket: u32) -> String {
    format!("{}.{:02}", bucket / 100, bucket % 100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::listing::Share;

    #[test]
    fn a_bar_is_as_wide_as_the_shares_and_leaves_out_empty_ones() {
        let share = |group: &str, buckets| Share {
            group: group.to_owned(),
            buckets,
        };
        let split = Split(vec![
            share("a", 0),
            share("b", 10_000),
            share("control", 90_000),
        ]);
        let bar = split_bar(&split).into_string();
        assert_eq!(bar.matches("<rect").count(), 2);
        assert!(
            bar.contains(r#"<rect class="g1" x="0" y="0" width="10000""#),
            "{bar}"
        );
        assert!(
            bar.contains(r#"<rect class="gc" x="10000" y="0" width="90000""#),
            "{bar}"
        );
    }

    #[test]
    fn a_bucket_is_a_hundredth_of_a_point() {
        assert_eq!(position(0), "0.00");
        assert_eq!(position(12_345), "123.45");
        assert_eq!(position(100_000), "1000.00");
    }
}

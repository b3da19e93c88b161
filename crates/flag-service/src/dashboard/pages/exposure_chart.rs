//! The exposures of a flag over time, as a chart, and whether their split fits the percentages.
mod tally;

use std::collections::BTreeMap;

use flag_model::{CONTROL_GROUP, FlagKey, Reason, Revision, Timestamp};
use flag_rollout::{Plan, RatioResult, SampleRatio};
use flag_store::{CountKey, Minute, StoreError};
use maud::{Markup, html};

use self::tally::Tally;
use super::timeline::RevisionNumbers;
use crate::dashboard::parts::{
    Bin, Chart, Mark, colour, each_minute, pluralized, shown, thousands, time,
};
use crate::dashboard::query::Query;
use crate::dashboard::request::PageRequest;
use crate::dashboard::sources::Sources;

/// The most groups of a chart; the others are added up.
const GROUPS: usize = 7;

/// The spans of time that can be chosen: parameter, text, minutes, minutes of a bar.
const SPANS: [(&str, &str, i64, i64); 4] = [
    ("", "24 hours", 24 * 60, 30),
    ("1h", "1 hour", 60, 1),
    ("7d", "7 days", 7 * 24 * 60, 120),
    // As long as counts are kept.
    ("30d", "30 days", 30 * 24 * 60, 8 * 60),
];

/// The name of the groups that are added up.
const OTHERS: &str = "others";

/// The counted exposures of a flag in a span of time.
pub(super) struct ExposureChart {
    /// `Err(None)` if reading them took too long.
    counts: Result<Tally, Option<StoreError>>,
    span: usize,
    since: Minute,
    until: Minute,
}

impl ExposureChart {
    /// Reads the counts of the span that the page asks for.
    pub(super) async fn read(sources: &Sources, request: &PageRequest, flag: &FlagKey) -> Self {
        let chosen = request.query.get("span");
        let span = SPANS.iter().position(|(name, ..)| *name == chosen);
        let span = span.unwrap_or_default();
        let (minutes, bar) = SPANS
            .get(span)
            .map_or((60, 1), |(_, _, minutes, bar)| (*minutes, *bar));
        // The last bar ends with a full one, so that bars stay where they are for a while.
        let now = Minute::of(request.now).number();
        let until = Minute::from_number((now.div_euclid(bar) + 1) * bar);
        let since = until.plus(-minutes);
        Self {
            counts: Tally::read(&*sources.log, flag, since..until, bar).await,
            span,
            since,
            until,
        }
    }

    /// The section.
    pub(super) fn render(
        &self,
        newest: Option<&Revision>,
        numbers: &RevisionNumbers,
        query: &Query,
    ) -> Markup {
        html! {
            (each_minute())
            nav.spans aria-label="Span of time" {
                @for (at, (name, text, ..)) in SPANS.iter().enumerate() {
                    a href={ (query.link("/flag", &[("span", name)])) "#served" } aria-current=[(at == self.span).then_some("true")] { (text) }
                }
            }
            @match &self.counts {
                Ok(counts) => (self.render_counts(counts, newest, numbers)),
                Err(Some(_)) => p.problem { "The exposure log does not answer." },
                Err(None) => p.problem { "The exposure log has not answered in time. Choose a shorter time." },
            }
        }
    }

    fn render_counts(
        &self,
        counts: &Tally,
        newest: Option<&Revision>,
        numbers: &RevisionNumbers,
    ) -> Markup {
        let chart = self.chart(counts, newest, numbers);
        html! {
            @if let Some(cut_at) = counts.cut_at {
                p.notice { "Only what was served since " (time(cut_at.start())) " could be counted"
                    @if counts.has_failed { ": the exposure log failed." } @else { " in time. Choose a shorter time." } }
            }
            @if chart.total() == 0 {
                p { "No answer was logged in this time." }
            } @else {
                p { (pluralized(chart.total(), "answer")) " logged in this time, as counted once a minute." }
                (chart.render())
                @if let Some(newest) = newest { (verdict(newest, counts)) }
            }
        }
    }

    fn chart(&self, counts: &Tally, newest: Option<&Revision>, numbers: &RevisionNumbers) -> Chart {
        let bar = SPANS.get(self.span).map_or(1, |(.., bar)| *bar);
        let groups = groups(counts);
        let first = self.since.number();
        let bars = (self.until.number() - first) / bar;
        let bins = (0..bars).map(|at| Bin {
            start: self.since.plus(at * bar).start(),
            exposures: vec![0; groups.len()],
        });
        let mut bins: Vec<Bin> = bins.collect();
        for (at, count_key, count) in counts.iter() {
            let at = usize::try_from(at).ok();
            let Some(bin) = at.and_then(|at| bins.get_mut(at)) else {
                continue;
            };
            let name = group(count_key);
            let known = groups.iter().position(|group| group == name);
            let at = known.unwrap_or(groups.len().saturating_sub(1));
            if let Some(exposures) = bin.exposures.get_mut(at) {
                *exposures = exposures.saturating_add(count);
            }
        }
        // As on the bucket line; groups of older revisions get the colours that are left.
        let mut known: Vec<String> = newest.map(group_names).unwrap_or_default();
        let coloured = groups.into_iter().map(|group| {
            let position = known.iter().position(|name| *name == group);
            let position = position.unwrap_or(known.len());
            if group != CONTROL_GROUP && position == known.len() {
                known.push(group.clone());
            }
            let class = match group.as_str() {
                CONTROL_GROUP => "gc".to_owned(),
                _ => colour(position),
            };
            (group, class)
        });
        Chart {
            groups: coloured.collect(),
            bins,
            marks: self.marks(numbers),
        }
    }

    fn marks(&self, numbers: &RevisionNumbers) -> Vec<Mark> {
        let (since, until) = (self.since.start(), self.until.start());
        let all = until.since(since).as_secs().max(1);
        let made = numbers.between(since, until).into_iter();
        let marks = made.map(|(created, label)| Mark {
            place: created.since(since).as_secs() * 1_000 / all,
            label,
        });
        marks.collect()
    }
}

fn group_names(revision: &Revision) -> Vec<String> {
    let positions = 0..revision.treatments.len();
    positions.map(|position| revision.group(position)).collect()
}

fn group(count_key: &CountKey) -> &str {
    match count_key {
        CountKey::Group { rollout_group, .. } => rollout_group,
        CountKey::Others => OTHERS,
    }
}

/// The groups with the most exposures, by name, control first; the last one stands for all others, if there are more.
fn groups(counts: &Tally) -> Vec<String> {
    let mut totals: BTreeMap<&str, u64> = BTreeMap::new();
    for (_, count_key, count) in counts.iter() {
        let total = totals.entry(group(count_key)).or_default();
        *total = total.saturating_add(count);
    }
    let mut by_total: Vec<_> = totals.into_iter().collect();
    by_total.sort_by_key(|(_, total)| std::cmp::Reverse(*total));
    let is_cut = by_total.len() > GROUPS;
    by_total.truncate(GROUPS);
    let mut names: Vec<String> = by_total
        .into_iter()
        .map(|(name, _)| name.to_owned())
        .filter(|name| name != OTHERS || !is_cut)
        .collect();
    names.sort_by_key(|name| (name != CONTROL_GROUP, name.clone()));
    names.extend(is_cut.then(|| OTHERS.to_owned()));
    names
}

/// Whether the exposures of the revision in force are split as configured.
fn verdict(newest: &Revision, counts: &Tally) -> Markup {
    let created: Option<Timestamp> = Some(newest.created());
    let mut exposures: BTreeMap<&str, u64> = BTreeMap::new();
    for (_, count_key, count) in counts.iter() {
        if let CountKey::Group {
            revision,
            rollout_group,
            reason,
        } = count_key
            && *revision == created
            && !matches!(reason, Some(Reason::Override | Reason::Delivered))
        {
            let total: &mut u64 = exposures.entry(rollout_group).or_default();
            *total = total.saturating_add(count);
        }
    }
    let ratio = SampleRatio::of(&Plan::compile(newest.clone()), |group| {
        exposures.get(group).copied().unwrap_or(0)
    });
    let Some(ratio) = ratio else {
        return html! { p.hint { "All instances have the same group, so there is no split to check." } };
    };
    let total = exposures.values().sum();
    let (class, verdict) = match ratio.result {
        RatioResult::TooFew => ("notice", "too few answers to tell whether it fits"),
        RatioResult::Fits => ("fits", "it fits the percentages"),
        RatioResult::Mismatch => (
            "problem",
            "a sample ratio mismatch: it does not fit the percentages",
        ),
    };
    html! {
        p class=(class) { "Split of the revision in force: " strong { (verdict) } " (chi-square test of "
            (thousands(total)) " answers without overrides, p = " (format!("{:.4}", ratio.p)) ")." }
        table {
            caption.hidden { "The split" }
            thead { tr { th scope="col" { "Group" } th.number scope="col" { "Configured" } th.number scope="col" { "Observed" } } }
            tbody {
                @for group in &ratio.groups {
                    tr { th scope="row" { (shown(&group.group)) } td.number { (percent(group.expected)) } td.number { (percent(group.observed)) } }
                }
            }
        }
    }
}

fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(groups: &[(&str, u64)]) -> Tally {
        let mut counts = Tally::default();
        for (name, count) in groups {
            let count_key = CountKey::Group {
                revision: None,
                rollout_group: (*name).to_owned(),
                reason: None,
            };
            counts.add(7, &count_key, *count);
        }
        counts
    }

    #[test]
    fn the_largest_groups_are_shown_control_first_and_others_together() {
        let few = counts(&[("b", 1), ("control", 2), ("a", 3)]);
        assert_eq!(groups(&few), ["control", "a", "b"]);
        let names: Vec<String> = (0..10).map(|n| format!("t{n}")).collect();
        let many = names.iter().map(|name| (name.as_str(), 10));
        let many: Vec<_> = many.chain([("t9", 5), ("control", 1)]).collect();
        let found = groups(&counts(&many));
        assert_eq!(found.len(), GROUPS + 1);
        assert!(found.contains(&"t9".to_owned()));
        assert_eq!(found.last().map(String::as_str), Some(OTHERS));
    }
}

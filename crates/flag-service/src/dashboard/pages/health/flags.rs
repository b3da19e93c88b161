//! Flags by name that are not served as they should be, of the projects that the caller may see.

use flag_model::{FlagKey, Timestamp};
use maud::{Markup, html};

use super::readings::Readings;
use crate::dashboard::parts::{pluralized, shown, time};
use crate::dashboard::query::flag_link;
use crate::dashboard::request::PageRequest;

/// The most rows.
const MAX: usize = 200;

/// The flags that the cache names, as far as the caller may see them: the first ones, and how many there are.
pub(super) struct OfCache {
    first: Vec<(FlagKey, Finding)>,
    count: usize,
}

/// What is wrong with a flag.
enum Finding {
    /// Since this time its last known value is served.
    Stale(Timestamp),
    /// Why it cannot be read.
    Unreadable(String),
    /// The row.
    PassedOver(String),
    /// The revision whose exposures are split otherwise than configured.
    Mismatch(String),
}

impl Finding {
    fn state(&self) -> &'static str {
        match self {
            Self::Stale(_) => "served by its last known value",
            Self::Unreadable(_) => "unreadable: not served",
            Self::PassedOver(_) => "a row is passed over",
            Self::Mismatch(_) => "sample ratio mismatch",
        }
    }

    fn why(&self) -> Markup {
        match self {
            Self::Stale(since) => html! { "last confirmed at " (time(*since)) },
            Self::Unreadable(why) => shown(why),
            Self::PassedOver(row) => {
                html! { "its time is invalid or too far in the future: " (shown(row)) }
            }
            Self::Mismatch(revision) => match Timestamp::parse(revision) {
                Ok(made) => html! { "of the revision made at " (time(made)) ", in 24 hours" },
                Err(_) => shown(revision),
            },
        }
    }
}

/// Asks the cache, whose locks evaluations take, too.
pub(super) fn of_cache(request: &PageRequest) -> OfCache {
    let (flags, viewer) = (&request.state.flags, &request.viewer);
    let stale = flags.stale_flags_of(|project| viewer.may_see(project));
    let stale = stale
        .into_iter()
        .map(|(flag, since)| (flag, Finding::Stale(since)));
    let unreadable = flags.unreadable_flags().into_iter();
    let unreadable = unreadable.map(|(flag, why)| (flag, Finding::Unreadable(why)));
    let passed_over = flags.passed_over_flags().into_iter();
    let passed_over = passed_over.map(|(flag, row)| (flag, Finding::PassedOver(row)));
    let all = stale.chain(unreadable).chain(passed_over);
    let mut first: Vec<_> = all
        .filter(|(flag, _)| viewer.may_see(&flag.project))
        .collect();
    let count = first.len();
    first.truncate(MAX);
    OfCache { first, count }
}

/// The section: what the cache names, and what the metrics name.
pub(super) fn section(of_cache: &OfCache, request: &PageRequest, readings: &Readings) -> Markup {
    let mismatches = mismatches(readings);
    let mismatches = mismatches.filter(|(flag, _)| request.viewer.may_see(&flag.project));
    let mismatches: Vec<_> = mismatches.collect();
    let count = of_cache.count + mismatches.len();
    let more = u64::try_from(count.saturating_sub(MAX)).unwrap_or(u64::MAX);
    let rows = of_cache.first.iter().chain(&mismatches).take(MAX);
    html! {
        section aria-labelledby="flags" {
            h2 id="flags" { "Flags that need attention" }
            @if count == 0 {
                p { "None: of the flags that this replica has been asked for, none is served by its last known value, \
                    unreadable, passed over, or split otherwise than configured." }
            } @else {
                div.wide tabindex="0" role="region" aria-label="Flags that need attention" {
                    table {
                        thead { tr { th scope="col" { "Flag" } th scope="col" { "State" } th scope="col" { "Since, or why" } } }
                        tbody { @for (flag, finding) in rows { tr {
                            th scope="row" { a href=(flag_link(flag)) { (shown(&flag.to_string())) } }
                            td { (finding.state()) }
                            td { (finding.why()) }
                        } } }
                    }
                }
                @if more > 0 { p.hint { "And " (pluralized(more, "row")) " more." } }
            }
        }
    }
}

/// Flags whose exposures are not split as configured. The metric names at most 100.
fn mismatches(readings: &Readings) -> impl Iterator<Item = (FlagKey, Finding)> {
    let named = readings.all("flag_sample_ratio_mismatch");
    named.filter_map(|reading| {
        let flag: FlagKey = reading.label("flag").parse().ok()?;
        let revision = reading.label("revision").to_owned();
        Some((flag, Finding::Mismatch(revision)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_ratio_mismatch_is_named_with_its_revision() {
        let text = "flag_sample_ratio_mismatch{flag=\"p/feature/f\",revision=\"2026-11-28 12:00:00.000000\"} 1\n";
        let readings = Readings::parse(text);
        let found: Vec<_> = mismatches(&readings).collect();
        let [(flag, finding)] = found.as_slice() else {
            panic!("{}", found.len())
        };
        assert_eq!(flag.to_string(), "p/feature/f");
        assert_eq!(finding.state(), "sample ratio mismatch");
        let why = finding.why().0;
        assert!(why.contains("2026-11-28 12:00:00"), "{why}");
    }
}

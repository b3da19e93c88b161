//! Flags by name that are not served as they should be, of the projects that the caller may see.

use flag_model::{FlagKey, Timestamp};
use maud::{Markup, html};

use super::readings::Readings;
use crate::dashboard::parts::{counted, shown, time};
use crate::dashboard::query::flag_link;
use crate::dashboard::request::PageRequest;

/// The most rows.
const MAX: usize = 200;

/// A flag, what is wrong with it, and since when or why.
pub(super) type AttentionRow = (FlagKey, &'static str, Markup);

/// The section: the rows of the cache, and those of the metrics.
pub(super) fn section(
    of_cache: &[AttentionRow],
    request: &PageRequest,
    readings: &Readings,
) -> Markup {
    let mismatches =
        mismatches(readings).filter(|(flag, ..)| request.viewer.may_see(&flag.project));
    let rows: Vec<_> = of_cache.iter().cloned().chain(mismatches).collect();
    let more = u64::try_from(rows.len().saturating_sub(MAX)).unwrap_or(u64::MAX);
    html! {
        section aria-labelledby="flags" {
            h2 id="flags" { "Flags that need attention" }
            @if rows.is_empty() {
                p { "None: of the flags that this replica has been asked for, none is served by its last known value, \
                    unreadable, passed over, or split otherwise than configured." }
            } @else {
                div.wide tabindex="0" role="region" aria-label="Flags that need attention" {
                    table {
                        thead { tr { th scope="col" { "Flag" } th scope="col" { "State" } th scope="col" { "Since, or why" } } }
                        tbody { @for (flag, state, why) in rows.iter().take(MAX) { tr {
                            th scope="row" { a href=(flag_link(flag)) { (shown(&flag.to_string())) } }
                            td { (state) }
                            td { (why) }
                        } } }
                    }
                }
                @if more > 0 { p.hint { "And " (counted(more, "row")) " more." } }
            }
        }
    }
}

/// The rows of the cache, whose locks evaluations take, too.
pub(super) fn of_cache(request: &PageRequest) -> Vec<AttentionRow> {
    let (flags, viewer) = (&request.state.flags, &request.viewer);
    let stale = flags.stale_flags_of(|project| viewer.may_see(project));
    let stale = stale.into_iter().map(|(flag, since)| {
        let why = html! { "last confirmed at " (time(since)) };
        (flag, "served by its last known value", why)
    });
    let unreadable = flags.unreadable_flags().into_iter();
    let unreadable = unreadable.map(|(flag, why)| (flag, "unreadable: not served", shown(&why)));
    let passed_over = flags.passed_over_flags().into_iter().map(|(flag, row)| {
        let why = html! { "its time is invalid or too far in the future: " (shown(&row)) };
        (flag, "a row is passed over", why)
    });
    let all = stale.chain(unreadable).chain(passed_over);
    all.filter(|(flag, ..)| viewer.may_see(&flag.project))
        .collect()
}

/// Flags whose answers are not split as configured. The metric names at most 100.
fn mismatches(readings: &Readings) -> impl Iterator<Item = AttentionRow> {
    let named = readings.all("flag_sample_ratio_mismatch");
    named.filter_map(|reading| {
        let flag: FlagKey = reading.label("flag").parse().ok()?;
        let revision = reading.label("revision");
        let why = match Timestamp::parse(revision) {
            Ok(made) => html! { "of the revision made at " (time(made)) ", in 24 hours" },
            Err(_) => shown(revision),
        };
        Some((flag, "sample ratio mismatch", why))
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
        let [(flag, state, why)] = found.as_slice() else {
            panic!("{}", found.len())
        };
        assert_eq!(flag.to_string(), "p/feature/f");
        assert_eq!(*state, "sample ratio mismatch");
        assert!(why.0.contains("2026-11-28 12:00:00"), "{}", why.0);
    }
}

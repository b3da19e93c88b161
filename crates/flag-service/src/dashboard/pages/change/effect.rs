//! What a change does: the flag now and then, who changes sides, and what is risky about it.

use flag_describe::sentence;
use maud::{Markup, html};

use super::{ChangePage, effect_link};
use crate::dashboard::change::{Planned, Sample, Wanted, sample};
use crate::dashboard::pages::commands::of_change;
use crate::dashboard::pages::timeline::{Numbers, difference};
use crate::dashboard::parts::{
    bucket_line, capitalised, command, counted, legend, shown, thousands,
};
use crate::dashboard::query::revision_link;

impl ChangePage<'_> {
    /// How many of the instances in the log it concerns.
    pub(super) async fn sample(&self, planned: &Planned) -> Option<Sample> {
        let now = self.state.in_force()?;
        let (log, names) = (&*self.sources.log, &self.sources.names);
        sample(log, names, &self.state.flag, [now, &planned.next]).await
    }

    /// The flag now and then, and who changes sides.
    pub(super) fn effect(
        &self,
        wanted: &Wanted,
        planned: &Planned,
        sample: Option<Sample>,
        numbers: &Numbers,
    ) -> Markup {
        let now = self.state.in_force();
        html! {
            section aria-labelledby="effect" {
                h2 id="effect" { (self.what(wanted, numbers)) }
                @if let Some(summary) = planned.effect.summary() { p.effect { (capitalised(&summary)) "." } }
                @if let Some(sample) = sample { p.effect { (of_sample(sample)) } }
                (self.overridden(wanted))
                @if let Some(now) = now {
                    h3 { "Now" }
                    p.sentence { bdi { (sentence(now)) } }
                    (bucket_line(now, None))
                } @else {
                    p.problem { "The newest revision cannot be read, so what changes is not known." }
                }
                h3 { "Then" }
                p.sentence { bdi { (sentence(&planned.next)) } }
                (bucket_line(&planned.next, None))
                (legend(&planned.next))
                @if let Some(now) = now {
                    h3 { "What differs" }
                    (difference(self.state.history.first(), &planned.preview(now)))
                }
                @if let Some(text) = of_change(&self.state.flag, now, wanted) {
                    h3 { "The same with " code { "flagctl" } }
                    (command(&text))
                }
            }
        }
    }

    fn what(&self, wanted: &Wanted, numbers: &Numbers) -> Markup {
        match wanted {
            Wanted::Rollback(to) => html! {
                "Roll back to " a href=(revision_link(&self.state.flag, *to)) { (numbers.label(*to)) }
            },
            Wanted::Percent { group, percent } => {
                html! { "Set " (shown(group)) " to " (shown(percent)) " %" }
            }
            Wanted::Off {
                takes_overrides: false,
            } => html! { "Give the control value to everybody" },
            Wanted::Off { .. } => {
                html! { "Give the control value to everybody, also by name" }
            }
        }
    }

    /// The instances that keep their value when the flag is switched off, and how not.
    fn overridden(&self, wanted: &Wanted) -> Markup {
        let lists = self.state.in_force().map(|now| now.treatments.iter());
        let lists = lists.into_iter().flatten();
        let overridden: usize = lists.map(|treatment| treatment.overrides.len()).sum();
        let other =
            |takes_overrides| effect_link(&self.state.flag, &Wanted::Off { takes_overrides });
        let instances = counted(overridden.try_into().unwrap_or(u64::MAX), "instance");
        match wanted {
            _ if overridden == 0 => html! {},
            Wanted::Off {
                takes_overrides: false,
            } => html! {
                p.notice { (instances) " in override lists: nothing changes for them. "
                    a href=(other(true)) { "Give them the control value, too" } }
            },
            Wanted::Off { .. } => html! {
                p.notice { "The override lists are emptied, with " (instances) ". " a href=(other(false)) { "Keep them" } }
            },
            _ => html! {},
        }
    }
}

fn of_sample(sample: Sample) -> String {
    let number = |number: usize| thousands(number.try_into().unwrap_or(u64::MAX));
    let (seen, changed) = (number(sample.seen), number(sample.changed));
    let rows = counted(sample.rows.try_into().unwrap_or(u64::MAX), "row");
    let found = format!("found in {rows} of the exposure log");
    match (sample.seen, sample.changed) {
        (1, 0) => format!("The one instance {found} keeps its value."),
        (1, _) => format!("The one instance {found} receives another value."),
        (_, 1) => format!("Of {seen} instances {found}, 1 receives another value."),
        _ => format!("Of {seen} instances {found}, {changed} receive another value."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_instances_are_sentences() {
        let sample = |rows, seen, changed| {
            of_sample(Sample {
                rows,
                seen,
                changed,
            })
        };
        assert_eq!(
            sample(5_000, 1_200, 240),
            "Of 1,200 instances found in 5,000 rows of the exposure log, 240 receive another value."
        );
        assert!(
            sample(9, 3, 1).ends_with("in 9 rows of the exposure log, 1 receives another value.")
        );
        assert!(sample(1, 1, 0).ends_with("in 1 row of the exposure log keeps its value."));
    }
}

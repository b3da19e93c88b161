//! What a change does: the flag now and then, who changes sides, and what is risky about it.

use flag_describe::sentence;
use maud::{Markup, html};

use super::{ChangePage, effect_link};
use crate::dashboard::change::{NextRevision, NotCounted, SeenInstances, Wanted, seen_instances};
use crate::dashboard::pages::commands::of_change;
use crate::dashboard::pages::timeline::{RevisionNumbers, difference};
use crate::dashboard::parts::{
    bucket_line, capitalised, command, legend, pluralized, shown, thousands,
};
use crate::dashboard::query::revision_link;

impl ChangePage<'_> {
    /// How many of the instances seen lately it moves.
    pub(super) async fn seen_instances(
        &self,
        next: &NextRevision,
    ) -> Option<Result<SeenInstances, NotCounted>> {
        let current = self.state.in_force()?;
        let (log, id_mode) = (&*self.sources.log, &self.sources.id_mode);
        let of = (&self.state.flag, self.request.now);
        Some(seen_instances(log, id_mode, of, [current, &next.revision]).await)
    }

    /// The flag now and then, and who changes sides.
    pub(super) fn effect(
        &self,
        wanted: &Wanted,
        next: &NextRevision,
        seen: Option<Result<SeenInstances, NotCounted>>,
        numbers: &RevisionNumbers,
    ) -> Markup {
        let now = self.state.in_force();
        html! {
            section aria-labelledby="effect" {
                h2 id="effect" { (self.what(wanted, numbers)) }
                @if let Some(summary) = next.effect.summary() { p.effect { (capitalised(&summary)) "." } }
                @if let Some(seen) = seen { p.effect { (of_seen(seen)) } }
                (self.overridden(wanted))
                @if let Some(now) = now {
                    h3 { "Now" }
                    p.sentence { bdi { (sentence(now)) } }
                    (bucket_line(now, None))
                } @else {
                    p.problem { "The newest revision cannot be read, so what changes is not known." }
                }
                h3 { "Then" }
                p.sentence { bdi { (sentence(&next.revision)) } }
                (bucket_line(&next.revision, None))
                (legend(&next.revision))
                @if let Some(now) = now {
                    h3 { "What differs" }
                    (difference(self.state.history.first(), &next.preview(now)))
                }
                @if let Some(text) = of_change(&self.state.flag, now, wanted) {
                    h3 { "The same with " code { "flagctl" } }
                    (command(&text))
                }
            }
        }
    }

    fn what(&self, wanted: &Wanted, numbers: &RevisionNumbers) -> Markup {
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
        let instances = pluralized(overridden.try_into().unwrap_or(u64::MAX), "instance");
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

fn of_seen(seen: Result<SeenInstances, NotCounted>) -> String {
    let days = SeenInstances::DAYS;
    let seen = match seen {
        Ok(seen) => seen,
        Err(NotCounted::Hashed) => {
            return "How many of the instances seen lately receive another value is not known: the log has hashes of their ids only.".to_owned();
        }
        Err(NotCounted::Unread) => {
            return "How many of the instances seen lately receive another value is not known: the log could not be read in time.".to_owned();
        }
    };
    if seen.instances == 0 {
        return format!("No instance has asked for it in the last {days} days.");
    }
    let instances = pluralized(seen.instances, "instance");
    let found = if seen.is_complete {
        format!("Of {instances} seen in the last {days} days")
    } else {
        let read = pluralized(seen.exposures, "exposure");
        format!(
            "Of {instances} found in {read} of the last {days} days, which are not all, or some have hashed ids"
        )
    };
    let by_override = match seen.by_override {
        0 => String::new(),
        some => format!(" ({} by override)", thousands(some)),
    };
    let moved = match seen.moved {
        0 => "none receives another value".to_owned(),
        1 => "1 receives another value".to_owned(),
        some => format!("{} receive another value", thousands(some)),
    };
    let stay = match seen.instances - seen.moved {
        1 => "1 keeps its value".to_owned(),
        some => format!("{} keep theirs", thousands(some)),
    };
    format!("{found}, {moved}{by_override} and {stay}.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_instances_are_sentences() {
        let seen = SeenInstances {
            exposures: 5_000,
            instances: 1_200,
            moved: 240,
            by_override: 0,
            is_complete: true,
        };
        assert_eq!(
            of_seen(Ok(seen)),
            "Of 1,200 instances seen in the last 7 days, 240 receive another value and 960 keep theirs."
        );
        let part = SeenInstances {
            by_override: 3,
            is_complete: false,
            ..seen
        };
        let part = of_seen(Ok(part));
        assert!(
            part.starts_with(
                "Of 1,200 instances found in 5,000 exposures of the last 7 days, which are not all"
            ),
            "{part}"
        );
        assert!(
            part.contains("240 receive another value (3 by override)"),
            "{part}"
        );
        let none = SeenInstances {
            moved: 0,
            instances: 1,
            ..seen
        };
        let none = of_seen(Ok(none));
        assert!(
            none.ends_with("none receives another value and 1 keeps its value."),
            "{none}"
        );
    }
}

//! The `flagctl` commands about a flag and its changes, ready to copy. Each succeeds as it stands.

use flag_describe::{flag_words, word};
use flag_model::{FlagKey, FlagType, InstanceId, Metadata, Revision, Timestamp, Treatment};
use flag_rollout::are_equivalent;
use flag_store::RollbackPath;
use maud::{Markup, html};

use super::stored::StoredRevision;
use crate::dashboard::change::Wanted;
use crate::dashboard::parts::{command, shown};

/// An instance id that stands for the one that is meant.
const EXAMPLE: &str = "A12345";

/// The reason that stands for the true one.
const REASON: &str = "--comment 'why'";

/// The longest value in a command, in bytes.
const LONGEST: usize = 1_000;

/// What is known of a flag for whom commands are printed.
pub(super) struct FlagCommands<'a> {
    pub(super) flag: &'a FlagKey,
    /// `None` if it has none, or none that can be read.
    pub(super) metadata: Option<&'a Metadata>,
    /// The newest first.
    pub(super) history: &'a [StoredRevision],
    /// Whether it has more revisions than these.
    pub(super) has_more: bool,
    /// The instance that the page is asked about, as it was typed.
    pub(super) asked: &'a str,
}

/// What a command does, and the command.
type Printed = (String, String);

impl FlagCommands<'_> {
    /// The commands with their headings.
    pub(super) fn render(&self) -> Markup {
        html! {
            @for (what, text) in self.printed() { h3 { (shown(&what)) } (command(&text)) }
        }
    }

    fn printed(&self) -> Vec<Printed> {
        let mut printed = Vec::new();
        match self.history.first() {
            Some(Ok(newest)) => {
                printed.extend(self.changes(newest));
                printed.extend(self.roll_back());
                printed.extend(self.looks());
            }
            Some(Err(_)) => {
                printed.extend(self.roll_back());
                printed.push(self.history());
            }
            None => printed.push(self.first_revision()),
        }
        printed.extend(self.of_metadata());
        printed
    }

    /// Percentages, overrides, and control for everybody.
    fn changes(&self, newest: &Revision) -> Vec<Printed> {
        let words = flag_words(self.flag);
        let mut printed = Vec::new();
        for (at, treatment) in newest.treatments.iter().enumerate() {
            let (which, group) = (selector(newest, at), newest.group(at));
            printed.push((
                format!("Set the percentage of {group}; write the one that you want"),
                format!(
                    "flagctl revise {which}--percent {} {REASON} {words}",
                    treatment.percent
                ),
            ));
            printed.push(self.by_name(treatment, &group, &which));
        }
        if newest.treatments.is_empty() {
            printed.push((
                "Give some instances another value".to_owned(),
                format!(
                    "flagctl revise --treatment new{} --percent 10 {REASON} {words}",
                    new_value(self.flag)
                ),
            ));
        } else {
            printed.push((
                "Give control to everybody".to_owned(),
                format!("flagctl kill {REASON} {words}"),
            ));
        }
        printed
    }

    /// Adds an instance to an override list, or takes it off: adding it twice is refused.
    fn by_name(&self, treatment: &Treatment, group: &str, which: &str) -> Printed {
        let (words, id) = (flag_words(self.flag), self.instance());
        let mut ids = treatment.overrides.iter();
        let (what, option) = if ids.any(|other| other.as_str() == id) {
            (
                "Take an instance off the override list of",
                "--remove-override",
            )
        } else {
            ("Put an instance on the override list of", "--override")
        };
        let id = word(id);
        (
            format!("{what} {group}"),
            format!("flagctl revise {which}{option}={id} {REASON} {words}"),
        )
    }

    /// Roll back, unless there is no other revision to go back to.
    fn roll_back(&self) -> Option<Printed> {
        let path = RollbackPath::of(self.history, are_equivalent);
        let is_possible = self.has_more || path.back(1).is_some();
        let command = format!("flagctl rollback {}", flag_words(self.flag));
        is_possible.then(|| ("Roll back".to_owned(), command))
    }

    fn looks(&self) -> Vec<Printed> {
        let words = flag_words(self.flag);
        let mut printed = vec![(
            "Look at the revision in force".to_owned(),
            format!("flagctl latest {words}"),
        )];
        printed.push(self.history());
        printed.push((
            "What an instance receives, and why".to_owned(),
            explain(self.flag, self.instance(), None),
        ));
        printed.push((
            "What was served in the last 24 hours".to_owned(),
            format!("flagctl exposures --since 24h --limit 20 {words}"),
        ));
        printed
    }

    fn history(&self) -> Printed {
        let command = format!("flagctl history {}", flag_words(self.flag));
        ("All revisions".to_owned(), command)
    }

    /// The instance that was asked about, or another one if `flagctl` would read that as a list or a file.
    fn instance(&self) -> &str {
        let is_plain = !self.asked.contains(',') && !self.asked.starts_with('@');
        let is_id = InstanceId::new(self.asked).is_ok();
        if is_plain && is_id {
            self.asked
        } else {
            EXAMPLE
        }
    }

    fn first_revision(&self) -> Printed {
        let control = match self.flag.flag_type {
            FlagType::Feature => "false",
            FlagType::Data => "'value'",
        };
        let words = flag_words(self.flag);
        (
            "Make its first revision, so that it is served".to_owned(),
            format!("flagctl revise --control {control} {REASON} {words}"),
        )
    }

    /// What needs metadata: `flagctl` refuses it without.
    fn of_metadata(&self) -> Vec<Printed> {
        let Some(metadata) = self.metadata else {
            return Vec::new();
        };
        let words = flag_words(self.flag);
        let mut printed = vec![(
            "Change owner, tags or description".to_owned(),
            format!("flagctl update --owner 'name' {words}"),
        )];
        let newest = self.history.first().and_then(|newest| newest.as_ref().ok());
        if metadata.is_retired() {
            printed.push((
                "Take back that it is retired".to_owned(),
                format!("flagctl retire --undo {words}"),
            ));
        } else if let Some(newest) = newest {
            let control = newest.control.to_string();
            let command = format!("flagctl retire --value={} {REASON} {words}", word(&control));
            let what = "Retire it: freeze its value before it is removed from the code".to_owned();
            printed.extend((control.len() <= LONGEST).then_some((what, command)));
        }
        printed
    }
}

/// The command that shows what an instance receives, now or at a time.
pub(super) fn explain(flag: &FlagKey, instance: &str, at: Option<Timestamp>) -> String {
    let at = at.map(|at| format!("--at {} ", word(&at.to_string())));
    let end = if instance.starts_with('-') { "-- " } else { "" };
    format!(
        "flagctl explain {}{end}{} {}",
        at.unwrap_or_default(),
        flag_words(flag),
        word(instance)
    )
}

/// The command that rolls back to the revision made at this time.
pub(super) fn roll_back_to(flag: &FlagKey, to: Timestamp) -> String {
    let to = word(&to.to_string());
    format!("flagctl rollback --to {to} {}", flag_words(flag))
}

/// The command that makes the same change of a revision in force as the dashboard.
pub(super) fn of_change(
    flag: &FlagKey,
    newest: Option<&Revision>,
    wanted: &Wanted,
) -> Option<String> {
    let words = flag_words(flag);
    Some(match wanted {
        Wanted::Rollback(to) => roll_back_to(flag, *to),
        Wanted::Off {
            takes_overrides: true,
        } => format!("flagctl kill --overrides {REASON} {words}"),
        Wanted::Off { .. } => format!("flagctl kill {REASON} {words}"),
        Wanted::Percent { group, percent } => {
            let newest = newest?;
            let mut positions = 0..newest.treatments.len();
            let at = positions.find(|at| newest.group(*at) == *group)?;
            let from = word(&newest.created().to_string());
            let (which, percent) = (selector(newest, at), word(percent));
            format!(
                "flagctl revise {which}--percent {percent} --from-revision {from} {REASON} {words}"
            )
        }
    })
}

/// The option that chooses a treatment, where there are several.
fn selector(revision: &Revision, at: usize) -> String {
    if revision.treatments.len() < 2 {
        return String::new();
    }
    format!("--treatment {} ", word(&format!("#{}", at + 1)))
}

/// The option for the value of a new treatment, where it has no default.
fn new_value(flag: &FlagKey) -> &'static str {
    match flag.flag_type {
        FlagType::Feature => "",
        FlagType::Data => " --value 'value'",
    }
}

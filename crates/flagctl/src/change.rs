//! The change that a write will make, shown for confirmation.
mod impact;

use std::collections::HashSet;
use std::fmt;

use flag_describe::{Difference as Row, revision_differences};
pub(crate) use flag_model::Reason;
use flag_model::{
    FlagKey, FlagName, InstanceId, InvalidRevision, Metadata, MetadataParts, OwnerId, Percent,
    Revision, RevisionParts, Timestamp,
};
pub(crate) use flag_rollout::{Plan, decide};

pub(crate) use self::impact::Impact;
use self::impact::keeps_instances;
use crate::equivalence::are_equivalent;
use crate::output::{Columns, Text, Tone, hidden_content, list_item, visible};

/// How many suspicious ids are listed.
const WARNINGS: usize = 10;

/// The change that a write will make.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    /// The flag.
    pub(crate) flag: FlagKey,
    /// The differences, and all rollout groups.
    rows: Vec<Row>,
    /// Warnings for the person who confirms.
    warnings: Vec<String>,
    /// Which instances receive another value; absent for a first revision and for metadata.
    impact: Option<Impact>,
    overridden: OverrideImpact,
    /// Whether every instance receives the same value as now.
    changes_nothing: bool,
    /// A risk that needs a confirmation by name.
    pub(crate) risks: Vec<Risk>,
}

/// A risk that needs a confirmation by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Risk {
    /// The treatments in force are removed because the input leaves them out.
    LeavesOutTreatments,
    /// No instance keeps the control value, or gets it in a first revision.
    Everybody,
    /// Everybody receives another value.
    EverybodyElse,
    /// Everybody gets a new bucket.
    Resalt,
    /// Instances move from one treatment to another.
    BetweenTreatments,
    /// A revision that was rolled back comes into force again.
    UndoesRollback,
    /// The revision in force is unreadable, so the change is unknown.
    Unreadable,
    /// A row ahead of the clock comes into force later.
    Ahead,
}

impl fmt::Display for Risk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LeavesOutTreatments => {
                "the treatments in force are removed, as they are left out (an empty list, [], removes them without this confirmation)"
            }
            Self::Everybody => "nobody keeps the control value",
            Self::EverybodyElse => "everybody receives another value",
            Self::Resalt => "everybody gets a new bucket",
            Self::BetweenTreatments => "instances move from one treatment to another",
            Self::UndoesRollback => "what was rolled back comes into force again",
            Self::Ahead => "an existing revision comes into force later and replaces this one",
            Self::Unreadable => {
                "the revision in force cannot be read, so what changes is not known"
            }
        })
    }
}

impl Change {
    /// From the revision in force, if there is one, to the next.
    pub(crate) fn of(
        newest: Option<&Revision>,
        next: &RevisionParts,
    ) -> Result<Self, InvalidRevision> {
        let next = Revision::new(Timestamp::UNIX_EPOCH, next.clone())?;
        let rows = revision_differences(newest, &next);
        let impact = newest.map(|newest| Impact::of(newest, &next));
        let overridden = newest
            .map(|newest| OverrideImpact::of(newest, &next))
            .unwrap_or_default();
        let risks = match newest {
            Some(newest) => risks(newest, &next, impact.as_ref(), overridden),
            // A first revision is a change for every instance that gets a treatment.
            None if reaches_everybody(&next) => vec![Risk::Everybody],
            None => Vec::new(),
        };
        Ok(Self {
            flag: next.flag.clone(),
            rows,
            warnings: odd_ids(newest, &next),
            impact,
            overridden,
            changes_nothing: newest.is_some_and(|newest| are_equivalent(newest, &next)),
            risks,
        })
    }

    /// From the newest metadata, if there is any, to the next.
    pub(crate) fn of_metadata(newest: Option<&Metadata>, next: &MetadataParts) -> Self {
        let row = |what: &str, of: &dyn Fn(&MetadataParts) -> Option<String>| {
            let now = newest.and_then(|newest| of(newest));
            Row::new(what, now, of(next).unwrap_or_default())
        };
        let tags = |parts: &MetadataParts| {
            let tags: Vec<String> = parts.tags.iter().map(|tag| list_item(tag)).collect();
            Some(tags.join(", "))
        };
        let rows = [
            row("description", &|parts| Some(visible(&parts.description))),
            row("owner", &|parts| shown_owner(parts.owner.as_ref())),
            row("ticket", &|parts| parts.ticket.as_deref().map(visible)),
            row("tags", &tags),
            row("expires on", &|parts| Some(parts.expires_on?.to_string())),
        ];
        Self {
            flag: next.flag.clone(),
            rows: rows.into_iter().filter(Row::differs).collect(),
            warnings: Vec::new(),
            impact: None,
            overridden: OverrideImpact::default(),
            changes_nothing: false,
            risks: Vec::new(),
        }
    }

    /// The same change with a risk.
    pub(crate) fn with_risk(mut self, risk: Risk) -> Self {
        self.risks.push(risk);
        self
    }

    /// The same change with a warning.
    pub(crate) fn with_warning(mut self, warning: &str) -> Self {
        self.warnings.push(format!("warning: {warning}"));
        self
    }

    /// The same change with a note.
    pub(crate) fn with_note(mut self, note: String) -> Self {
        self.warnings.push(note);
        self
    }

    /// The differing fields alone, each before the change and after; none if nothing differs.
    pub(crate) fn differences(&self, after: &str) -> Option<Text> {
        let mut columns = Columns::default();
        columns.line(Tone::Plain, ["  ", "exported", after].map(str::to_owned));
        let mut rows = self.rows.iter().filter(|row| row.differs()).peekable();
        rows.peek()?;
        for row in rows {
            let [what, before, after] = row.shown();
            columns.line(Tone::Plain, [format!("  {what}"), before, after]);
        }
        Some(columns.text())
    }

    /// Three columns: name, present value, next value; then how many instances receive another value.
    pub(crate) fn text(&self) -> Text {
        let mut columns = Columns::default();
        columns.line(Tone::Plain, ["  ", "now", "then"].map(str::to_owned));
        for row in &self.rows {
            let [what, now, then] = row.shown();
            let (sign, tone) = if row.differs() {
                Tone::of_difference(!now.is_empty(), !then.is_empty())
            } else {
                (' ', Tone::Plain)
            };
            columns.line(tone, [format!("{sign} {what}"), now, then]);
        }
        let mut below = self.warnings.clone();
        below.extend(self.summary());
        Text::plain(&self.flag.to_string())
            .then(columns.text())
            .then(Text::plain(&below.join("\n")))
    }

    /// How many instances receive another value.
    fn summary(&self) -> Option<String> {
        let impact = self.impact.as_ref()?;
        Some(match self.overridden.changed {
            _ if self.changes_nothing => {
                "nothing changes for any instance: the revision in force decides the same"
                    .to_owned()
            }
            0 => format!("{impact}{}", self.staying(impact)),
            1 => format!(
                "{impact}, and so does 1 instance in an override list{}",
                self.staying(impact)
            ),
            overridden => format!(
                "{impact}, and so do {overridden} instances in override lists{}",
                self.staying(impact)
            ),
        })
    }

    /// Says that another value moves nobody to another treatment.
    fn staying(&self, impact: &Impact) -> &'static str {
        let within = self.overridden.within_treatments;
        let changes_some = impact.percent() > Percent::ZERO || within > 0;
        if changes_some && impact.is_within_treatments() && within == self.overridden.changed {
            "; they stay in their treatment"
        } else {
            ""
        }
    }

    /// The name that confirms the risks.
    pub(crate) fn name(&self) -> &FlagName {
        &self.flag.name
    }
}

fn shown_owner(owner: Option<&OwnerId>) -> Option<String> {
    Some(visible(owner?.as_str()))
}

/// Warns of new ids in override lists that are easily mistaken for other ids.
fn odd_ids(newest: Option<&Revision>, next: &Revision) -> Vec<String> {
    let lists = newest.iter().flat_map(|newest| &newest.treatments);
    let known: HashSet<&InstanceId<'_>> = lists.flat_map(|list| &list.overrides).collect();
    let lists = next.treatments.iter().enumerate();
    let ids = lists.flat_map(|(at, list)| list.overrides.iter().map(move |id| (at, id)));
    let new = ids.filter(|(_, id)| !known.contains(id));
    let mut warnings = new.filter_map(|(at, id)| {
        let (group, hidden) = (next.group(at), hidden_content(id.as_str())?);
        let id = visible(id.as_str());
        Some(format!(
            "warning: {group} overrides {id}, an id with {hidden}"
        ))
    });
    let mut shown: Vec<String> = warnings.by_ref().take(WARNINGS).collect();
    let more = warnings.count();
    if more > 0 {
        shown.push(format!("warning: {more} more ids are like this"));
    }
    shown
}

fn risks(
    newest: &Revision,
    next: &Revision,
    impact: Option<&Impact>,
    overridden: OverrideImpact,
) -> Vec<Risk> {
    let mut risks = Vec::new();
    if !reaches_everybody(newest) && reaches_everybody(next) {
        risks.push(Risk::Everybody);
    }
    if !newest.format.assigns_equal_buckets(&next.format) {
        risks.push(Risk::Resalt);
    }
    if impact.is_some_and(Impact::any_between_treatments) || overridden.any_between_treatments {
        risks.push(Risk::BetweenTreatments);
    }
    if impact.is_some_and(Impact::is_everybody) && !risks.contains(&Risk::Everybody) {
        risks.push(Risk::EverybodyElse);
    }
    risks
}

/// Whether the treatments leave nobody with the control value.
fn reaches_everybody(revision: &Revision) -> bool {
    let percents = revision
        .treatments
        .iter()
        .map(|each| each.percent.buckets());
    percents.sum::<u32>() >= Percent::HUNDRED.buckets()
}

/// The effect on the instances that are in an override list before or after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct OverrideImpact {
    /// How many of them receive another value.
    changed: usize,
    /// How many of those stay in their treatment.
    within_treatments: usize,
    /// Whether one of them moves from one treatment to another.
    any_between_treatments: bool,
}

impl OverrideImpact {
    fn of(newest: &Revision, next: &Revision) -> Self {
        let lists = [newest, next]
            .into_iter()
            .flat_map(|revision| &revision.treatments);
        let ids: HashSet<&InstanceId<'_>> =
            lists.flat_map(|treatment| &treatment.overrides).collect();
        let (before, after) = (Plan::compile(newest.clone()), Plan::compile(next.clone()));
        let mut overridden = Self::default();
        for id in ids {
            let (was, is) = (decide(&before, id), decide(&after, id));
            if was.value != is.value {
                overridden.changed += 1;
                if was.reason != Reason::Control && is.reason != Reason::Control {
                    let groups = [was.rollout_group, is.rollout_group];
                    let is_kept = keeps_instances(newest, next, groups);
                    overridden.within_treatments += usize::from(is_kept);
                    overridden.any_between_treatments |= !is_kept;
                }
            }
        }
        overridden
    }
}

impl fmt::Display for Change {
    /// As in [`Change::text`], without a terminal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text().uncoloured())
    }
}

#[cfg(test)]
mod tests;

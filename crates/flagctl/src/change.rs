//! The change that a write will make, shown for confirmation.
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use flag_describe::{ComparedField, revision_fields};
use flag_model::{
    FlagKey, FlagName, InstanceId, InvalidRevision, Metadata, MetadataParts, OwnerId, Revision,
    RevisionParts, Timestamp,
};
use flag_rollout::{ChangeImpact, Plan, Risk};

use crate::output::{Columns, Text, Tone, hidden_content, list_item, visible};

/// How many suspicious ids are listed.
const WARNINGS: usize = 10;

/// The change that a write will make.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    /// The flag.
    pub(crate) flag: FlagKey,
    /// The differences, and all rollout groups.
    fields: Vec<ComparedField>,
    /// Warnings for the person who confirms.
    warnings: Vec<String>,
    /// Which instances receive another value; of metadata none do.
    impact: ChangeImpact,
    /// The revision in force and the next one; absent for a first revision and for metadata.
    plans: Option<Arc<PlanPair>>,
    /// What is said of the instances that were seen.
    seen_lines: Vec<String>,
    /// A risk that needs a confirmation by name.
    pub(crate) risks: Vec<Risk>,
}

/// What decides before a change and after it.
#[derive(Debug)]
pub(crate) struct PlanPair {
    pub(crate) before: Plan,
    pub(crate) after: Plan,
}

impl Change {
    /// From the revision in force, if there is one, to the next.
    pub(crate) fn of(
        newest: Option<&Revision>,
        next: &RevisionParts,
    ) -> Result<Self, InvalidRevision> {
        let next = Revision::new(Timestamp::UNIX_EPOCH, next.clone())?;
        let fields = revision_fields(newest, &next);
        let impact = ChangeImpact::of(newest, &next);
        let plans = newest.map(|newest| PlanPair {
            before: Plan::compile(newest.clone()),
            after: Plan::compile(next.clone()),
        });
        Ok(Self {
            flag: next.flag.clone(),
            fields,
            warnings: odd_ids(newest, &next),
            risks: impact.risks().to_vec(),
            impact,
            plans: plans.map(Arc::new),
            seen_lines: Vec::new(),
        })
    }

    /// From the newest metadata, if there is any, to the next.
    pub(crate) fn of_metadata(newest: Option<&Metadata>, next: &MetadataParts) -> Self {
        let field = |what: &str, of: &dyn Fn(&MetadataParts) -> Option<String>| {
            let now = newest.and_then(|newest| of(newest));
            ComparedField::new(what, now, of(next).unwrap_or_default())
        };
        let tags = |parts: &MetadataParts| {
            let tags: Vec<String> = parts.tags.iter().map(|tag| list_item(tag)).collect();
            Some(tags.join(", "))
        };
        let fields = [
            field("description", &|parts| Some(visible(&parts.description))),
            field("owner", &|parts| shown_owner(parts.owner.as_ref())),
            field("ticket", &|parts| parts.ticket.as_deref().map(visible)),
            field("tags", &tags),
            field("expires on", &|parts| Some(parts.expires_on?.to_string())),
        ];
        Self {
            flag: next.flag.clone(),
            fields: fields.into_iter().filter(ComparedField::differs).collect(),
            warnings: Vec::new(),
            impact: ChangeImpact::default(),
            plans: None,
            seen_lines: Vec::new(),
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

    /// What decides before and after; none for a first revision and for metadata.
    pub(crate) fn plans(&self) -> Option<Arc<PlanPair>> {
        self.plans.clone()
    }

    /// Whether the next revision decides the same for every instance.
    pub(crate) fn changes_nothing(&self) -> bool {
        self.impact.changes_nothing()
    }

    /// Adds what is said of the instances that were seen.
    pub(crate) fn set_seen_lines(&mut self, seen_lines: Vec<String>) {
        self.seen_lines = seen_lines;
    }

    /// The differing fields alone, each before the change and after; none if nothing differs.
    pub(crate) fn differences(&self, after: &str) -> Option<Text> {
        let mut columns = Columns::default();
        columns.line(Tone::Plain, ["  ", "exported", after].map(str::to_owned));
        let mut differing = self
            .fields
            .iter()
            .filter(|field| field.differs())
            .peekable();
        differing.peek()?;
        for field in differing {
            let [what, before, after] = field.shown();
            columns.line(Tone::Plain, [format!("  {what}"), before, after]);
        }
        Some(columns.text())
    }

    /// Three columns: name, present value, next value; then how many instances receive another value.
    pub(crate) fn text(&self) -> Text {
        let mut columns = Columns::default();
        columns.line(Tone::Plain, ["  ", "current", "new"].map(str::to_owned));
        for field in &self.fields {
            let [what, before, after] = field.shown();
            let (sign, tone) = if field.differs() {
                Tone::of_difference(!before.is_empty(), !after.is_empty())
            } else {
                (' ', Tone::Plain)
            };
            columns.line(tone, [format!("{sign} {what}"), before, after]);
        }
        let mut below = self.warnings.clone();
        below.extend(self.impact.summary());
        below.extend(self.seen_lines.iter().cloned());
        Text::plain(&self.flag.to_string())
            .then(columns.text())
            .then(Text::plain(&below.join("\n")))
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

impl fmt::Display for Change {
    /// As in [`Change::text`], without a terminal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text().uncoloured())
    }
}

#[cfg(test)]
mod tests;

//! What a write will change, for the person who decides whether to do it.
mod sides;

use std::collections::HashSet;
use std::fmt;

use flag_model::{
    FlagKey, FlagName, Format, InstanceId, InvalidRevision, Metadata, MetadataParts, Percent,
    Revision, RevisionParts, Timestamp, Treatment, quoted,
};

pub(crate) use flag_rollout::{Plan, Reason, decide};

pub(crate) use self::sides::Sides;

use crate::alike::decide_alike;
use crate::output;

/// How many characters of a value are shown.
const SHOWN_CHARACTERS: usize = 60;

/// How many of them stand before the first one that differs.
const SHOWN_BEFORE: usize = 20;

/// How long a list of instance ids is shown.
const SHOWN_IDS: usize = 10;

/// What a write will change.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    /// The flag.
    pub(crate) flag: FlagKey,
    /// What differs, and the rollout groups whether they differ or not.
    rows: Vec<Row>,
    /// Which instances receive another value; absent where nobody received one, and for metadata.
    sides: Option<Sides>,
    overridden: Overridden,
    /// Whether everybody receives what they receive now.
    is_idle: bool,
    /// What wants a confirmation by name.
    pub(crate) risks: Vec<Risk>,
}

/// One thing, as it is and as it will be.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    what: String,
    now: String,
    then: String,
}

/// What wants a confirmation by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Risk {
    /// Somebody was left with the control value, and nobody will be.
    Everybody,
    /// Everybody receives another value.
    EverybodyElse,
    /// Everybody gets a new bucket.
    Reshuffle,
    /// Instances go from one treatment to another.
    BetweenTreatments,
    /// What a rollback took back comes into force again.
    UndoesRollback,
    /// Nobody knows what is given up.
    Unreadable,
}

impl fmt::Display for Risk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Everybody => "nobody is left with the control value",
            Self::EverybodyElse => "everybody receives another value",
            Self::Reshuffle => "everybody gets a new bucket",
            Self::BetweenTreatments => "instances go from one treatment to another",
            Self::UndoesRollback => "what was rolled back comes into force again",
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
        let mut rows = vec![Row::new(
            "version",
            newest.map(|newest| format(&newest.format)),
            format(&next.format),
        )];
        rows.retain(Row::differs);
        rows.push(Row::new(
            "control",
            newest.map(|newest| newest.control.to_string()),
            next.control.to_string(),
        ));
        rows.extend(group_rows(newest, &next));
        rows.extend(override_rows(newest, &next));
        rows.extend(signature_rows(newest, &next));
        let sides = newest.map(|newest| Sides::of(newest, &next));
        let overridden = newest
            .map(|newest| Overridden::of(newest, &next))
            .unwrap_or_default();
        let risks = newest.map_or_else(Vec::new, |newest| {
            risks(newest, &next, sides.as_ref(), overridden)
        });
        Ok(Self {
            flag: next.flag.clone(),
            rows,
            sides,
            overridden,
            is_idle: newest.is_some_and(|newest| decide_alike(newest, &next)),
            risks,
        })
    }

    /// From the metadata that counts, if there is any, to the next.
    pub(crate) fn of_metadata(newest: Option<&Metadata>, next: &MetadataParts) -> Self {
        let text =
            |of: &dyn Fn(&MetadataParts) -> String| (newest.map(|newest| of(newest)), of(next));
        let owner = |parts: &MetadataParts| {
            parts
                .owner
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default()
        };
        let expires_on = |parts: &MetadataParts| {
            parts
                .expires_on
                .map(|date| date.to_string())
                .unwrap_or_default()
        };
        let fields = [
            ("description", text(&|parts| parts.description.clone())),
            ("owner", text(&owner)),
            (
                "ticket",
                text(&|parts| parts.ticket.clone().unwrap_or_default()),
            ),
            ("tags", text(&|parts| parts.tags.join(", "))),
            ("expires on", text(&expires_on)),
        ];
        let rows = fields
            .into_iter()
            .map(|(what, (now, then))| Row::new(what, now, then));
        Self {
            flag: next.flag.clone(),
            rows: rows.filter(Row::differs).collect(),
            sides: None,
            overridden: Overridden::default(),
            is_idle: false,
            risks: Vec::new(),
        }
    }

    /// The same change, which also does this.
    pub(crate) fn with_risk(mut self, risk: Risk) -> Self {
        self.risks.push(risk);
        self
    }

    /// The name that confirms the risks.
    pub(crate) fn name(&self) -> &FlagName {
        &self.flag.name
    }
}

impl Row {
    fn new(what: impl Into<String>, now: Option<String>, then: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            now: now.unwrap_or_default(),
            then: then.into(),
        }
    }

    fn differs(&self) -> bool {
        self.now != self.then
    }

    /// As a terminal may show it: on one line, and cut so that what differs is to be seen.
    fn shown(&self) -> [String; 3] {
        let same = self
            .now
            .chars()
            .zip(self.then.chars())
            .take_while(|(now, then)| now == then)
            .count();
        let from = if self.differs() {
            same.saturating_sub(SHOWN_BEFORE)
        } else {
            0
        };
        [
            output::shown(&self.what),
            cut(&self.now, from),
            cut(&self.then, from),
        ]
    }
}

/// Some characters of a text from a position on, with dots where there are more.
fn cut(text: &str, from: usize) -> String {
    let length = text.chars().count();
    if length <= SHOWN_CHARACTERS {
        return output::shown(text);
    }
    let from = from.min(length - SHOWN_CHARACTERS);
    let shown: String = text.chars().skip(from).take(SHOWN_CHARACTERS).collect();
    let before = if from > 0 { "…" } else { "" };
    let after = if from + SHOWN_CHARACTERS < length {
        "…"
    } else {
        ""
    };
    format!("{before}{}{after}", output::shown(&shown))
}

fn format(format: &Format) -> String {
    match format {
        Format::V1 => "1".to_owned(),
        Format::V2 { algorithm, salt } => format!("2, {algorithm}, salt {salt}"),
    }
}

/// The rollout groups of both, by name.
fn group_names(newest: Option<&Revision>, next: &Revision) -> Vec<String> {
    let mut names = Vec::new();
    for revision in newest.into_iter().chain([next]) {
        let groups = (0..revision.treatments.len()).map(|at| revision.group(at));
        names.extend(
            groups
                .filter(|group| !names.contains(group))
                .collect::<Vec<_>>(),
        );
    }
    names
}

/// The treatment of a rollout group.
fn treatment<'r>(revision: &'r Revision, group: &str) -> Option<&'r Treatment> {
    revision
        .treatments
        .iter()
        .enumerate()
        .find(|(at, _)| revision.group(*at) == group)
        .map(|(_, treatment)| treatment)
}

fn group_rows(newest: Option<&Revision>, next: &Revision) -> Vec<Row> {
    let show =
        |treatment: &Treatment| format!("{} % {}", treatment.percent, shown_value(treatment));
    let rows = group_names(newest, next).into_iter().map(|group| {
        let now = newest
            .and_then(|newest| treatment(newest, &group))
            .map(show);
        let then = treatment(next, &group).map(show).unwrap_or_default();
        Row::new(group, now, then)
    });
    rows.collect()
}

/// What a revision says of itself, as far as it differs.
fn signature_rows(newest: Option<&Revision>, next: &Revision) -> Vec<Row> {
    let owner = |revision: &Revision| revision.owner.as_ref().map(ToString::to_string);
    let rollback_of = |revision: &Revision| revision.rollback_of.map(|time| time.to_string());
    let mut rows = vec![
        Row::new(
            "comment",
            newest.map(|newest| newest.comment.clone()),
            next.comment.clone(),
        ),
        Row::new(
            "owner",
            newest.and_then(owner),
            owner(next).unwrap_or_default(),
        ),
        Row::new(
            "rollback of",
            newest.and_then(rollback_of),
            rollback_of(next).unwrap_or_default(),
        ),
    ];
    rows.retain(Row::differs);
    rows
}

fn shown_value(treatment: &Treatment) -> String {
    treatment.value.to_string()
}

fn override_rows(newest: Option<&Revision>, next: &Revision) -> Vec<Row> {
    let ids = |revision: Option<&Revision>, group: &str| -> Vec<InstanceId<'static>> {
        let treatment = revision.and_then(|revision| treatment(revision, group));
        treatment
            .map(|treatment| treatment.overrides.clone())
            .unwrap_or_default()
    };
    let mut rows = Vec::new();
    for group in group_names(newest, next) {
        let (before, after) = (ids(newest, &group), ids(Some(next), &group));
        let removed = listed(&before, &after);
        let added = listed(&after, &before);
        if !removed.is_empty() || !added.is_empty() {
            rows.push(Row {
                what: format!("{group} overrides"),
                now: minus(&removed),
                then: plus(&added),
            });
        }
    }
    rows
}

/// The ids of one list that the other hasn't, the first few by name.
fn listed(of: &[InstanceId<'_>], other: &[InstanceId<'_>]) -> String {
    let other: HashSet<&str> = other.iter().map(InstanceId::as_str).collect();
    let ids: Vec<&str> = of
        .iter()
        .map(InstanceId::as_str)
        .filter(|id| !other.contains(id))
        .collect();
    let shown: Vec<String> = ids.iter().take(SHOWN_IDS).map(|id| shown_id(id)).collect();
    let more = ids.len().saturating_sub(SHOWN_IDS);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    shown.join(" ") + &more
}

/// An id as it is, or in quotes if a terminal could misread it.
fn shown_id(id: &str) -> String {
    let is_plain = id
        .chars()
        .all(|character| !character.is_control() && !character.is_whitespace());
    if is_plain { id.to_owned() } else { quoted(id) }
}

fn minus(ids: &str) -> String {
    if ids.is_empty() {
        String::new()
    } else {
        format!("without {ids}")
    }
}

fn plus(ids: &str) -> String {
    if ids.is_empty() {
        String::new()
    } else {
        format!("with {ids}")
    }
}

fn risks(
    newest: &Revision,
    next: &Revision,
    sides: Option<&Sides>,
    overridden: Overridden,
) -> Vec<Risk> {
    let total = |revision: &Revision| -> u32 {
        revision
            .treatments
            .iter()
            .map(|treatment| treatment.percent.buckets())
            .sum()
    };
    let hundred = Percent::HUNDRED.buckets();
    let mut risks = Vec::new();
    if total(newest) < hundred && total(next) == hundred {
        risks.push(Risk::Everybody);
    }
    if newest.format != next.format {
        risks.push(Risk::Reshuffle);
    }
    if sides.is_some_and(Sides::any_between_treatments) || overridden.any_between_treatments {
        risks.push(Risk::BetweenTreatments);
    }
    if sides.is_some_and(Sides::is_everybody) && !risks.contains(&Risk::Everybody) {
        risks.push(Risk::EverybodyElse);
    }
    risks
}

/// What happens to the instances that stand in an override list before or after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Overridden {
    /// How many of them receive another value.
    value: usize,
    /// Whether one of them goes from one treatment to another.
    any_between_treatments: bool,
}

impl Overridden {
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
                overridden.value += 1;
                overridden.any_between_treatments |=
                    was.reason != Reason::Control && is.reason != Reason::Control;
            }
        }
        overridden
    }
}

impl fmt::Display for Change {
    /// Three columns: what, as it is, as it will be; then how many instances receive another value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<[String; 3]> = self.rows.iter().map(Row::shown).collect();
        let width = |of: fn(&[String; 3]) -> &str| {
            rows.iter()
                .map(|row| of(row).chars().count())
                .max()
                .unwrap_or(0)
        };
        let what = width(|[what, _, _]| what);
        let now = width(|[_, now, _]| now).max("now".len());
        writeln!(f, "{}", self.flag)?;
        writeln!(f, "  {:what$}  {:now$}  then", "", "now")?;
        for (row, [shown_what, shown_now, shown_then]) in self.rows.iter().zip(&rows) {
            let mark = if row.differs() { '*' } else { ' ' };
            let line = format!("{mark} {shown_what:what$}  {shown_now:now$}  {shown_then}");
            writeln!(f, "{}", line.trim_end())?;
        }
        match &self.sides {
            Some(_) if self.is_idle => writeln!(
                f,
                "nothing changes for any instance: the revision in force decides alike"
            ),
            Some(sides) if self.overridden.value > 0 => {
                writeln!(
                    f,
                    "{sides}, and so do {} whom an override list names",
                    self.overridden.value
                )
            }
            Some(sides) => writeln!(f, "{sides}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;

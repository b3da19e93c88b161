//! The differences of two revisions: one field each, with present and next value.

use std::collections::HashSet;

use flag_model::{AlgorithmSource, BucketScheme, InstanceId, Revision, Treatment};

use crate::escape::{escaped, list_item, visible};

/// How many characters of a value are shown.
const SHOWN_CHARACTERS: usize = 60;

/// How many of them are shown before the first one that differs.
const SHOWN_BEFORE: usize = 20;

/// The longest list of instance ids that is shown.
const SHOWN_IDS: usize = 10;

/// A field with its present and its next value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComparedField {
    what: String,
    now: String,
    then: String,
}

/// Every difference between two revisions, and all rollout groups.
pub fn revision_fields(newest: Option<&Revision>, next: &Revision) -> Vec<ComparedField> {
    let mut fields = allocation_fields(newest, next);
    fields.extend(signature_fields(newest, next));
    fields
}

/// Those of them that decide who gets what.
pub fn allocation_fields(newest: Option<&Revision>, next: &Revision) -> Vec<ComparedField> {
    let mut fields = vec![ComparedField::new(
        "version",
        newest.map(|newest| scheme(&newest.scheme)),
        scheme(&next.scheme),
    )];
    fields.retain(ComparedField::differs);
    fields.push(ComparedField::new(
        "control",
        newest.map(|newest| visible(&newest.control.to_string())),
        visible(&next.control.to_string()),
    ));
    fields.extend(group_fields(newest, next));
    fields.extend(override_fields(newest, next));
    fields
}

impl ComparedField {
    /// The present value, if there is one, and the next.
    pub fn new(what: impl Into<String>, now: Option<String>, then: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            now: now.unwrap_or_default(),
            then: then.into(),
        }
    }

    /// Whether it changes.
    pub fn differs(&self) -> bool {
        self.now != self.then
    }

    /// Escaped for a terminal: on one line, and cut so that the difference is visible.
    pub fn shown(&self) -> [String; 3] {
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
            escaped(&self.what),
            cut(&self.now, from),
            cut(&self.then, from),
        ]
    }
}

/// Some characters of a text from a position on, with dots where there are more.
fn cut(text: &str, from: usize) -> String {
    let length = text.chars().count();
    if length <= SHOWN_CHARACTERS {
        return escaped(text);
    }
    let from = from.min(length - SHOWN_CHARACTERS);
    let part: String = text.chars().skip(from).take(SHOWN_CHARACTERS).collect();
    let before = if from > 0 { "…" } else { "" };
    let after = if from + SHOWN_CHARACTERS < length {
        "…"
    } else {
        ""
    };
    format!("{before}{}{after}", escaped(&part))
}

fn scheme(scheme: &BucketScheme) -> String {
    match scheme {
        BucketScheme::V1 {
            source: AlgorithmSource::Setting,
            ..
        } => "1".to_owned(),
        BucketScheme::V1 { algorithm, .. } => format!("1, {algorithm}"),
        BucketScheme::V2 { algorithm, salt } => format!("2, {algorithm}, salt {salt}"),
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

fn group_fields(newest: Option<&Revision>, next: &Revision) -> Vec<ComparedField> {
    let show =
        |treatment: &Treatment| format!("{} % {}", treatment.percent, shown_value(treatment));
    let fields = group_names(newest, next).into_iter().map(|group| {
        let now = newest
            .and_then(|newest| treatment(newest, &group))
            .map(show);
        let then = treatment(next, &group).map(show).unwrap_or_default();
        ComparedField::new(group, now, then)
    });
    fields.collect()
}

/// The differing fields about a revision itself.
fn signature_fields(newest: Option<&Revision>, next: &Revision) -> Vec<ComparedField> {
    let owner = |revision: &Revision| revision.owner.as_ref().map(ToString::to_string);
    let rollback_of = |revision: &Revision| revision.rollback_of.map(|time| time.to_string());
    let mut fields = vec![
        ComparedField::new(
            "comment",
            newest.map(|newest| visible(&newest.comment)),
            visible(&next.comment),
        ),
        ComparedField::new(
            "owner",
            newest.and_then(owner),
            owner(next).unwrap_or_default(),
        ),
        ComparedField::new(
            "rollback of",
            newest.and_then(rollback_of),
            rollback_of(next).unwrap_or_default(),
        ),
    ];
    fields.retain(ComparedField::differs);
    fields
}

fn shown_value(treatment: &Treatment) -> String {
    visible(&treatment.value.to_string())
}

fn override_fields(newest: Option<&Revision>, next: &Revision) -> Vec<ComparedField> {
    let ids = |revision: Option<&Revision>, group: &str| -> Vec<InstanceId<'static>> {
        let treatment = revision.and_then(|revision| treatment(revision, group));
        treatment
            .map(|treatment| treatment.overrides.clone())
            .unwrap_or_default()
    };
    let mut fields = Vec::new();
    for group in group_names(newest, next) {
        let (before, after) = (ids(newest, &group), ids(Some(next), &group));
        let removed = listed(&before, &after);
        let added = listed(&after, &before);
        if !removed.is_empty() || !added.is_empty() {
            fields.push(ComparedField {
                what: format!("{group} overrides"),
                now: minus(&removed),
                then: plus(&added),
            });
        }
    }
    fields
}

/// The ids that only one list has; the first few are named.
fn listed(of: &[InstanceId<'_>], other: &[InstanceId<'_>]) -> String {
    let other: HashSet<&str> = other.iter().map(InstanceId::as_str).collect();
    let ids: Vec<&str> = of
        .iter()
        .map(InstanceId::as_str)
        .filter(|id| !other.contains(id))
        .collect();
    let shown: Vec<String> = ids.iter().take(SHOWN_IDS).map(|id| list_item(id)).collect();
    let more = ids.len().saturating_sub(SHOWN_IDS);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    shown.join(", ") + &more
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

//! The fields that cells may have, and what they may hold.

use std::borrow::Cow;

use flag_model::{Date, FlagType, InstanceId, Timestamp};
use flag_store::literal::{self, Literal, Node};
use flag_store::{FlagRowKey, RowType};

use super::config_text::{ConfigText, found_and_expected, steps};
use super::excerpt::ExcerptStep;
use super::{ConfigError, cell};

const OF_METADATA: &[&str] = &[
    "Name",
    "Type",
    "Description",
    "OwnerID",
    "EditedBy",
    "Ticket",
    "Tags",
    "ExpiresOn",
    "CreatedTime",
];
/// The last one only in version 2.
const OF_REVISION: &[&str] = &[
    "Name",
    "Type",
    "FormatVersion",
    "ControlValue",
    "Comment",
    "OwnerID",
    "Treatments",
    "CreatedTime",
    "RollbackOf",
    "HashAlgorithm",
    "Salt",
];
/// The last two only in version 2.
const OF_TREATMENT: &[&str] = &["OverrideList", "PercentRollout", "Value", "Name", "Ranges"];
/// Fields that must be text.
const TEXTS: [&str; 12] = [
    "Name",
    "Type",
    "Description",
    "OwnerID",
    "EditedBy",
    "Ticket",
    "ExpiresOn",
    "Comment",
    "CreatedTime",
    "RollbackOf",
    "HashAlgorithm",
    "Salt",
];

/// Fields that must not be null.
const REQUIRED: [&str; 8] = [
    "Name",
    "Type",
    "Description",
    "FormatVersion",
    "ControlValue",
    "Comment",
    "HashAlgorithm",
    "Salt",
];

/// Refuses values that would be lost or misread. A copied row may contain whatever a stored one may.
pub(super) fn check_fields(
    text: &ConfigText<'_>,
    path: &[ExcerptStep<'_>],
    fields: &[(Cow<'_, str>, Node<'_>)],
    key: &FlagRowKey,
    is_copy: bool,
) -> Result<(), ConfigError> {
    let version = fields.iter().find(|(name, _)| *name == "FormatVersion");
    let is_version_2 = version.is_some_and(|(_, version)| cell(version) == "2");
    let of_version = |all: &'static [&'static str], last: usize| {
        let last = if is_version_2 { 0 } else { last };
        all.get(..all.len() - last).unwrap_or(all)
    };
    let known = match key.row_type {
        RowType::Metadata => OF_METADATA,
        RowType::Revision => of_version(OF_REVISION, 1),
    };
    let known_of_treatment = of_version(OF_TREATMENT, 2);
    if !is_copy {
        text.only(path, fields, known)?;
    }
    for (name, value) in fields {
        let path = steps(path, &[ExcerptStep::Key(name)]);
        check_kind(text, &path, (name, value), key.flag.flag_type)?;
        match (&**name, &value.literal) {
            // What cannot be read is pointed at; the rest is taken as it is stored.
            ("Treatments", Literal::Text(text)) if is_copy && is_unreadable(text) => {
                ConfigText::read("Treatments", text)?;
            }
            _ if is_copy => {}
            ("RollbackOf", Literal::Text(created)) => {
                let created = Timestamp::parse(created);
                created.map_err(|invalid| text.wrong(&path, found_and_expected(&invalid)))?;
            }
            ("ExpiresOn", Literal::Text(day)) if !day.is_empty() => {
                let day = Date::parse(day);
                day.map_err(|invalid| text.wrong(&path, found_and_expected(&invalid)))?;
            }
            ("Tags", Literal::Null) => {}
            ("Tags", Literal::Text(tags)) if tags.is_empty() => {}
            ("Tags", Literal::Text(tags)) => {
                let text = ConfigText::read("Tags", tags)?;
                check_tags(&text, &[], &text.root)?;
            }
            ("Tags", tags) => check_tags(text, &path, tags)?,
            // As a row without any has it.
            ("Treatments", Literal::Text(treatments)) if treatments.trim().is_empty() => {}
            ("Treatments", Literal::Text(treatments)) => {
                let text = ConfigText::read("Treatments", treatments)?;
                check_treatments(&text, &[], &text.root, known_of_treatment)?;
            }
            ("Treatments", treatments) => {
                check_treatments(text, &path, treatments, known_of_treatment)?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn is_unreadable(text: &str) -> bool {
    !text.trim().is_empty() && literal::parse(text).is_err()
}

fn check_kind(
    text: &ConfigText<'_>,
    path: &[ExcerptStep<'_>],
    (name, value): (&str, &Literal<'_>),
    flag_type: FlagType,
) -> Result<(), ConfigError> {
    let is_right = match (name, value) {
        ("ControlValue", Literal::Boolean(_)) => flag_type == FlagType::Feature,
        // Which text it is, and whether it says `true` or `False`, is for the reader of rows.
        ("ControlValue", Literal::Text(_)) => true,
        ("ControlValue", _) => false,
        (name, Literal::Null) => !REQUIRED.contains(&name),
        (_, Literal::Text(_)) => true,
        (name, _) => !TEXTS.contains(&name),
    };
    if is_right {
        return Ok(());
    }
    let expected = match (name, flag_type) {
        ("ControlValue", FlagType::Feature) => "true or false, as the flag is a feature",
        ("FormatVersion", _) => "1 or 2",
        _ => "text",
    };
    let problem = format!("{name}: found {}, expected {expected}", value.kind());
    Err(text.wrong(path, problem))
}

fn check_tags(
    text: &ConfigText<'_>,
    path: &[ExcerptStep<'_>],
    tags: &Literal<'_>,
) -> Result<(), ConfigError> {
    let wrong = |path: &[ExcerptStep<'_>], found: &Literal<'_>, expected: &str| {
        let problem = format!("Tags: found {}, expected {expected}", found.kind());
        Err(text.wrong(path, problem))
    };
    let Literal::List(tags) = tags else {
        return wrong(path, tags, "a list of text");
    };
    let mut others = tags.iter().enumerate();
    match others.find(|(_, tag)| !matches!(tag.literal, Literal::Text(_))) {
        Some((at, tag)) => wrong(&steps(path, &[ExcerptStep::Index(at)]), tag, "text"),
        None => Ok(()),
    }
}

fn check_treatments(
    text: &ConfigText<'_>,
    path: &[ExcerptStep<'_>],
    treatments: &Literal<'_>,
    known: &[&str],
) -> Result<(), ConfigError> {
    let Literal::List(treatments) = treatments else {
        return Ok(());
    };
    for (at, treatment) in treatments.iter().enumerate() {
        if let Literal::Dict(fields) = &treatment.literal {
            let path = steps(path, &[ExcerptStep::Index(at)]);
            text.only(&path, fields, known)?;
            if let Some(Literal::List(ids)) = treatment.get("OverrideList") {
                check_overrides(
                    text,
                    &steps(&path, &[ExcerptStep::Key("OverrideList")]),
                    ids,
                )?;
            }
        }
    }
    Ok(())
}

/// Refuses an invalid or a suspicious id.
fn check_overrides(
    text: &ConfigText<'_>,
    path: &[ExcerptStep<'_>],
    ids: &[Node<'_>],
) -> Result<(), ConfigError> {
    for (at, id) in ids.iter().enumerate() {
        let problem = match &id.literal {
            Literal::Text(id) => InstanceId::new(&**id)
                .err()
                .map(|invalid| found_and_expected(&invalid)),
            other => Some(format!("found {}, expected text", other.kind())),
        };
        if let Some(problem) = problem {
            let problem = format!("OverrideList: {problem}");
            return Err(text.wrong(&steps(path, &[ExcerptStep::Index(at)]), problem));
        }
    }
    Ok(())
}

//! The fields that cells may have, and what they may hold.

use flag_model::{FlagType, Invalid, Timestamp};
use flag_store::literal::Literal;
use flag_store::{FlagRowKey, RowType};

use super::place::Step;
use super::text::{Text, said};
use super::{ConfigError, cell};

const OF_METADATA: &[&str] = &[
    "Name",
    "Type",
    "Description",
    "OwnerID",
    "Ticket",
    "Tags",
    "ExpiresOn",
    "CreatedTime",
];
/// The last two only in version 2.
const OF_REVISION: &[&str] = &[
    "Name",
    "Type",
    "FormatVersion",
    "ControlValue",
    "Comment",
    "OwnerID",
    "Treatments",
    "CreatedTime",
    "HashAlgorithm",
    "Salt",
];
/// The last two only in version 2.
const OF_TREATMENT: &[&str] = &["OverrideList", "PercentRollout", "Value", "Name", "Ranges"];
/// What must be text, so that nothing else is taken for it.
const TEXTS: [&str; 10] = [
    "Name",
    "Type",
    "Description",
    "OwnerID",
    "Ticket",
    "ExpiresOn",
    "Comment",
    "CreatedTime",
    "HashAlgorithm",
    "Salt",
];

/// Refuses what would be dropped, or taken for something else.
pub(super) fn check_fields(
    text: &Text<'_>,
    path: &[Step<'_>],
    fields: &[(String, Literal)],
    key: &FlagRowKey,
) -> Result<(), ConfigError> {
    let get = |field: &str| {
        fields
            .iter()
            .find(|(name, _)| name == field)
            .map(|(_, value)| value)
    };
    let is_version_2 = get("FormatVersion").is_some_and(|version| cell(version) == "2");
    let of_version = |all: &'static [&'static str]| match all {
        [first @ .., _, _] if !is_version_2 => first,
        all => all,
    };
    let known = match key.row_type {
        RowType::Flag => OF_METADATA,
        RowType::Revision => of_version(OF_REVISION),
    };
    text.only(path, fields, known)?;
    for (name, value) in fields {
        let is_wrong = match (name.as_str(), value) {
            (_, Literal::Null | Literal::Text(_)) => {
                name == "ControlValue" && key.flag.flag_type == FlagType::Feature
            }
            ("ControlValue", Literal::Boolean(_)) => key.flag.flag_type == FlagType::Data,
            ("ControlValue", _) => true,
            (name, _) => TEXTS.contains(&name),
        };
        if is_wrong {
            let expected = match (name.as_str(), key.flag.flag_type) {
                ("ControlValue", FlagType::Feature) => "true or false, as the flag is a feature",
                _ => "text",
            };
            return Err(text.wrong(
                &steps(path, &[Step::Key(name)]),
                format!("{name}: found {}, expected {expected}", value.kind()),
            ));
        }
    }
    if let Some(Literal::Text(created)) = get("CreatedTime") {
        let refused = |invalid: Invalid| {
            text.wrong(&steps(path, &[Step::Key("CreatedTime")]), said(&invalid))
        };
        Timestamp::parse(created).map_err(refused)?;
    }
    let Some(Literal::List(treatments)) = get("Treatments") else {
        return Ok(());
    };
    for (at, treatment) in treatments.iter().enumerate() {
        if let Literal::Dict(fields) = treatment {
            let path = steps(path, &[Step::Key("Treatments"), Step::Index(at)]);
            text.only(&path, fields, of_version(OF_TREATMENT))?;
        }
    }
    Ok(())
}

fn steps<'s>(path: &[Step<'s>], more: &[Step<'s>]) -> Vec<Step<'s>> {
    path.iter().chain(more).copied().collect()
}

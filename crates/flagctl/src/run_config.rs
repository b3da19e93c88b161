//! The run configuration of the reference's DAG: what it says, or what is wrong with it and where.
//!
//! Pure: knows no store. A configuration becomes the row that the reference would write, which is then read as any row
//! is, so that nothing gets in that could not be read again.
mod place;

use flag_model::{
    FlagKey, FlagName, FlagType, Invalid, InvalidPercent, Metadata, ProjectName, Revision,
    Timestamp, quoted,
};
use flag_store::literal::{self, Literal, LiteralError};
use flag_store::{
    Cells, FlagRowKey, Row, RowType, UnreadableRow, decode_metadata, decode_revision,
};

use self::place::{Place, Step, place_of};
use crate::near::closest;

const PROJECT: &str = "row_key_prefix_PROJECT";
const ROW_TYPE: &str = "row_key_prefix_ROWTYPE";
const FLAG_TYPE: &str = "row_key_prefix_FLAGTYPE";
const FLAG_NAME: &str = "row_key_prefix_FLAGNAME";
const CELLS: &str = "row_cell_value";
const IS_NEW: &str = "add_new_feature_flag";
const ALL: [&str; 6] = [PROJECT, ROW_TYPE, FLAG_TYPE, FLAG_NAME, CELLS, IS_NEW];

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

/// What a run configuration asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RunConfig {
    /// New metadata, of a new flag or of one that is there.
    Metadata(Box<Metadata>),
    /// A revision.
    Revision(Box<Revision>),
}

/// What is wrong with a run configuration, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}, line {}, column {}: {problem}\n  {}\n  {}", place.line, place.column, place.shown, place.caret)]
pub(crate) struct ConfigError {
    /// Which text: the configuration, or the cell value in it.
    text: &'static str,
    place: Place,
    problem: String,
}

/// Reads a run configuration; `now` stands for the time that the row will get.
pub(crate) fn read(text: &str, now: Timestamp) -> Result<RunConfig, ConfigError> {
    let outer = Text {
        name: "run configuration",
        text,
    };
    let config = outer.parse()?;
    let Literal::Dict(fields) = &config else {
        return Err(outer.wrong(&[], format!("found {}, expected an object", config.kind())));
    };
    outer.only(&[], fields, &ALL)?;
    let key = row_key(&outer, &config, now)?;
    let value = outer.field(&config, CELLS)?;
    match value {
        Literal::Text(cells) => {
            let inner = Text {
                name: CELLS,
                text: cells,
            };
            read_cells(&inner, &[], &inner.parse()?, &key)
        }
        other => read_cells(&outer, &[Step::Key(CELLS)], other, &key),
    }
}

fn row_key(outer: &Text<'_>, config: &Literal, now: Timestamp) -> Result<FlagRowKey, ConfigError> {
    let row_type = match outer.text_field(config, ROW_TYPE)? {
        "FLAG" => RowType::Flag,
        "REVISION" => RowType::Revision,
        other => {
            return Err(outer.wrong(
                &[Step::Key(ROW_TYPE)],
                format!("found {}, expected FLAG or REVISION", quoted(other)),
            ));
        }
    };
    let Literal::Boolean(is_new) = outer.field(config, IS_NEW)? else {
        return Err(outer.wrong(&[Step::Key(IS_NEW)], "expected true or false".to_owned()));
    };
    if *is_new != (row_type == RowType::Flag) {
        let expected = if *is_new {
            "FLAG, as add_new_feature_flag is true"
        } else {
            "REVISION, as add_new_feature_flag is false"
        };
        let found = row_type.as_str();
        return Err(outer.wrong(
            &[Step::Key(ROW_TYPE)],
            format!("found {found}, expected {expected}"),
        ));
    }
    let invalid = |field| move |invalid: Invalid| outer.wrong(&[Step::Key(field)], said(&invalid));
    let flag = FlagKey {
        project: ProjectName::new(outer.text_field(config, PROJECT)?).map_err(invalid(PROJECT))?,
        flag_type: FlagType::parse(outer.text_field(config, FLAG_TYPE)?)
            .map_err(invalid(FLAG_TYPE))?,
        name: FlagName::new(outer.text_field(config, FLAG_NAME)?).map_err(invalid(FLAG_NAME))?,
    };
    Ok(FlagRowKey {
        row_type,
        flag,
        created: now,
    })
}

/// Reads the cells as those of a row; `path` says where in the text they stand.
fn read_cells(
    text: &Text<'_>,
    path: &[Step<'_>],
    cells: &Literal,
    key: &FlagRowKey,
) -> Result<RunConfig, ConfigError> {
    let Literal::Dict(fields) = cells else {
        return Err(text.wrong(path, format!("found {}, expected a dict", cells.kind())));
    };
    check_fields(text, path, fields, key)?;
    let filled = fields.iter().filter(|(_, value)| *value != Literal::Null);
    let row = Row {
        key: key.encode().into(),
        cells: filled
            .map(|(name, value)| (name.as_str(), cell(value)))
            .collect::<Cells>(),
    };
    let read = match key.row_type {
        RowType::Flag => {
            decode_metadata(&row).map(|metadata| RunConfig::Metadata(Box::new(metadata)))
        }
        RowType::Revision => {
            decode_revision(&row).map(|revision| RunConfig::Revision(Box::new(revision)))
        }
    };
    let read = read.map_err(|unreadable| text.unreadable(path, cells, &unreadable))?;
    match &read {
        RunConfig::Metadata(metadata) if metadata.description.trim().is_empty() => {
            Err(text.missing(path, "Description"))
        }
        RunConfig::Revision(revision) if revision.comment.trim().is_empty() => {
            Err(text.missing(path, "Comment"))
        }
        _ => Ok(read),
    }
}

/// Refuses what would be dropped, or taken for something else.
fn check_fields(
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

/// The cell of a value: text as it is, everything else as JSON.
fn cell(value: &Literal) -> String {
    match value {
        Literal::Text(text) => text.clone(),
        other => json(other).to_string(),
    }
}

fn json(value: &Literal) -> serde_json::Value {
    match value {
        Literal::Null => serde_json::Value::Null,
        Literal::Boolean(value) => (*value).into(),
        Literal::Number(number) => {
            let text = number.to_string();
            serde_json::from_str(&text).unwrap_or(serde_json::Value::String(text))
        }
        Literal::Text(text) => text.as_str().into(),
        Literal::List(items) => items.iter().map(json).collect(),
        Literal::Dict(fields) => fields
            .iter()
            .map(|(name, value)| (name.clone(), json(value)))
            .collect(),
    }
}

/// A text that was given, and what it is called.
struct Text<'a> {
    name: &'static str,
    text: &'a str,
}

impl Text<'_> {
    fn parse(&self) -> Result<Literal, ConfigError> {
        literal::parse(self.text).map_err(|error: LiteralError| ConfigError {
            text: self.name,
            place: Place::at(self.text, error.line(), error.column()),
            problem: format!("found {}, expected {}", error.found(), error.expected()),
        })
    }

    /// Something is wrong with the value at this path, or with the last value on it that is there.
    fn wrong(&self, path: &[Step<'_>], problem: String) -> ConfigError {
        let known = (0..=path.len())
            .rev()
            .find_map(|length| place_of(self.text, path.get(..length)?));
        let place = known.unwrap_or_else(|| Place::at(self.text, 1, 1));
        ConfigError {
            text: self.name,
            place,
            problem,
        }
    }

    fn missing(&self, path: &[Step<'_>], field: &str) -> ConfigError {
        self.wrong(path, format!("{field}: found nothing, expected some text"))
    }

    fn field<'l>(&self, config: &'l Literal, field: &str) -> Result<&'l Literal, ConfigError> {
        config
            .get(field)
            .ok_or_else(|| self.wrong(&[], format!("{field}: found no such field, expected one")))
    }

    fn text_field<'l>(
        &self,
        config: &'l Literal,
        field: &'static str,
    ) -> Result<&'l str, ConfigError> {
        match self.field(config, field)? {
            Literal::Text(text) => Ok(text),
            other => Err(self.wrong(
                &[Step::Key(field)],
                format!("found {}, expected text", other.kind()),
            )),
        }
    }

    /// Refuses fields that mean nothing, before what they hold gets lost.
    fn only(
        &self,
        path: &[Step<'_>],
        fields: &[(String, Literal)],
        known: &[&str],
    ) -> Result<(), ConfigError> {
        let Some((field, _)) = fields
            .iter()
            .find(|(field, _)| !known.contains(&field.as_str()))
        else {
            return Ok(());
        };
        let meant = closest(field, known.iter().copied())
            .map_or(String::new(), |near| format!("; did you mean {near}?"));
        let path: Vec<Step<'_>> = path.iter().copied().chain([Step::Key(field)]).collect();
        Err(self.wrong(&path, format!("{}: no such field{meant}", quoted(field))))
    }

    /// What is wrong with the row that the cells would be, and where in the text that stands.
    fn unreadable(
        &self,
        path: &[Step<'_>],
        cells: &Literal,
        unreadable: &UnreadableRow,
    ) -> ConfigError {
        let (steps, problem) = match unreadable {
            UnreadableRow::Percent { problem, .. } => {
                (percent_steps(cells, problem), problem.to_string())
            }
            UnreadableRow::Cell {
                column, problem, ..
            } => cell_steps(column, problem),
            other => (Vec::new(), other.to_string()),
        };
        let path: Vec<Step<'_>> = path
            .iter()
            .copied()
            .chain(steps.iter().map(OwnedStep::borrow))
            .collect();
        self.wrong(&path, problem)
    }
}

fn said(invalid: &Invalid) -> String {
    format!("found {}, expected {}", invalid.found, invalid.expected)
}

/// A [`Step`] that was read from a message.
enum OwnedStep {
    Key(String),
    Index(usize),
}

impl OwnedStep {
    fn borrow(&self) -> Step<'_> {
        match self {
            Self::Key(key) => Step::Key(key),
            Self::Index(index) => Step::Index(*index),
        }
    }
}

/// The steps to a field that a message names first, as in `Treatments[0].Value: found …`, and the message.
fn cell_steps(column: &str, problem: &str) -> (Vec<OwnedStep>, String) {
    let message = format!("{column}: {problem}");
    let named = problem
        .split_once(": ")
        .map(|(field, _)| field)
        .filter(|field| field.starts_with("Treatments["));
    let Some(field) = named else {
        return (vec![OwnedStep::Key(column.to_owned())], message);
    };
    let parts = field.split(['[', ']', '.']).filter(|part| !part.is_empty());
    let steps = parts.map(|part| {
        part.parse()
            .map_or_else(|_| OwnedStep::Key(part.to_owned()), OwnedStep::Index)
    });
    (steps.collect(), problem.to_owned())
}

/// The steps to the percentage that was found, or to the treatments if it is their total.
fn percent_steps(cells: &Literal, problem: &InvalidPercent) -> Vec<OwnedStep> {
    let key = |key: &str| OwnedStep::Key(key.to_owned());
    let treatments = match cells.get("Treatments") {
        Some(Literal::List(treatments)) => treatments.as_slice(),
        _ => &[],
    };
    let found = treatments
        .iter()
        .position(|treatment| match treatment.get("PercentRollout") {
            Some(Literal::Number(number)) => number.to_string() == problem.found,
            Some(Literal::Text(text)) => quoted(text) == problem.found,
            Some(other) => other.to_string() == problem.found,
            None => false,
        });
    match found {
        Some(at) => vec![
            key("Treatments"),
            OwnedStep::Index(at),
            key("PercentRollout"),
        ],
        None => vec![key("Treatments")],
    }
}

#[cfg(test)]
mod tests;

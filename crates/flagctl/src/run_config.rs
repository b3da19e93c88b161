//! The run configuration of the Python framework's DAG: its content, or its errors with positions.
//!
//! Pure: knows no store. A configuration becomes the row that the framework would write, which is then read as any row,
//! so that nothing is written that could not be read.
mod config_text;
mod excerpt;
mod fields;

use flag_model::{
    FlagKey, FlagName, FlagType, FlagValue, Invalid, Metadata, ProjectName, Revision, Timestamp,
    quoted,
};
use flag_store::literal::Literal;
use flag_store::{
    Cells, FlagRow, FlagRowKey, Oddity, Row, RowOptions, RowType, UnreadableRow, decode_metadata,
    decode_revision,
};

use self::config_text::{ConfigText, did_you_mean, found_and_expected};
use self::excerpt::{Excerpt, ExcerptStep};
use self::fields::check_fields;
use crate::exit_code::ExitCode;
use crate::failure::CommandError;

const PROJECT: &str = "row_key_prefix_PROJECT";
const ROW_TYPE: &str = "row_key_prefix_ROWTYPE";
const FLAG_TYPE: &str = "row_key_prefix_FLAGTYPE";
const FLAG_NAME: &str = "row_key_prefix_FLAGNAME";
const CELLS: &str = "row_cell_value";
const IS_NEW: &str = "add_new_feature_flag";
const TREATMENTS: &str = "Treatments";
const ALL: [&str; 6] = [PROJECT, ROW_TYPE, FLAG_TYPE, FLAG_NAME, CELLS, IS_NEW];

/// The content of a run configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RunConfig {
    /// New metadata, of a new flag or of one that is there.
    Metadata(Box<Metadata>),
    /// A revision.
    Revision(Box<Revision>),
}

/// The content of a run configuration, with warnings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ParsedConfig {
    pub(crate) config: RunConfig,
    pub(crate) warnings: Vec<String>,
    /// Whether it is a revision without the field of treatments, so that it has none.
    pub(crate) leaves_out_treatments: bool,
}

/// An error in a run configuration, with its position.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}, line {}, column {}: {problem}\n  {}\n  {}", excerpt.line, excerpt.column, excerpt.shown, excerpt.caret)]
pub(crate) struct ConfigError {
    /// Which text: the configuration, or the cell value in it.
    text: &'static str,
    excerpt: Excerpt,
    problem: String,
}

impl CommandError for ConfigError {
    fn exit_code(&self) -> ExitCode {
        ExitCode::Refused
    }
}

/// Reads a run configuration; `now` stands for the time that the row will get. A byte order mark is ignored.
///
/// A value that is converted gives a warning. Cells with `CreatedTime` were copied from a stored row: a part of them that
/// would be lost gives a warning too; in other configurations it is an error.
pub(crate) fn read(
    text: &str,
    now: Timestamp,
    options: &RowOptions,
) -> Result<ParsedConfig, ConfigError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let outer = ConfigText::read("run configuration", text)?;
    let Literal::Dict(fields) = &outer.root.literal else {
        let found = outer.root.kind();
        return Err(outer.wrong(&[], format!("found {found}, expected an object")));
    };
    outer.only(&[], fields, &ALL)?;
    let key = row_key(&outer, now)?;
    match outer.field(CELLS)? {
        Literal::Text(cells) => {
            let inner = ConfigText::read(CELLS, cells)?;
            read_cells(&inner, &[], &inner.root, &key, options)
        }
        other => read_cells(&outer, &[ExcerptStep::Key(CELLS)], other, &key, options),
    }
}

fn row_key(outer: &ConfigText<'_>, now: Timestamp) -> Result<FlagRowKey, ConfigError> {
    let row_type = row_type(outer)?;
    let invalid = |field| {
        move |invalid: Invalid| {
            outer.wrong(&[ExcerptStep::Key(field)], found_and_expected(&invalid))
        }
    };
    let flag = FlagKey {
        project: ProjectName::new(outer.text_field(PROJECT)?).map_err(invalid(PROJECT))?,
        flag_type: flag_type(outer)?,
        name: FlagName::new(outer.text_field(FLAG_NAME)?).map_err(invalid(FLAG_NAME))?,
    };
    Ok(FlagRowKey {
        row_type,
        flag,
        created: now,
    })
}

fn row_type(outer: &ConfigText<'_>) -> Result<RowType, ConfigError> {
    let wrong = |problem| outer.wrong(&[ExcerptStep::Key(ROW_TYPE)], problem);
    let types = [RowType::Metadata, RowType::Revision];
    let found = outer.text_field(ROW_TYPE)?;
    let Some(row_type) = types.into_iter().find(|known| known.as_str() == found) else {
        let suggestion = did_you_mean(&found.to_uppercase(), &types.map(RowType::as_str));
        let found = quoted(found);
        return Err(wrong(format!(
            "found {found}, expected FLAG or REVISION{suggestion}"
        )));
    };
    let is_new = match outer.field(IS_NEW)? {
        Literal::Boolean(is_new) => *is_new,
        other => {
            let problem = format!("found {}, expected true or false", other.kind());
            return Err(outer.wrong(&[ExcerptStep::Key(IS_NEW)], problem));
        }
    };
    if is_new == (row_type == RowType::Metadata) {
        return Ok(row_type);
    }
    let expected = if is_new {
        "FLAG, as add_new_feature_flag is true"
    } else {
        "REVISION, as add_new_feature_flag is false"
    };
    Err(wrong(format!("found {found}, expected {expected}")))
}

fn flag_type(outer: &ConfigText<'_>) -> Result<FlagType, ConfigError> {
    let found = outer.text_field(FLAG_TYPE)?;
    FlagType::parse(found).map_err(|invalid| {
        let suggestion = did_you_mean(&found.to_lowercase(), &FlagType::ALL.map(FlagType::as_str));
        outer.wrong(
            &[ExcerptStep::Key(FLAG_TYPE)],
            found_and_expected(&invalid) + &suggestion,
        )
    })
}

/// Reads the cells as those of a row; `path` is their position in the text.
fn read_cells(
    text: &ConfigText<'_>,
    path: &[ExcerptStep<'_>],
    cells: &Literal<'_>,
    key: &FlagRowKey,
    options: &RowOptions,
) -> Result<ParsedConfig, ConfigError> {
    let Literal::Dict(fields) = cells else {
        return Err(text.wrong(path, format!("found {}, expected a dict", cells.kind())));
    };
    let is_copy = cells.get("CreatedTime").is_some();
    check_fields(text, path, fields, key, is_copy)?;
    let filled = fields
        .iter()
        .filter(|(_, value)| value.literal != Literal::Null)
        .map(|(name, value)| (&**name, cell(value)));
    let row = Row {
        key: key.encode().into(),
        cells: filled.collect::<Cells>(),
    };
    let mut odd = FlagRow::inspect(&row, options, key.created).oddities;
    odd.retain(|odd| warrants_warning(odd, &row));
    let overrides = odd.iter().find(|odd| odd.field.ends_with(".OverrideList"));
    let read = match (key.row_type, overrides) {
        (RowType::Metadata, _) => {
            decode_metadata(&row).map(|metadata| RunConfig::Metadata(Box::new(metadata)))
        }
        (RowType::Revision, Some(odd)) if !is_copy => Err(refused(odd)),
        (RowType::Revision, _) => {
            decode_revision(&row, options).map(|revision| RunConfig::Revision(Box::new(revision)))
        }
    };
    let config = read.map_err(|unreadable| text.unreadable(path, cells, &unreadable))?;
    match &config {
        RunConfig::Metadata(metadata) if !is_copy && metadata.description.trim().is_empty() => {
            Err(text.blank(path, cells, "Description"))
        }
        RunConfig::Revision(revision) if !is_copy && revision.comment.trim().is_empty() => {
            Err(text.blank(path, cells, "Comment"))
        }
        _ => {
            let leaves_out_treatments = odd.iter().any(|odd| odd.field == TREATMENTS);
            let warnings = odd.iter().map(|odd| warning(odd, cells));
            let of_control = control_as_text(&config, cells).filter(|_| !is_copy);
            let warnings = of_control.into_iter().chain(warnings).collect();
            Ok(ParsedConfig {
                config,
                warnings,
                leaves_out_treatments,
            })
        }
    }
}

/// Whether to warn: always, except that the time of a copy is in the past.
fn warrants_warning(odd: &Oddity, row: &Row) -> bool {
    if odd.column != "CreatedTime" {
        return true;
    }
    let cell = row.cells.get("CreatedTime").unwrap_or_default();
    str::from_utf8(cell).is_ok_and(|text| Timestamp::parse(text).is_err())
}

/// The warning about a boolean that is spelled as text; in a copied row every cell is.
fn control_as_text(config: &RunConfig, cells: &Literal<'_>) -> Option<String> {
    match (config, cells.get("ControlValue")) {
        (RunConfig::Revision(revision), Some(Literal::Text(text)))
            if revision.flag.flag_type == FlagType::Feature
                && FlagValue::parse(FlagType::Feature, text).is_ok() =>
        {
            let (found, read_as) = (quoted(text), &revision.control);
            Some(format!("ControlValue: found {found}, read as {read_as}"))
        }
        _ => None,
    }
}

fn warning(odd: &Oddity, cells: &Literal<'_>) -> String {
    if odd.field != TREATMENTS {
        return odd.to_string();
    }
    let found = match cells.get(TREATMENTS) {
        None => "missing",
        Some(Literal::Text(text)) if text.trim().is_empty() => "empty",
        Some(_) => "null",
    };
    format!("{TREATMENTS} is {found}: everybody gets the control value")
}

fn refused(odd: &Oddity) -> UnreadableRow {
    UnreadableRow::Cell {
        key: String::new(),
        column: odd.column.clone(),
        problem: format!(
            "{}: found {}, expected each instance id in one place, as text",
            odd.field, odd.found
        ),
    }
}

/// The cell of a value: text as it is, everything else as JSON.
fn cell(value: &Literal<'_>) -> String {
    match value {
        Literal::Text(text) => text.clone().into_owned(),
        other => json(other).to_string(),
    }
}

fn json(value: &Literal<'_>) -> serde_json::Value {
    match value {
        Literal::Null => serde_json::Value::Null,
        Literal::Boolean(value) => (*value).into(),
        Literal::Number(number) => {
            let text = number.to_string();
            serde_json::from_str(&text).unwrap_or(serde_json::Value::String(text))
        }
        Literal::Text(text) => text.clone().into(),
        Literal::List(items) => items.iter().map(|item| json(item)).collect(),
        Literal::Dict(fields) => fields
            .iter()
            .map(|(name, value)| (name.clone().into_owned(), json(value)))
            .collect(),
    }
}

#[cfg(test)]
mod tests;

//! The run configuration of the reference's DAG: what it says, or what is wrong with it and where.
//!
//! Pure: knows no store. A configuration becomes the row that the reference would write, which is then read as any row
//! is, so that nothing gets in that could not be read again.
mod fields;
mod place;
mod text;

use flag_model::{
    FlagKey, FlagName, FlagType, Invalid, Metadata, ProjectName, Revision, Timestamp, quoted,
};
use flag_store::literal::Literal;
use flag_store::{Cells, FlagRowKey, Row, RowType, decode_metadata, decode_revision};

use self::fields::check_fields;
use self::place::{Place, Step};
use self::text::{Text, said};

const PROJECT: &str = "row_key_prefix_PROJECT";
const ROW_TYPE: &str = "row_key_prefix_ROWTYPE";
const FLAG_TYPE: &str = "row_key_prefix_FLAGTYPE";
const FLAG_NAME: &str = "row_key_prefix_FLAGNAME";
const CELLS: &str = "row_cell_value";
const IS_NEW: &str = "add_new_feature_flag";
const ALL: [&str; 6] = [PROJECT, ROW_TYPE, FLAG_TYPE, FLAG_NAME, CELLS, IS_NEW];

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

#[cfg(test)]
mod tests;

//! Revision rows.

use flag_model::{
    AlgorithmSource, BucketScheme, FlagType, FlagValue, FormatVersion, HashAlgorithm, Invalid,
    Revision, RevisionParts, Salt, Timestamp, quoted,
};

use super::carried::Carried;
use super::link::PREV_HASH;
use super::metadata::read_owner;
use super::treatments::{decode_treatments, encode_treatments};
use super::{MISSING, NOTHING, Oddities, Reader, UnreadableRow, cell_type};
use crate::literal::{self, Literal};
use crate::options::{CellFormat, RowOptions};
use crate::row_key::{FlagRowKey, RowType};
use crate::rows::{Cells, Row};

/// The longest comment of a revision.
const MAX_COMMENT_BYTES: usize = 64 * 1024;

/// What Python writes for no value, so that in version 1 it is no text either.
const NO_VALUE: &str = "None";

/// The columns that a revision has; the last two only in version 2.
const COLUMNS: &[&str] = &[
    "Name",
    "Type",
    "FormatVersion",
    "ControlValue",
    "Comment",
    "OwnerID",
    "Treatments",
    "CreatedTime",
    "HashAlgorithm",
    ROLLBACK_OF,
    "Salt",
    PREV_HASH,
];

/// The column that names the revision that a rollback brings into force again.
const ROLLBACK_OF: &str = "RollbackOf";

/// The columns that a revision of this version has.
pub(super) fn columns(version: FormatVersion) -> &'static [&'static str] {
    match (version, COLUMNS) {
        (FormatVersion::V1, [first @ .., _, _]) => first,
        _ => COLUMNS,
    }
}

/// The row of a revision; refused if its comment or its treatments are too long, or too many, to be read again.
pub fn encode_revision(revision: &Revision, options: &RowOptions) -> Result<Row, Invalid> {
    encode(revision, options, &Carried::default())
}

/// The row of a revision that comes into force again, with the unknown columns and fields of its old row.
pub(crate) fn encode_rollback(
    revision: &Revision,
    options: &RowOptions,
    old: &Row,
) -> Result<Row, Invalid> {
    let carried = Carried::from_row(old, revision, options);
    encode(revision, options, &carried)
}

fn encode(
    revision: &Revision,
    options: &RowOptions,
    carried: &Carried<'_>,
) -> Result<Row, Invalid> {
    let key = FlagRowKey {
        row_type: RowType::Revision,
        flag: revision.flag.clone(),
        created: revision.created(),
    };
    let cell_format = match revision.scheme {
        BucketScheme::V1 { .. } => options.v1_cells,
        BucketScheme::V2 { .. } => CellFormat::Json,
    };
    let treatments = encode_treatments(revision, cell_format, carried);
    at_most("Comment", &revision.comment, MAX_COMMENT_BYTES)?;
    literal::parse(&treatments)
        .map_err(|error| Invalid::new("Treatments", error.found(), error.expected()))?;
    let mut cells: Cells = carried.columns().collect();
    for (column, cell) in [
        ("Name", revision.flag.name.as_str()),
        ("Type", cell_type(revision.flag.flag_type)),
        ("FormatVersion", &revision.scheme.version().to_string()),
        ("ControlValue", encode_control(revision, cell_format)?),
        ("Comment", &revision.comment),
        ("Treatments", &treatments),
        ("CreatedTime", &revision.created().text()),
        (
            "OwnerID",
            revision.owner.as_ref().map_or("", |owner| owner.as_str()),
        ),
    ] {
        cells.set(column, cell);
    }
    encode_scheme(&revision.scheme, &mut cells);
    if let Some(rollback_of) = revision.rollback_of {
        cells.set(ROLLBACK_OF, rollback_of.to_string());
    }
    Ok(Row {
        key: key.encode().into(),
        cells,
    })
}

fn encode_control(revision: &Revision, cell_format: CellFormat) -> Result<&str, Invalid> {
    match &revision.control {
        FlagValue::Boolean(value) => Ok(cell_format.boolean(*value)),
        FlagValue::Text(text) if is_no_value(revision.scheme.version(), text) => Err(no_value()),
        FlagValue::Text(text) => Ok(text),
    }
}

fn encode_scheme(scheme: &BucketScheme, cells: &mut Cells) {
    match scheme {
        BucketScheme::V1 {
            algorithm,
            source: AlgorithmSource::Row,
        } => cells.set("HashAlgorithm", algorithm.as_str()),
        BucketScheme::V1 {
            source: AlgorithmSource::Setting,
            ..
        } => {}
        BucketScheme::V2 { algorithm, salt } => {
            cells.set("HashAlgorithm", algorithm.as_str());
            cells.set("Salt", salt.as_str());
        }
    }
}

/// A text that the Python framework would take for no value.
fn is_no_value(version: FormatVersion, text: &str) -> bool {
    version == FormatVersion::V1 && text == NO_VALUE
}

fn no_value() -> Invalid {
    Invalid::new("ControlValue", NO_VALUE, "a value")
}

fn at_most(field: &str, text: &str, max: usize) -> Result<(), Invalid> {
    if text.len() <= max {
        return Ok(());
    }
    Err(Invalid::new(
        field,
        format!("{} bytes", text.len()),
        format!("at most {max} bytes"),
    ))
}

/// Whether a row says that it is a rollback.
pub(super) fn is_rollback(row: &Row) -> bool {
    row.cells.get(ROLLBACK_OF).is_some()
}

/// Reads a revision row, of any format version that there is, as tolerantly as the Python framework did.
pub fn decode_revision(row: &Row, options: &RowOptions) -> Result<Revision, UnreadableRow> {
    read_revision(row, options, None)
}

/// Reads a revision row, and notes what is odd about it.
pub(crate) fn read_revision(
    row: &Row,
    options: &RowOptions,
    oddities: Option<&Oddities>,
) -> Result<Revision, UnreadableRow> {
    let reader = Reader::open(row, RowType::Revision, oddities)?;
    let version = read_version(&reader)?;
    reader.look_at_columns(columns(version));
    let parts = RevisionParts {
        flag: reader.key.flag.clone(),
        scheme: read_scheme(&reader, version, options)?,
        control: read_control(&reader, version)?,
        treatments: decode_treatments(&reader, version)?,
        comment: reader.text("Comment").unwrap_or_default().into_owned(),
        owner: read_owner(&reader, "OwnerID"),
        rollback_of: read_rollback_of(&reader),
    };
    let read = Revision::from_stored(reader.key.created, parts);
    let (revision, repeated) = read.map_err(|invalid| reader.invalid_revision(invalid))?;
    for one in repeated.chunk_by(|one, other| one.treatment == other.treatment) {
        reader.odd_repeated(one);
    }
    Ok(revision)
}

/// The bucket scheme of a row, also if its other cells cannot be read: its version; hash algorithm and salt if they are valid.
pub(crate) fn read_bucket_scheme(
    row: &Row,
    options: &RowOptions,
) -> Option<(FormatVersion, Option<BucketScheme>)> {
    let reader = Reader {
        row,
        key: (),
        oddities: None,
    };
    let version = read_version(&reader).ok()?;
    Some((version, read_scheme(&reader, version, options).ok()))
}

/// The version; a cell that is missing, or spells it as text or as a float, is what the Python framework left.
fn read_version<K>(reader: &Reader<'_, K>) -> Result<FormatVersion, UnreadableRow> {
    let Some(cell) = reader.filled("FormatVersion")? else {
        reader.odd("FormatVersion", || (MISSING.to_owned(), "1".to_owned()));
        return Ok(FormatVersion::V1);
    };
    let text = cell.trim();
    let refused = match FormatVersion::parse(text) {
        Ok(version) => return Ok(version),
        Err(refused) => refused,
    };
    let text = text.trim_matches(['\'', '"']);
    let whole = text.strip_suffix(".0").unwrap_or(text);
    let version = FormatVersion::parse(whole);
    let version = version.map_err(|_| reader.invalid("FormatVersion", refused))?;
    reader.odd("FormatVersion", || (quoted(cell), version.to_string()));
    Ok(version)
}

/// The control value. That of a `data` flag is bare text.
fn read_control(reader: &Reader<'_>, version: FormatVersion) -> Result<FlagValue, UnreadableRow> {
    let flag_type = reader.key.flag.flag_type;
    let text = reader.required("ControlValue")?;
    if flag_type == FlagType::Data && is_no_value(version, text) {
        return Err(reader.invalid("ControlValue", no_value()));
    }
    let refused = match FlagValue::parse(flag_type, text) {
        Ok(value) => return Ok(value),
        Err(refused) => refused,
    };
    let read = literal::parse(text).ok();
    let value = read.and_then(|literal| boolean(&literal));
    let value = value.filter(|_| flag_type == FlagType::Feature);
    let value = value.ok_or_else(|| reader.invalid("ControlValue", refused))?;
    reader.odd("ControlValue", || (quoted(text), value.to_string()));
    Ok(FlagValue::Boolean(value))
}

/// The boolean that a value stands for.
pub(super) fn boolean(literal: &Literal<'_>) -> Option<bool> {
    let text = match literal {
        Literal::Boolean(value) => return Some(*value),
        Literal::Text(text) => &**text,
        Literal::Number(number) => &number.as_str(),
        Literal::Null | Literal::List(_) | Literal::Dict(_) => return None,
    };
    match text {
        "True" | "true" | "1" => Some(true),
        "False" | "false" | "0" => Some(false),
        _ => None,
    }
}

fn read_rollback_of(reader: &Reader<'_>) -> Option<Timestamp> {
    let text = reader.text(ROLLBACK_OF)?;
    let time = Timestamp::parse(&text).ok();
    if time.is_none() {
        reader.odd(ROLLBACK_OF, || (quoted(&text), NOTHING.to_owned()));
    }
    time
}

fn read_scheme<K>(
    reader: &Reader<'_, K>,
    version: FormatVersion,
    options: &RowOptions,
) -> Result<BucketScheme, UnreadableRow> {
    let algorithm = |text| {
        HashAlgorithm::parse(text)
            .map_err(|invalid| reader.problem("HashAlgorithm", invalid.to_string()))
    };
    match version {
        FormatVersion::V1 => match reader.filled("HashAlgorithm")? {
            None => Ok(BucketScheme::v1(options.v1_algorithm)),
            Some(text) => Ok(BucketScheme::V1 {
                algorithm: algorithm(text)?,
                source: AlgorithmSource::Row,
            }),
        },
        FormatVersion::V2 => {
            let algorithm = algorithm(reader.required("HashAlgorithm")?)?;
            let salt = Salt::new(reader.required("Salt")?)
                .map_err(|invalid| reader.invalid("Salt", invalid))?;
            Ok(BucketScheme::V2 { algorithm, salt })
        }
    }
}

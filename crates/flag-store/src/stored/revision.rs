//! Revision rows.

use flag_model::{
    FlagValue, Format, FormatVersion, HashAlgorithm, Invalid, Revision, RevisionParts, Salt,
    Timestamp,
};

use super::metadata::read_owner;
use super::treatments::{decode_treatments, encode_treatments};
use super::{Reader, UnreadableRow, cell_type};
use crate::literal::{self, Arena};
use crate::port::{Cells, Row};
use crate::row_key::{FlagRowKey, RowType};

/// The longest comment of a revision.
const MAX_COMMENT_BYTES: usize = 64 * 1024;

/// The row of a revision; refused if its comment or its treatments are too long, or too many, to be read again.
pub fn encode_revision(revision: &Revision) -> Result<Row, Invalid> {
    let key = FlagRowKey {
        row_type: RowType::Revision,
        flag: revision.flag.clone(),
        created: revision.created(),
    };
    let treatments = encode_treatments(revision);
    at_most("Comment", &revision.comment, MAX_COMMENT_BYTES)?;
    literal::parse(&treatments, &Arena::new())
        .map_err(|error| Invalid::new("Treatments", error.found(), error.expected()))?;
    let mut cells = Cells::default()
        .with("Name", revision.flag.name.as_str())
        .with("Type", cell_type(revision.flag.flag_type))
        .with("FormatVersion", revision.format.version().to_string())
        .with("ControlValue", revision.control.to_string())
        .with("Comment", revision.comment.as_str())
        .with("Treatments", treatments)
        .with("CreatedTime", revision.created().to_string())
        .with(
            "OwnerID",
            revision.owner.as_ref().map_or("", |owner| owner.as_str()),
        );
    if let Format::V2 { algorithm, salt } = &revision.format {
        cells.set("HashAlgorithm", algorithm.as_str());
        cells.set("Salt", salt.as_str());
    }
    if let Some(rollback_of) = revision.rollback_of {
        cells.set("RollbackOf", rollback_of.to_string());
    }
    Ok(Row {
        key: key.encode().into(),
        cells,
    })
}

fn at_most(field: &str, text: &str, most: usize) -> Result<(), Invalid> {
    if text.len() <= most {
        return Ok(());
    }
    Err(Invalid::new(
        field,
        format!("{} bytes", text.len()),
        format!("at most {most} bytes"),
    ))
}

/// Reads a revision row, of any format version that there is.
pub fn decode_revision(row: &Row) -> Result<Revision, UnreadableRow> {
    let reader = Reader::open(row, RowType::Revision)?;
    let version = reader.required("FormatVersion")?.trim();
    let version = FormatVersion::parse(version)
        .map_err(|invalid| reader.invalid("FormatVersion", invalid))?;
    let control = FlagValue::parse(reader.key.flag.flag_type, reader.required("ControlValue")?)
        .map_err(|invalid| reader.invalid("ControlValue", invalid))?;
    let rollback_of = reader.optional("RollbackOf")?.map(|text| {
        Timestamp::parse(text).map_err(|invalid| reader.invalid("RollbackOf", invalid))
    });
    let parts = RevisionParts {
        flag: reader.key.flag.clone(),
        format: read_format(&reader, version)?,
        control,
        treatments: decode_treatments(&reader, version)?,
        comment: reader.optional("Comment")?.unwrap_or_default().to_owned(),
        owner: read_owner(&reader)?,
        rollback_of: rollback_of.transpose()?,
    };
    Revision::new(reader.key.created, parts).map_err(|invalid| reader.invalid_revision(invalid))
}

fn read_format(reader: &Reader<'_>, version: FormatVersion) -> Result<Format, UnreadableRow> {
    match version {
        FormatVersion::V1 => Ok(Format::V1),
        FormatVersion::V2 => {
            let algorithm = HashAlgorithm::parse(reader.required("HashAlgorithm")?)
                .map_err(|invalid| reader.problem("HashAlgorithm", invalid.to_string()))?;
            let salt = Salt::new(reader.required("Salt")?)
                .map_err(|invalid| reader.invalid("Salt", invalid))?;
            Ok(Format::V2 { algorithm, salt })
        }
    }
}

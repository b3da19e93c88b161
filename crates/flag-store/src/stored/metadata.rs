//! Metadata rows.

use flag_model::{Date, Invalid, Metadata, MetadataParts, OwnerId};

use super::{Reader, UnreadableRow, cell_type};
use crate::literal::{self, Arena, Literal};
use crate::port::{Cells, Row};
use crate::row_key::{FlagRowKey, RowType};

/// The row of metadata.
pub fn encode_metadata(metadata: &Metadata) -> Row {
    let key = FlagRowKey {
        row_type: RowType::Flag,
        flag: metadata.flag.clone(),
        created: metadata.created(),
    };
    let mut cells = Cells::default()
        .with("Name", metadata.flag.name.as_str())
        .with("Type", cell_type(metadata.flag.flag_type))
        .with("Description", metadata.description.as_str())
        .with("CreatedTime", metadata.created().to_string());
    if let Some(owner) = &metadata.owner {
        cells.set("OwnerID", owner.as_str());
    }
    if let Some(ticket) = &metadata.ticket {
        cells.set("Ticket", ticket.as_str());
    }
    if !metadata.tags.is_empty() {
        cells.set(
            "Tags",
            serde_json::Value::from(metadata.tags.clone()).to_string(),
        );
    }
    if let Some(expires_on) = metadata.expires_on {
        cells.set("ExpiresOn", expires_on.to_string());
    }
    Row {
        key: key.encode().into(),
        cells,
    }
}

/// Reads a metadata row.
pub fn decode_metadata(row: &Row) -> Result<Metadata, UnreadableRow> {
    let reader = Reader::open(row, RowType::Flag)?;
    let date = |text| Date::parse(text).map_err(|invalid| reader.invalid("ExpiresOn", invalid));
    let parts = MetadataParts {
        flag: reader.key.flag.clone(),
        description: reader
            .optional("Description")?
            .unwrap_or_default()
            .to_owned(),
        owner: read_owner(&reader)?,
        ticket: reader.optional("Ticket")?.map(str::to_owned),
        tags: reader
            .optional("Tags")?
            .map_or(Ok(Vec::new()), |text| read_tags(&reader, text))?,
        expires_on: reader.optional("ExpiresOn")?.map(date).transpose()?,
    };
    Metadata::new(reader.key.created, parts)
        .map_err(|invalid| reader.invalid(&invalid.field.clone(), invalid))
}

/// The owner; an empty cell means none.
pub(super) fn read_owner(reader: &Reader<'_>) -> Result<Option<OwnerId>, UnreadableRow> {
    let cell = reader.optional("OwnerID")?.filter(|text| !text.is_empty());
    cell.map(OwnerId::new)
        .transpose()
        .map_err(|invalid| reader.invalid("OwnerID", invalid))
}

fn read_tags(reader: &Reader<'_>, text: &str) -> Result<Vec<String>, UnreadableRow> {
    let arena = Arena::new();
    let literal =
        literal::parse(text, &arena).map_err(|error| reader.problem("Tags", error.to_string()))?;
    let refused = |found: &Literal<'_>| {
        reader.invalid("Tags", Invalid::new("Tags", found.kind(), "a list of text"))
    };
    let Literal::List(tags) = literal else {
        return Err(refused(&literal));
    };
    let tags = tags.iter().map(|tag| match tag {
        Literal::Text(tag) => Ok((*tag).to_owned()),
        other => Err(refused(other)),
    });
    tags.collect()
}

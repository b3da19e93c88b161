//! Metadata rows.

use std::borrow::Cow;

use flag_model::{Date, Metadata, MetadataParts, OwnerId, quoted};

use super::{NOTHING, Oddities, Reader, UnreadableRow, cell_type};
use crate::literal::{self, Literal};
use crate::row_key::{FlagRowKey, RowType};
use crate::rows::{Cells, Row};

const COLUMNS: &[&str] = &[
    "Name",
    "Type",
    "Description",
    "CreatedTime",
    "OwnerID",
    "EditedBy",
    "Ticket",
    "Tags",
    "ExpiresOn",
];

/// The row of metadata.
pub fn encode_metadata(metadata: &Metadata) -> Row {
    let key = FlagRowKey {
        row_type: RowType::Metadata,
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
    if let Some(editor) = &metadata.edited_by {
        cells.set("EditedBy", editor.as_str());
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

/// Reads a metadata row. Its cells are for people, so none is refused: what is invalid is left out.
pub fn decode_metadata(row: &Row) -> Result<Metadata, UnreadableRow> {
    read_metadata(row, None)
}

/// Reads a metadata row, and notes what is odd about it.
pub(crate) fn read_metadata(
    row: &Row,
    oddities: Option<&Oddities>,
) -> Result<Metadata, UnreadableRow> {
    let reader = Reader::open(row, RowType::Metadata, oddities)?;
    reader.look_at_columns(COLUMNS);
    let parts = MetadataParts {
        flag: reader.key.flag.clone(),
        description: read_description(&reader),
        owner: read_owner(&reader, "OwnerID"),
        edited_by: read_owner(&reader, "EditedBy"),
        ticket: reader
            .text("Ticket")
            .and_then(|text| reader.line("Ticket", &text, MetadataParts::MAX_TICKET_BYTES)),
        tags: read_tags(&reader),
        expires_on: read_date(&reader),
    };
    Metadata::new(reader.key.created, parts)
        .map_err(|invalid| reader.invalid(&invalid.field.clone(), invalid))
}

/// The person in a column; one that can't be an owner is read as the nearest that can.
pub(super) fn read_owner(reader: &Reader<'_>, column: &str) -> Option<OwnerId> {
    let text = reader.text(column)?;
    OwnerId::new(reader.line(column, &text, OwnerId::MAX_BYTES)?).ok()
}

fn read_description(reader: &Reader<'_>) -> String {
    let text = reader.text("Description").unwrap_or_default();
    let (kept, rest) =
        text.split_at(text.floor_char_boundary(MetadataParts::MAX_DESCRIPTION_BYTES));
    if !rest.is_empty() {
        let found = || format!("{} bytes", text.len());
        let read_as = || format!("the first {}", kept.len());
        reader.odd("Description", || (found(), read_as()));
    }
    kept.to_owned()
}

fn read_date(reader: &Reader<'_>) -> Option<Date> {
    let text = reader.text("ExpiresOn")?;
    let date = Date::parse(&text).ok();
    if date.is_none() {
        reader.odd("ExpiresOn", || (quoted(&text), NOTHING.to_owned()));
    }
    date
}

fn read_tags(reader: &Reader<'_>) -> Vec<String> {
    let Some(text) = reader.text("Tags") else {
        return Vec::new();
    };
    let Ok(Literal::List(tags)) = literal::parse(&text).map(|node| node.literal) else {
        reader.odd("Tags", || (quoted(&text), NOTHING.to_owned()));
        return Vec::new();
    };
    let max = MetadataParts::MAX_TAGS;
    if tags.len() > max {
        let read_as = || format!("the first {max}");
        reader.odd("Tags", || (format!("{} tags", tags.len()), read_as()));
    }
    let tags = tags.iter().take(max).filter_map(|tag| match &tag.literal {
        Literal::Text(tag) => reader.line("Tags", tag, MetadataParts::MAX_TAG_BYTES),
        other => {
            reader.odd("Tags", || (other.kind().to_owned(), NOTHING.to_owned()));
            None
        }
    });
    tags.collect()
}

impl<'a> Reader<'a> {
    /// A cell that is for people, if it isn't empty; whatever is no UTF-8 in it is replaced.
    pub(super) fn text(&self, column: &str) -> Option<Cow<'a, str>> {
        let cell = self.row.cells.get(column).filter(|cell| !cell.is_empty())?;
        let text = String::from_utf8_lossy(cell);
        if let Cow::Owned(text) = &text {
            self.odd(column, || {
                ("bytes that are no UTF-8".to_owned(), quoted(text))
            });
        }
        Some(text)
    }

    /// One line of at most this many bytes: line breaks and the like become spaces, and longer text is cut.
    fn line(&self, column: &str, text: &str, max: usize) -> Option<String> {
        let (kept, _) = text.split_at(text.floor_char_boundary(max));
        let line = kept.replace(char::is_control, " ");
        if line != text {
            self.odd(column, || (quoted(text), quoted(&line)));
        }
        (!line.is_empty()).then_some(line)
    }
}

//! The request that writes rows, encoded once.
//!
//! An entry that is sent again, or in another request, is not encoded again. What many rows share is encoded as
//! [`Mutations`] once, and copied. Law, kept by the test of that name: `a_prepared_request_is_what_prost_encodes`.

use std::ops::Range;

use bigtable_rs::google::bigtable::v2::{MutateRowsRequest, MutateRowsResponse};
use prost::bytes::{BufMut as _, Bytes};
use prost::{Message as _, encode_length_delimiter, length_delimiter_len};
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

use crate::FAMILY;

/// The tags of fields that have a length, as Bigtable's API numbers them.
mod tag {
    const fn field(number: u8) -> u8 {
        number << 3 | 2
    }
    pub(super) const REQUEST_ENTRY: u8 = field(2);
    pub(super) const ENTRY_KEY: u8 = field(1);
    pub(super) const ENTRY_MUTATION: u8 = field(2);
    pub(super) const MUTATION_SET_CELL: u8 = field(1);
    pub(super) const CELL_FAMILY: u8 = field(1);
    pub(super) const CELL_COLUMN: u8 = field(2);
    pub(super) const CELL_VALUE: u8 = field(4);
}

/// The field `timestamp_micros` that asks the server for the time: -1, as `mutation::set` has it.
const SERVER_TIME: [u8; 11] = [
    3 << 3,
    0xff,
    0xff,
    0xff,
    0xff,
    0xff,
    0xff,
    0xff,
    0xff,
    0xff,
    1,
];

/// Encoded mutations of a row.
#[derive(Debug, Default)]
pub(crate) struct Mutations {
    bytes: Vec<u8>,
    count: usize,
}

impl Mutations {
    /// Sets a cell.
    pub(crate) fn set(&mut self, column: &[u8], value: &[u8]) {
        let texts = [FAMILY.len(), column.len(), value.len()];
        let cell = texts.map(field_len).iter().sum::<usize>() + SERVER_TIME.len();
        let bytes = &mut self.bytes;
        put_tag(bytes, tag::ENTRY_MUTATION, field_len(cell));
        put_tag(bytes, tag::MUTATION_SET_CELL, cell);
        put_field(bytes, tag::CELL_FAMILY, FAMILY.as_bytes());
        put_field(bytes, tag::CELL_COLUMN, column);
        bytes.extend_from_slice(&SERVER_TIME);
        put_field(bytes, tag::CELL_VALUE, value);
        self.count += 1;
    }

    /// Forgets them, and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.count = 0;
    }
}

/// The encoded rows of requests.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    end: usize,
    mutations: usize,
}

impl Entries {
    /// No rows, with capacity for this many of this size.
    pub(crate) fn with_capacity(rows: usize, row_bytes: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(rows * row_bytes),
            entries: Vec::with_capacity(rows),
        }
    }

    /// Adds a row whose mutations are these, one after the other.
    pub(crate) fn push(&mut self, key: &[u8], parts: &[&Mutations]) {
        let mutations = parts.iter().map(|part| part.bytes.len()).sum::<usize>();
        let bytes = &mut self.bytes;
        put_tag(bytes, tag::REQUEST_ENTRY, field_len(key.len()) + mutations);
        put_field(bytes, tag::ENTRY_KEY, key);
        for part in parts {
            bytes.extend_from_slice(&part.bytes);
        }
        self.entries.push(Entry {
            end: self.bytes.len(),
            mutations: parts.iter().map(|part| part.count).sum(),
        });
    }

    /// Makes them ready to be sent.
    pub(crate) fn finish(self) -> PreparedRows {
        PreparedRows {
            bytes: self.bytes.into(),
            entries: self.entries,
        }
    }
}

/// Encoded rows, of which requests take what they send.
#[derive(Debug)]
pub(crate) struct PreparedRows {
    bytes: Bytes,
    entries: Vec<Entry>,
}

impl PreparedRows {
    /// How many rows there are.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many mutations a row has.
    pub(crate) fn mutations(&self, row: usize) -> usize {
        self.entries.get(row).map_or(0, |entry| entry.mutations)
    }

    /// How many bytes a row adds to a request.
    pub(crate) fn byte_len(&self, row: usize) -> usize {
        self.range(row).len()
    }

    /// The message that writes these rows with the table and the app profile of `request`; copies no row.
    pub(crate) fn request(
        &self,
        request: &MutateRowsRequest,
        rows: impl Iterator<Item = usize>,
    ) -> PreparedRequest {
        let mut parts = vec![request.encode_to_vec().into()];
        let mut run = 0..0;
        for row in rows {
            let range = self.range(row);
            if range.start == run.end {
                run.end = range.end;
            } else {
                parts.push(self.bytes.slice(run));
                run = range;
            }
        }
        parts.push(self.bytes.slice(run));
        PreparedRequest(parts)
    }

    fn range(&self, row: usize) -> Range<usize> {
        let end = |row: usize| self.entries.get(row).map_or(0, |entry| entry.end);
        row.checked_sub(1).map_or(0, end)..end(row)
    }
}

/// An encoded [`MutateRowsRequest`], in pieces.
#[derive(Clone, Debug)]
pub(crate) struct PreparedRequest(Vec<Bytes>);

#[cfg(test)]
impl PreparedRequest {
    /// The bytes of the message.
    pub(crate) fn to_bytes(&self) -> Bytes {
        self.0.concat().into()
    }
}

/// Sends requests that are encoded already.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PreparedCodec;

impl Codec for PreparedCodec {
    type Encode = PreparedRequest;
    type Decode = MutateRowsResponse;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for PreparedCodec {
    type Item = PreparedRequest;
    type Error = Status;

    fn encode(
        &mut self,
        request: PreparedRequest,
        buffer: &mut EncodeBuf<'_>,
    ) -> Result<(), Status> {
        buffer.reserve(request.0.iter().map(Bytes::len).sum());
        for part in request.0 {
            buffer.put(part);
        }
        Ok(())
    }
}

impl Decoder for PreparedCodec {
    type Item = MutateRowsResponse;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<MutateRowsResponse>, Status> {
        let message = MutateRowsResponse::decode(buffer);
        message
            .map(Some)
            .map_err(|error| Status::internal(error.to_string()))
    }
}

fn field_len(length: usize) -> usize {
    1 + length_delimiter_len(length) + length
}

fn put_tag(bytes: &mut Vec<u8>, tag: u8, length: usize) {
    bytes.push(tag);
    // A `Vec` grows, so there is always room.
    let _ = encode_length_delimiter(length, bytes);
}

fn put_field(bytes: &mut Vec<u8>, tag: u8, value: &[u8]) {
    put_tag(bytes, tag, value.len());
    bytes.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    use bigtable_rs::google::bigtable::v2::mutate_rows_request::Entry as Decoded;
    use flag_store::Cells;
    use proptest::prelude::*;

    use super::*;
    use crate::mutation;

    /// What a server decodes of a request for these rows.
    fn sent(rows: &[(Vec<u8>, Cells)], indices: &[usize]) -> MutateRowsRequest {
        let mut entries = Entries::with_capacity(rows.len(), 1);
        for (key, cells) in rows {
            let mut halves = [Mutations::default(), Mutations::default()];
            for (index, (column, value)) in cells.iter().enumerate() {
                halves[usize::from(index > cells.len() / 2)].set(column, value);
            }
            entries.push(key, &[&halves[0], &halves[1]]);
        }
        let request = MutateRowsRequest {
            table_name: "t".into(),
            ..MutateRowsRequest::default()
        };
        let sent = entries.finish().request(&request, indices.iter().copied());
        MutateRowsRequest::decode(sent.to_bytes()).unwrap()
    }

    fn bytes(max: usize) -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(any::<u8>(), 0..max)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn a_prepared_request_is_what_prost_encodes(
            rows in prop::collection::vec(
                (bytes(300), prop::collection::vec((bytes(20), bytes(20_000)), 0..4)),
                0..9,
            ),
            chosen in prop::collection::vec(any::<bool>(), 9),
        ) {
            let rows: Vec<(Vec<u8>, Cells)> = rows
                .into_iter()
                .map(|(key, cells)| (key, cells.iter().map(|(column, value)| (column, value)).collect()))
                .collect();
            let indices: Vec<usize> = (0..rows.len()).filter(|index| chosen[*index]).collect();
            let entries = indices.iter().map(|index| Decoded {
                row_key: rows[*index].0.clone(),
                mutations: mutation::set(&rows[*index].1),
                idempotency: None,
            });
            let expected = MutateRowsRequest {
                table_name: "t".into(),
                entries: entries.collect(),
                ..MutateRowsRequest::default()
            };
            prop_assert_eq!(sent(&rows, &indices), expected);
        }
    }
}

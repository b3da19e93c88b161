//! Batches of writes, with a result for each row.

use bigtable_rs::google::bigtable::v2::{MutateRowsRequest, MutateRowsResponse};
use flag_store::{Row, StoreError};
use tonic::codec::Streaming;
use tonic::codegen::GrpcMethod;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::{Code, Request, Response, Status};

use crate::call::{Call, Retry};
use crate::prepared::{Entries, Mutations, PreparedCodec, PreparedRequest, PreparedRows};
use crate::status::{Failure, refused};
use crate::store::BigtableStore;
use crate::{mutation, request};

/// Bigtable's limit for one request.
const MAX_MUTATIONS: usize = 100_000;
/// The most bytes of rows in a request; a larger row is sent alone.
const FULL: usize = 8 << 20;

/// Encodes rows; the result of each says whether it can be sent.
pub(crate) fn encode(table: &str, rows: &[Row]) -> (PreparedRows, Vec<Result<(), StoreError>>) {
    let mut entries = Entries::default();
    let mut mutations = Mutations::default();
    let results = rows.iter().map(|Row { key, cells }| {
        if let Some(why) = mutation::refusal_reason(key, cells) {
            return Err(refused(table, why));
        }
        mutations.clear();
        for (column, value) in cells.iter() {
            mutations.set(column, value);
        }
        entries.push(key, &[&mutations]);
        Ok(())
    });
    let results = results.collect();
    (entries.finish(), results)
}

/// Writes `rows`. `results` has an entry for each row that was to be encoded: an error where that failed, which stays, and
/// `Ok` for each of `rows`, in their order, which becomes the result of its write.
///
/// Works in rounds: the first sends all rows, the next those that failed and may succeed.
pub(crate) async fn write<E: From<StoreError>>(
    store: &BigtableStore,
    (rows, mut results): (PreparedRows, Vec<Result<(), E>>),
) -> Vec<Result<(), E>> {
    let encoded = results.iter_mut().filter(|result| result.is_ok());
    let mut pending: Vec<Pending<'_, E>> = encoded.enumerate().map(Pending::new).collect();
    let mut call = Call::new(store.name(), store.settings().batch(), Retry::Safe);
    while !pending.is_empty() {
        send_all(store, &call, &rows, &mut pending).await;
        pending.retain_mut(|entry| entry.keep_for_retry(&mut call));
        if !pending.is_empty() && !call.pause().await {
            break;
        }
    }
    for entry in pending {
        *entry.result = Err(call.error(entry.outcome.into_failure()).into());
    }
    results
}

/// A row that is not written yet.
struct Pending<'a, E> {
    row: usize,
    result: &'a mut Result<(), E>,
    outcome: RowResult,
}

/// The result of a row in this round.
enum RowResult {
    Unanswered,
    Written,
    Failed(Failure),
}

impl<'a, E: From<StoreError>> Pending<'a, E> {
    fn new((row, result): (usize, &'a mut Result<(), E>)) -> Self {
        Self {
            row,
            result,
            outcome: RowResult::Unanswered,
        }
    }

    /// Whether the row is to be sent again; sets its result otherwise.
    fn keep_for_retry(&mut self, call: &mut Call<'_>) -> bool {
        match std::mem::replace(&mut self.outcome, RowResult::Unanswered) {
            RowResult::Written => false,
            outcome => {
                let failure = outcome.into_failure();
                let is_retryable = call.is_retryable(&failure);
                if !is_retryable {
                    *self.result = Err(call.error(failure.clone()).into());
                }
                self.outcome = RowResult::Failed(failure);
                is_retryable
            }
        }
    }
}

impl RowResult {
    fn into_failure(self) -> Failure {
        match self {
            Self::Failed(failure) => failure,
            Self::Unanswered | Self::Written => {
                Failure::Status(Status::unavailable("the store sent no result for the row"))
            }
        }
    }
}

/// One round: sends the rows in as many requests as they need.
async fn send_all<E>(
    store: &BigtableStore,
    call: &Call<'_>,
    rows: &PreparedRows,
    mut pending: &mut [Pending<'_, E>],
) {
    while !pending.is_empty() {
        let (part, rest) = pending.split_at_mut(length_of_part(rows, pending));
        for entry in &mut *part {
            entry.outcome = RowResult::Unanswered;
        }
        if let Err(failure) = send(store, call, rows, part).await {
            for entry in &mut *part {
                if let RowResult::Unanswered = entry.outcome {
                    entry.outcome = RowResult::Failed(failure.clone());
                }
            }
        }
        pending = rest;
    }
}

/// How many of these rows fit into one request, at least one.
fn length_of_part<E>(rows: &PreparedRows, pending: &[Pending<'_, E>]) -> usize {
    let (mut mutations, mut bytes) = (0, 0);
    let fitting = pending.iter().take_while(|entry| {
        mutations += rows.mutations(entry.row);
        bytes += rows.byte_len(entry.row);
        mutations <= MAX_MUTATIONS && bytes <= FULL
    });
    fitting.count().clamp(1, pending.len().max(1))
}

/// Sends one request; results that arrive are kept even when the answer breaks off.
async fn send<E>(
    store: &BigtableStore,
    call: &Call<'_>,
    rows: &PreparedRows,
    part: &mut [Pending<'_, E>],
) -> Result<(), Failure> {
    let request = request::routed(MutateRowsRequest {
        table_name: store.full_name(),
        app_profile_id: store.app_profile(),
        ..MutateRowsRequest::default()
    });
    let indices = part.iter().map(|entry| entry.row);
    let request = request.map(|request| rows.request(&request, indices));
    let mut stream = call.wait(mutate_rows(store, request)).await?.into_inner();
    while let Some(message) = call.wait(stream.message()).await? {
        note(message, part);
    }
    Ok(())
}

/// What `BigtableClient::mutate_rows` does, for a request that is encoded.
async fn mutate_rows(
    store: &BigtableStore,
    mut request: Request<PreparedRequest>,
) -> Result<Response<Streaming<MutateRowsResponse>>, Status> {
    let mut client = store.raw_client();
    let ready = client.ready().await;
    ready.map_err(|error| Status::unknown(format!("Service was not ready: {error}")))?;
    let method = GrpcMethod::new("google.bigtable.v2.Bigtable", "MutateRows");
    request.extensions_mut().insert(method);
    let path = PathAndQuery::from_static("/google.bigtable.v2.Bigtable/MutateRows");
    client.server_streaming(request, path, PreparedCodec).await
}

fn note<E>(message: MutateRowsResponse, part: &mut [Pending<'_, E>]) {
    for answer in message.entries {
        let index = usize::try_from(answer.index).ok();
        let Some(entry) = index.and_then(|index| part.get_mut(index)) else {
            continue;
        };
        let status = answer.status.unwrap_or_default();
        entry.outcome = match Code::from_i32(status.code) {
            Code::Ok => RowResult::Written,
            code => RowResult::Failed(Failure::Status(Status::new(code, status.message))),
        };
    }
}

#[cfg(test)]
mod tests {
    use flag_store::Cells;

    use super::*;

    /// How many of `rows` equal rows, each of `cells` cells of `bytes` bytes, are sent at once.
    fn length(rows: usize, cells: usize, bytes: usize) -> usize {
        let row = Row {
            key: b"key".to_vec(),
            cells: (0..cells)
                .map(|cell| (cell.to_string(), vec![0; bytes]))
                .collect::<Cells>(),
        };
        let rows = vec![row; rows];
        let (rows, mut results) = encode("log", &rows);
        let pending = results.iter_mut().enumerate().map(Pending::new);
        length_of_part(&rows, &pending.collect::<Vec<_>>())
    }

    #[test]
    fn few_small_rows_travel_together() {
        assert_eq!(length(500, 11, 50), 500);
    }

    #[test]
    fn a_request_has_at_most_100_000_mutations() {
        assert_eq!(length(300, 1_000, 0), 100);
    }

    #[test]
    fn a_request_has_at_most_8_mib() {
        assert_eq!(length(20, 1, 1 << 20), 7);
    }

    #[test]
    fn a_row_larger_than_a_request_travels_alone() {
        assert_eq!(length(3, 1, 9 << 20), 1);
    }
}

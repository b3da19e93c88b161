//! Batches of writes, with a result for each row.

use bigtable_rs::google::bigtable::v2::mutate_rows_request::Entry;
use bigtable_rs::google::bigtable::v2::{MutateRowsRequest, MutateRowsResponse};
use flag_store::{Row, StoreError};
use tonic::{Code, Status};

use crate::call::{Call, Repeat};
use crate::status::{Failure, refused};
use crate::store::BigtableStore;
use crate::{mutation, request};

/// Bigtable's limit for one request.
const MAX_MUTATIONS: usize = 100_000;
/// The most bytes of a request; a larger row is sent alone.
const FULL: usize = 8 << 20;
/// The most bytes that a key or a cell adds to a request besides its own.
const OVERHEAD: usize = 64;

/// Writes rows; results in the order of `rows`.
///
/// Works in rounds: the first sends all rows, the next those that failed and may succeed.
pub(crate) async fn write(store: &BigtableStore, rows: &[Row]) -> Vec<Result<(), StoreError>> {
    let mut results: Vec<Result<(), StoreError>> = rows
        .iter()
        .map(|row| match mutation::objection(&row.key, &row.cells) {
            Some(why) => Err(refused(store.name(), why)),
            None => Ok(()),
        })
        .collect();
    let mut pending: Vec<Pending<'_>> = rows
        .iter()
        .zip(&mut results)
        .filter(|(_, result)| result.is_ok())
        .map(|(row, result)| Pending {
            row,
            result,
            outcome: Outcome::Unanswered,
        })
        .collect();

    let mut call = Call::new(store.name(), store.settings().batch(), Repeat::Safe);
    while !pending.is_empty() {
        send_all(store, &call, &mut pending).await;
        pending.retain_mut(|entry| entry.is_to_be_sent_again(&mut call));
        if !pending.is_empty() && !call.pause().await {
            break;
        }
    }
    for entry in pending {
        *entry.result = Err(call.error(entry.outcome.into_failure()));
    }
    results
}

/// A row that is not written yet.
struct Pending<'a> {
    row: &'a Row,
    result: &'a mut Result<(), StoreError>,
    outcome: Outcome,
}

/// The result of a row in this round.
enum Outcome {
    Unanswered,
    Written,
    Failed(Failure),
}

impl Pending<'_> {
    fn is_to_be_sent_again(&mut self, call: &mut Call<'_>) -> bool {
        match std::mem::replace(&mut self.outcome, Outcome::Unanswered) {
            Outcome::Written => false,
            outcome => {
                let failure = outcome.into_failure();
                let again = call.is_repeatable(&failure);
                if !again {
                    *self.result = Err(call.error(failure.clone()));
                }
                self.outcome = Outcome::Failed(failure);
                again
            }
        }
    }

    fn mutations(&self) -> usize {
        self.row.cells.len()
    }

    fn bytes(&self) -> usize {
        let Row { key, cells } = self.row;
        key.len() + cells.byte_len() + (1 + cells.len()) * OVERHEAD
    }
}

impl Outcome {
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
async fn send_all(store: &BigtableStore, call: &Call<'_>, mut pending: &mut [Pending<'_>]) {
    while !pending.is_empty() {
        let (part, rest) = pending.split_at_mut(length_of_part(pending));
        for entry in &mut *part {
            entry.outcome = Outcome::Unanswered;
        }
        if let Err(failure) = send(store, call, part).await {
            for entry in &mut *part {
                if let Outcome::Unanswered = entry.outcome {
                    entry.outcome = Outcome::Failed(failure.clone());
                }
            }
        }
        pending = rest;
    }
}

/// How many of these rows fit into one request, at least one.
fn length_of_part(pending: &[Pending<'_>]) -> usize {
    let (mut mutations, mut bytes) = (0, 0);
    let fitting = pending.iter().take_while(|entry| {
        mutations += entry.mutations();
        bytes += entry.bytes();
        mutations <= MAX_MUTATIONS && bytes <= FULL
    });
    fitting.count().clamp(1, pending.len().max(1))
}

/// Sends one request; results that arrive are kept even when the answer breaks off.
async fn send(
    store: &BigtableStore,
    call: &Call<'_>,
    part: &mut [Pending<'_>],
) -> Result<(), Failure> {
    let entries = part.iter().map(|entry| Entry {
        row_key: entry.row.key.clone(),
        mutations: mutation::set(&entry.row.cells),
        idempotency: None,
    });
    let request = request::routed(MutateRowsRequest {
        table_name: store.full_name(),
        app_profile_id: store.app_profile(),
        entries: entries.collect(),
        ..MutateRowsRequest::default()
    });
    let mut client = store.client();
    let answer = client.mutate_rows(request);
    let mut stream = call.wait(answer).await?.into_inner();
    while let Some(message) = call.wait(stream.message()).await? {
        note(message, part);
    }
    Ok(())
}

fn note(message: MutateRowsResponse, part: &mut [Pending<'_>]) {
    for answer in message.entries {
        let index = usize::try_from(answer.index).ok();
        let Some(entry) = index.and_then(|index| part.get_mut(index)) else {
            continue;
        };
        let status = answer.status.unwrap_or_default();
        entry.outcome = match Code::from_i32(status.code) {
            Code::Ok => Outcome::Written,
            code => Outcome::Failed(Failure::Status(Status::new(code, status.message))),
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
        let mut results: Vec<Result<(), StoreError>> = (0..rows).map(|_| Ok(())).collect();
        let pending: Vec<Pending<'_>> = results
            .iter_mut()
            .map(|result| Pending {
                row: &row,
                result,
                outcome: Outcome::Unanswered,
            })
            .collect();
        length_of_part(&pending)
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

//! Exposures that are written while the caller waits.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use flag_model::Invalid;
use flag_store::{Exposure, ExposureStore, Row, StoreError, WriteExposureError};
use futures_util::{StreamExt as _, stream};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::form::Form;

/// How long a caller waits for the store.
const WITHIN: Duration = Duration::from_secs(2);

/// How many writes may be under way at once; others wait, as part of the time that they have.
const WRITES: usize = 64;

/// How many rows of one caller are written at once.
const ROWS: usize = 32;

/// Writes exposures while the caller waits.
#[derive(Debug)]
pub(crate) struct Direct {
    store: ExposureStore,
    form: Form,
    /// Where writes run: a caller that goes away doesn't break off its write.
    writes: Handle,
    gate: Arc<Semaphore>,
}

impl Direct {
    /// Writes into `store`, on `writes`.
    pub(crate) fn new(store: ExposureStore, form: Form, writes: Handle) -> Self {
        Self {
            store,
            form,
            writes,
            gate: Arc::new(Semaphore::new(WRITES)),
        }
    }

    /// Writes exposures, each for itself; results in their order.
    pub(crate) async fn write(
        &self,
        exposures: Vec<Exposure<'_>>,
    ) -> Vec<Result<(), WriteExposureError>> {
        let mut rows = Vec::with_capacity(exposures.len());
        let encoded: Vec<Result<(), Invalid>> = exposures
            .into_iter()
            .map(|exposure| self.form.row(exposure).map(|row| rows.push(row)))
            .collect();
        let mut written = self.write_rows(rows).await.into_iter();
        let results = encoded.into_iter().map(|encoded| {
            encoded?;
            written.next().unwrap_or_else(late)
        });
        results.collect()
    }

    /// Fewer results than rows if the time was too short.
    async fn write_rows(&self, rows: Vec<Row>) -> Vec<Result<(), WriteExposureError>> {
        let (store, gate) = (self.store.clone(), Arc::clone(&self.gate));
        let writing = self.writes.spawn(async move {
            let write = async {
                let _turn = gate.acquire().await;
                insert_all(&store, &rows).await
            };
            timeout(WITHIN, write).await.unwrap_or_default()
        });
        let written = timeout(WITHIN, writing).await;
        written.map(Result::unwrap_or_default).unwrap_or_default()
    }
}

/// Inserts rows; of those with the same key the first one counts.
async fn insert_all(store: &ExposureStore, rows: &[Row]) -> Vec<Result<(), WriteExposureError>> {
    let mut keys = HashSet::with_capacity(rows.len());
    let (first, again): (Vec<_>, Vec<_>) = rows
        .iter()
        .enumerate()
        .partition(|(_, row)| keys.insert(&row.key));
    let mut inserted = insert(store, first, ROWS).await;
    inserted.extend(insert(store, again, 1).await);
    inserted.sort_by_key(|(place, _)| *place);
    inserted.into_iter().map(|(_, result)| result).collect()
}

/// Inserts so many rows at once; a result for each, with its place.
async fn insert(
    store: &ExposureStore,
    rows: Vec<(usize, &Row)>,
    at_once: usize,
) -> Vec<(usize, Result<(), WriteExposureError>)> {
    let rows = rows.into_iter();
    let inserting: Vec<_> = rows
        .map(|(place, row)| insert_one(store, place, row))
        .collect();
    let inserting = stream::iter(inserting).buffer_unordered(at_once);
    inserting.collect().await
}

async fn insert_one(
    store: &ExposureStore,
    place: usize,
    row: &Row,
) -> (usize, Result<(), WriteExposureError>) {
    (place, store.insert(row).await)
}

fn late() -> Result<(), WriteExposureError> {
    Err(StoreError::TimedOut { after: WITHIN }.into())
}

//! Exposures that are written while the caller waits.

use std::sync::Arc;
use std::time::Duration;

use flag_model::Invalid;
use flag_store::{Exposure, ExposureStore, InstanceNames, Row, StoreError, WriteExposureError};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// How long a caller waits for the store.
const WITHIN: Duration = Duration::from_secs(2);

/// How many writes may be under way at once; others wait, as part of the time that they have.
const WRITES: usize = 64;

/// Writes exposures while the caller waits.
#[derive(Debug)]
pub(crate) struct Direct {
    store: ExposureStore,
    names: InstanceNames,
    /// Where writes run: a caller that goes away doesn't break off its write.
    writes: Handle,
    gate: Arc<Semaphore>,
}

impl Direct {
    /// Writes into `store`, on `writes`.
    pub(crate) fn new(store: ExposureStore, names: InstanceNames, writes: Handle) -> Self {
        Self {
            store,
            names,
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
            .map(|exposure| self.names.apply(exposure).row().map(|row| rows.push(row)))
            .collect();
        let mut written = self.write_rows(rows).await.into_iter();
        let results = encoded.into_iter().map(|encoded| {
            encoded?;
            Ok(written.next().unwrap_or_else(late)?)
        });
        results.collect()
    }

    /// Fewer results than rows if the time was too short.
    async fn write_rows(&self, rows: Vec<Row>) -> Vec<Result<(), StoreError>> {
        let (store, gate) = (self.store.clone(), Arc::clone(&self.gate));
        let writing = self.writes.spawn(async move {
            let write = async {
                let _turn = gate.acquire().await;
                store.write_rows(&rows).await
            };
            timeout(WITHIN, write).await.unwrap_or_default()
        });
        let written = timeout(WITHIN, writing).await;
        written.map(Result::unwrap_or_default).unwrap_or_default()
    }
}

fn late() -> Result<(), StoreError> {
    Err(StoreError::TimedOut { after: WITHIN })
}

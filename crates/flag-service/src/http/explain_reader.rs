//! Reads what explains a past decision, apart from evaluations: a few requests at a time, within a deadline, on a thread of
//! its own.

use std::sync::Arc;
use std::time::Duration;

use flag_model::{FlagKey, InstanceId, Revision, Timestamp};
use flag_rollout::Plan;
use flag_runtime::CacheError;
use flag_store::{ExposureLog, FlagStore, InstanceIdMode, ReadError, StoreError};
use flag_verify::{RecheckedExposure, recheck_around};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::limits::LimitError;
use super::problem::ApiError;

/// The most requests that read at a time.
const MAX: usize = 4;

/// How long a request may read.
const DEADLINE: Duration = Duration::from_secs(2);

/// How many exposures are read before an instant, and after it.
const SERVED: usize = 10;

/// Reads old revisions and exposures.
#[derive(Clone, Debug)]
pub(crate) struct ExplainReader {
    permits: Arc<Semaphore>,
    runtime: Handle,
    store: FlagStore,
    log: Arc<dyn ExposureLog>,
    id_mode: InstanceIdMode,
}

/// The records that explain a decision.
#[derive(Debug)]
pub(crate) struct ExplainedRecords {
    /// The revision in force at the instant.
    pub(crate) revision: Revision,
    /// The same, compiled.
    pub(crate) plan: Plan,
    /// What was served to the instance around it.
    pub(crate) served: Vec<RecheckedExposure>,
}

impl ExplainReader {
    /// Reads with these readers, on this runtime; `id_mode` is how the exposure log names instances.
    pub(crate) fn new(
        store: FlagStore,
        log: Arc<dyn ExposureLog>,
        id_mode: InstanceIdMode,
        runtime: &Handle,
    ) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(MAX)),
            runtime: runtime.clone(),
            store,
            log,
            id_mode,
        }
    }

    /// Reads what explains a decision at an instant, or now.
    pub(crate) async fn explain(
        &self,
        flag: &FlagKey,
        instance: &InstanceId<'static>,
        at: Option<Timestamp>,
    ) -> Result<ExplainedRecords, ApiError> {
        let permit = Arc::clone(&self.permits).try_acquire_owned();
        let permit = permit.map_err(|_| LimitError::Overloaded)?;
        let (reader, of, instance) = (self.clone(), flag.clone(), instance.clone());
        let reading = self.runtime.spawn(async move {
            let _permit = permit;
            timeout(DEADLINE, reader.read(of, instance, at)).await
        });
        match reading.await {
            Ok(Ok(read)) => read,
            Ok(Err(_)) => Err(failed(flag, StoreError::TimedOut { after: DEADLINE })),
            Err(_) => Err(ApiError::Internal),
        }
    }

    async fn read(
        self,
        flag: FlagKey,
        instance: InstanceId<'static>,
        at: Option<Timestamp>,
    ) -> Result<ExplainedRecords, ApiError> {
        let revision = match at {
            Some(at) => self.store.revision_at(&flag, at).await,
            None => self.store.newest_revision(&flag).await,
        };
        let revision = match revision {
            Ok(Some(revision)) => revision,
            Ok(None) => return Err(CacheError::NotFound(flag).into()),
            Err(ReadError::Unreadable(row)) => {
                return Err(CacheError::Unreadable(Arc::new(row)).into());
            }
            Err(ReadError::Store(error)) => return Err(failed(&flag, error)),
            Err(_) => return Err(ApiError::Internal),
        };
        let records = (&self.store, &*self.log);
        let served = recheck_around(records, &self.id_mode, &flag, &instance, at, SERVED).await;
        let served = served.map_err(ApiError::ExposureLog)?;
        Ok(ExplainedRecords {
            plan: Plan::compile(revision.clone()),
            revision,
            served,
        })
    }
}

fn failed(flag: &FlagKey, error: StoreError) -> ApiError {
    let (flag, error) = (flag.clone(), Arc::new(error));
    CacheError::Store { flag, error }.into()
}

//! Deletes exposures by their keys.

use bigtable_rs::google::bigtable::v2::mutate_rows_request::Entry;
use bigtable_rs::google::bigtable::v2::{MutateRowsRequest, mutation};
use bigtable_rs::google::bigtable::v2::{Mutation, mutation::DeleteFromRow};
use flag_store::StoreError;
use tonic::{Code, Status};

use crate::call::{Call, Retry};
use crate::request;
use crate::status::{Failure, refused};
use crate::store::BigtableStore;

/// Deletes these rows of the exposure log; all of them again after a failure, which does no harm.
pub(crate) async fn delete_rows(store: &BigtableStore, keys: &[Vec<u8>]) -> Result<(), StoreError> {
    let settings = store.settings();
    let name = store.name();
    if name == settings.flag_table {
        let why = "the exposure log is the table of flags, from which nothing is deleted";
        return Err(refused(name, why));
    }
    if keys.is_empty() {
        return Ok(());
    }
    let mut call = Call::new(name, settings.batch(), Retry::Safe);
    loop {
        match delete_once(store, &call, keys).await {
            Ok(()) => return Ok(()),
            Err(failure) => call.retry_or_fail(failure).await?,
        }
    }
}

async fn delete_once(
    store: &BigtableStore,
    call: &Call<'_>,
    keys: &[Vec<u8>],
) -> Result<(), Failure> {
    let entries = keys.iter().map(|key| Entry {
        row_key: key.clone(),
        mutations: vec![Mutation {
            mutation: Some(mutation::Mutation::DeleteFromRow(DeleteFromRow {})),
        }],
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
    let mut deleted = 0;
    while let Some(message) = call.wait(stream.message()).await? {
        for entry in message.entries {
            let status = entry.status.unwrap_or_default();
            match Code::from_i32(status.code) {
                Code::Ok => deleted += 1,
                code => return Err(Failure::Status(Status::new(code, status.message))),
            }
        }
    }
    if deleted < keys.len() {
        let unanswered = "the store did not send a result for every row";
        return Err(Failure::Status(Status::unavailable(unanswered)));
    }
    Ok(())
}

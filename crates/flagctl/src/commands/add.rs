//! `flagctl add`: the first metadata of a flag.

use flag_store::{AppendError, Base, encode_metadata};

use crate::args::AddArgs;
use crate::failure::Failure;
use crate::output;
use crate::plan;
use crate::run::Context;

/// Adds a flag, unless it has metadata already; revisions that it may have stay as they are.
pub(crate) async fn add(context: &Context, typed: &AddArgs) -> Result<(), Failure> {
    let parts = plan::metadata(typed, &context.variables)?;
    let flag = parts.flag.clone();
    let store = context.open().await?;
    let appended = store.append_metadata(Base::Nothing, parts).await;
    let metadata = appended.map_err(|error| match error {
        AppendError::Conflict { flag, found, .. } => Failure::AlreadyAdded { flag, since: found },
        error => Failure::of_append(error, &flag, &context.place(), "get"),
    })?;
    output::talk(&format!("added {flag} to the {}", context.place()));
    let row = encode_metadata(&metadata);
    output::written(&flag, metadata.created(), &row, typed.output.form)
}

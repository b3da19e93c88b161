//! `flagctl add`: the first metadata of a flag.

use super::today;
use crate::args::AddArgs;
use crate::context::Context;
use crate::failure::Failure;
use crate::interpret::{self, ArgumentError};
use crate::lookup::{first_revision_made, metadata};
use crate::write::{self, PlannedMetadata, WriteError};

/// Adds a flag, unless it has metadata already; revisions that it may have stay as they are.
pub(crate) async fn add(context: &Context, args: &AddArgs) -> Result<(), Failure> {
    let parts = interpret::plan_metadata(args, &context.variables)?;
    interpret::not_past("--expires-on", args.expires_on, today()).map_err(ArgumentError::from)?;
    let store = context.open_if_exists().await?;
    if let Err(unusual) = interpret::new_name(&parts.flag, args.names.allowed()) {
        // A flag that is served without metadata has its name already.
        let made = match &store {
            Some(store) => first_revision_made(context, store, &parts.flag).await?,
            None => None,
        };
        if made.is_none() {
            return Err(ArgumentError::from(unusual).into());
        }
    }
    if let Some(store) = &store
        && let Some(there) = metadata(store, &parts.flag).await?
    {
        return Err(WriteError::AlreadyAdded {
            flag: parts.flag,
            since: Some(there.created()),
        }
        .into());
    }
    write::confirm_and_append_metadata(
        context,
        store,
        PlannedMetadata::on(None, parts),
        &args.confirmation,
        args.output.form,
    )
    .await
}

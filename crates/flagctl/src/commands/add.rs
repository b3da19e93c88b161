//! `flagctl add`: the first metadata of a flag.

use crate::args::AddArgs;
use crate::commands::{first_made, metadata, today};
use crate::failure::Failure;
use crate::plan::{self, PlanError};
use crate::run::Context;
use crate::write::{self, PlannedMetadata};

/// Adds a flag, unless it has metadata already; revisions that it may have stay as they are.
pub(crate) async fn add(context: &Context, typed: &AddArgs) -> Result<(), Failure> {
    let parts = plan::metadata(typed, &context.variables)?;
    plan::not_past(typed.expires_on, today())?;
    let store = context.open_if_there().await?;
    if let Err(unusual) = plan::new_name(&parts.flag, typed.names.allowed()) {
        // A flag that is served without metadata has its name already.
        let made = match &store {
            Some(store) => first_made(context, store, &parts.flag).await?,
            None => None,
        };
        if made.is_none() {
            return Err(PlanError::from(unusual).into());
        }
    }
    if let Some(store) = &store
        && let Some(there) = metadata(store, &parts.flag).await?
    {
        return Err(Failure::AlreadyAdded {
            flag: parts.flag,
            since: Some(there.created()),
        });
    }
    write::metadata(
        context,
        store,
        PlannedMetadata::on(None, parts),
        &typed.confirmation,
        typed.output.form,
    )
    .await
}

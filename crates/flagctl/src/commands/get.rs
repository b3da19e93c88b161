//! `flagctl get`: what a flag is for, and the revision in force.

use crate::args::GetArgs;
use crate::commands::{newest_metadata, newest_revision};
use crate::failure::Failure;
use crate::output::{self, Flag};
use crate::plan;
use crate::run::Context;

/// Shows the metadata that counts and the revision in force, whichever of them there is; one that cannot be read is
/// named, and a failure in the end.
pub(crate) async fn get(context: &Context, typed: &GetArgs) -> Result<(), Failure> {
    let flag = plan::flag(&typed.flag)?;
    let store = context.open().await?;
    let metadata = newest_metadata(&store, &flag).await?;
    let revision = newest_revision(&store, &flag).await?;
    if metadata.is_none() && revision.is_none() {
        return Err(context.not_found(&store, flag, "").await);
    }
    let shown = Flag {
        key: &flag,
        metadata: metadata.as_ref(),
        revision: revision.as_ref(),
    };
    output::answer(&shown, typed.output.form)?;
    let unreadable = shown.unreadable();
    if unreadable.is_empty() {
        return Ok(());
    }
    Err(Failure::Unreadable(unreadable))
}

//! `flagctl get`: what a flag is for, and the revision in force.

use crate::args::GetArgs;
use crate::commands::{metadata, newest};
use crate::failure::Failure;
use crate::output::{self, Flag};
use crate::plan;
use crate::run::Context;

/// Shows the metadata that counts and the revision in force, whichever of them there is.
pub(crate) async fn get(context: &Context, typed: &GetArgs) -> Result<(), Failure> {
    let flag = plan::flag(&typed.flag)?;
    let store = context.open().await?;
    let metadata = metadata(&store, &flag).await?;
    let revision = newest(&store, &flag).await?;
    if metadata.is_none() && revision.is_none() {
        return Err(context.not_found(&store, flag, "").await);
    }
    let shown = Flag {
        key: &flag,
        metadata: metadata.as_ref(),
        revision: revision.as_ref(),
    };
    output::answer(&shown, typed.output.form)
}

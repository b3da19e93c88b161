//! `flagctl get`: shows the metadata and the revision in force.

use clap::Args;

use crate::args::{FlagWords, OutputArgs};
use crate::context::Context;
use crate::failure::Failure;
use crate::interpret::ArgumentError;
use crate::lookup::{
    newest_metadata_or_unreadable, newest_revision_or_unreadable, open_flag, revision_numbers,
};
use crate::missing::missing_flag;
use crate::output::{self, Flag};

#[derive(Debug, Args)]
pub(crate) struct GetArgs {
    #[command(flatten)]
    pub(crate) flag: FlagWords,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Shows the newest metadata and the revision in force, as far as they exist; an unreadable one is reported, and the
/// command fails at the end.
pub(crate) async fn get(context: &Context, args: &GetArgs) -> Result<(), Failure> {
    let named = args.flag.alone().map_err(ArgumentError::Usage)?;
    let (store, flag) = open_flag(context, &named).await?;
    let metadata = newest_metadata_or_unreadable(&store, &flag).await?;
    let revision = newest_revision_or_unreadable(&store, &flag).await?;
    if metadata.is_none() && revision.is_none() {
        return Err(missing_flag(context, &store, flag, "").await.into());
    }
    let numbers = revision_numbers(context, &store, &flag).await?;
    let shown = Flag {
        key: &flag,
        metadata: metadata.as_ref(),
        revision: revision.as_ref(),
        numbers: &numbers,
    };
    output::show(&shown, args.output.format)?;
    Ok(shown.check_readable()?)
}

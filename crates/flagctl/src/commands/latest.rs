//! `flagctl latest`: shows the revision in force only.

use clap::Args;

use crate::args::{FlagWords, OutputArgs};
use crate::context::Context;
use crate::failure::Failure;
use crate::interpret::ArgumentError;
use crate::lookup::{numbering, open_flag, revision_in_force};
use crate::output::{self, Latest};

#[derive(Debug, Args)]
pub(crate) struct LatestArgs {
    #[command(flatten)]
    flag: FlagWords,
    #[command(flatten)]
    output: OutputArgs,
}

/// Shows the revision in force; fails if the flag has none.
pub(crate) async fn latest(context: &Context, args: &LatestArgs) -> Result<(), Failure> {
    let named = args.flag.alone().map_err(ArgumentError::Usage)?;
    let (store, flag) = open_flag(context, &named).await?;
    let revision = revision_in_force(context, &store, &flag).await?;
    let numbering = numbering(context, &store, &flag).await?;
    let latest = Latest {
        flag: &flag,
        revision: &revision,
        numbering: &numbering,
    };
    output::show(&latest, args.output.form)
}

//! `flagctl latest`: shows the revision in force only.

use clap::Args;

use crate::args::{FlagWords, OutputArgs};
use crate::context::Context;
use crate::failure::Failure;
use crate::interpret::ArgumentError;
use crate::lookup::{open_flag, revision_in_force, revision_numbers};
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
    let numbers = revision_numbers(context, &store, &flag).await?;
    let latest = Latest {
        flag: &flag,
        revision: &revision,
        numbers: &numbers,
    };
    output::show(&latest, args.output.format)
}

//! `flagctl latest`: the revision in force alone.

use clap::Args;

use crate::args::{FlagArgs, OutputArgs};
use crate::commands::in_force;
use crate::failure::Failure;
use crate::output::{self, Latest};
use crate::plan;
use crate::run::Context;

#[derive(Debug, Args)]
pub(crate) struct LatestArgs {
    #[command(flatten)]
    flag: FlagArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Shows the revision in force; a flag without one is not enough.
pub(crate) async fn latest(context: &Context, typed: &LatestArgs) -> Result<(), Failure> {
    let flag = plan::flag(&typed.flag)?;
    let store = context.open().await?;
    let revision = in_force(context, &store, &flag, None).await?;
    let latest = Latest {
        flag: &flag,
        revision: &revision,
    };
    output::answer(&latest, typed.output.form)
}

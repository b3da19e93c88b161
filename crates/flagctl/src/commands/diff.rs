//! `flagctl diff`: two revisions side by side.

use clap::Args;
use flag_model::{FlagKey, Revision, Timestamp};
use flag_store::FlagStore;

use crate::alike::decide_alike;
use crate::args::{FlagArgs, OutputArgs};
use crate::change::Sides;
use crate::commands::in_force;
use crate::failure::Failure;
use crate::output::{self, Diff};
use crate::plan;
use crate::run::Context;

#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    #[command(flatten)]
    flag: FlagArgs,
    /// When the one revision was made, as `history` tells it
    #[arg(value_name = "TIME", value_parser = Timestamp::parse)]
    from: Timestamp,
    /// When the other one was made
    #[arg(value_name = "TIME", value_parser = Timestamp::parse)]
    to: Timestamp,
    #[command(flatten)]
    output: OutputArgs,
}

/// Shows both revisions, and says by the exit code whether they decide alike.
pub(crate) async fn diff(context: &Context, typed: &DiffArgs) -> Result<(), Failure> {
    let flag = plan::flag(&typed.flag)?;
    let store = context.open().await?;
    let from = revision_of(context, &store, &flag, typed.from).await?;
    let to = revision_of(context, &store, &flag, typed.to).await?;
    let diff = Diff {
        flag: &flag,
        from: &from,
        to: &to,
        decide_alike: decide_alike(&from, &to),
        sides: Sides::of(&from, &to),
    };
    output::answer(&diff, typed.output.form)?;
    if diff.decide_alike {
        Ok(())
    } else {
        Err(Failure::Differs)
    }
}

/// The revision that was made at exactly this time.
async fn revision_of(
    context: &Context,
    store: &FlagStore,
    flag: &FlagKey,
    made: Timestamp,
) -> Result<Revision, Failure> {
    let revision = in_force(context, store, flag, Some(made)).await?;
    if revision.created() == made {
        return Ok(revision);
    }
    let in_force = revision.created();
    Err(Failure::NoneInForce {
        flag: flag.clone(),
        missing: format!("has no revision made at {made}; the one in force then is of {in_force}"),
    })
}

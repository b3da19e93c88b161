//! `flagctl explain`: explains the value of an instance.

use clap::Args;
use flag_model::{InstanceId, Timestamp};
use flag_rollout::{Plan, decide};

use crate::args::{FlagArgs, OutputArgs};
use crate::context::Context;
use crate::failure::Failure;
use crate::interpret::{self, ArgumentError};
use crate::lookup::revision_in_force;
use crate::output::{self, Explained};

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    #[command(flatten)]
    flag: FlagArgs,
    /// Instance id, taken exactly as typed
    #[arg(allow_negative_numbers = true)]
    instance: String,
    /// Past time, in UTC [default: now]
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse)]
    at: Option<Timestamp>,
    #[command(flatten)]
    output: OutputArgs,
}

/// Decides as the service does, by the revision in force now or at a past time, and shows the reason.
pub(crate) async fn explain(context: &Context, args: &ExplainArgs) -> Result<(), Failure> {
    let flag = interpret::flag(&args.flag)?;
    let instance = InstanceId::new(args.instance.as_str()).map_err(ArgumentError::from)?;
    let store = context.open().await?;
    let revision = revision_in_force(context, &store, &flag, args.at).await?;
    let compiled = Plan::compile(revision.clone());
    let explained = Explained {
        instance: &instance,
        at: args.at,
        decision: decide(&compiled, &instance),
        revision: &revision,
    };
    output::show(&explained, args.output.form)
}

//! `flagctl explain`: explains the value of an instance.

use clap::Args;
use flag_model::InstanceId;
use flag_rollout::{Plan, decide};
use flag_store::{Clock as _, SystemClock};

use crate::args::{OutputArgs, ProjectOption, RevisionName, split};
use crate::context::Context;
use crate::failure::Failure;
use crate::interpret::ArgumentError;
use crate::lookup::{numbering, open_flag, revision_in_force, revision_named};
use crate::output::{self, Explained};

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// Flag: `NAME`, `PROJECT/NAME`, `PROJECT/TYPE/NAME`, or `PROJECT TYPE NAME`; then the instance id, taken exactly as typed
    #[arg(value_name = "FLAG", required = true, num_args = 2.., allow_negative_numbers = true)]
    words: Vec<String>,
    #[command(flatten)]
    project: ProjectOption,
    /// Past revision: `r7`, `~1`, or a time at which it was in force [default: now]
    #[arg(long, value_name = "REVISION", value_parser = RevisionName::parse)]
    at: Option<RevisionName>,
    #[command(flatten)]
    output: OutputArgs,
}

/// Decides as the service does, by the revision in force now or at a past time, and shows the reason.
pub(crate) async fn explain(context: &Context, args: &ExplainArgs) -> Result<(), Failure> {
    let project = args.project.project.as_deref();
    let (named, rest) = split(&args.words, project, 1).map_err(ArgumentError::Usage)?;
    let missing = || ArgumentError::Usage("no instance id is given".to_owned());
    let instance = rest.first().ok_or_else(missing)?;
    let instance = InstanceId::new(instance.as_str()).map_err(ArgumentError::from)?;
    let (store, flag) = open_flag(context, &named).await?;
    let numbering = numbering(context, &store, &flag).await?;
    let revision = match &args.at {
        Some(name) => revision_named(context, &store, &flag, &numbering, name).await?,
        None => revision_in_force(context, &store, &flag).await?,
    };
    let compiled = Plan::compile(revision.clone());
    let explained = Explained {
        instance: &instance,
        at: (args.at.as_ref())
            .map(|name| name.time(SystemClock.now()).unwrap_or(revision.created())),
        decision: decide(&compiled, &instance),
        revision: &revision,
        numbering: &numbering,
    };
    output::show(&explained, args.output.form)
}

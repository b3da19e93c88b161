//! `flagctl explain`: explains the value of an instance.
mod bundle;

use std::path::PathBuf;

use clap::Args;
use flag_model::{FlagKey, InstanceId, Timestamp};
use flag_rollout::{Plan, decide};
use flag_settings::{Reader, read_instance_id_mode};
use flag_store::{Clock as _, ExposureLog, FlagStore, SystemClock};
use flag_verify::{RecheckedExposure, recheck_around};

use self::bundle::write_bundle;
use super::replicas::read_replicas;
use crate::args::{OutputArgs, ProjectOption, RevisionName, take_flag};
use crate::context::Context;
use crate::failure::Failure;
use crate::interpret::ArgumentError;
use crate::lookup::{open_flag, revision_in_force, revision_named, revision_numbers};
use crate::output::{self, Explained, with_progress};

/// How many exposures are shown before the time, and after it.
const SERVED: usize = 10;

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
    /// Also show what was served to the instance around that time, and whether the revisions decide the same
    #[arg(long)]
    served: bool,
    /// Also write a bug report into this new file: the decision, what was served, what each replica reports, releases and
    /// settings, as JSON
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,
    /// Replace instance ids in the bug report by hashes that are different in each
    #[arg(long, requires = "bundle")]
    hash_ids: bool,
    #[command(flatten)]
    output: OutputArgs,
}

/// Decides as the service does, by the revision in force now or at a past time, and shows the reason.
pub(crate) async fn explain(context: &Context, args: &ExplainArgs) -> Result<(), Failure> {
    let project = args.project.project.as_deref();
    let (named, rest) = take_flag(&args.words, project, 1).map_err(ArgumentError::Usage)?;
    let missing = || ArgumentError::Usage("no instance id is given".to_owned());
    let instance = rest.first().ok_or_else(missing)?;
    let instance = InstanceId::new(instance.as_str()).map_err(ArgumentError::from)?;
    let (store, flag) = open_flag(context, &named).await?;
    let numbers = revision_numbers(context, &store, &flag).await?;
    let revision = match &args.at {
        Some(name) => revision_named(context, &store, &flag, &numbers, name).await?,
        None => revision_in_force(context, &store, &flag).await?,
    };
    let compiled = Plan::compile(revision.clone());
    let named = args.at.as_ref();
    let at = named.map(|name| name.time(SystemClock.now()).unwrap_or(revision.created()));
    let log = if args.served || args.bundle.is_some() {
        Some(context.open_log(context.settings()).await?)
    } else {
        None
    };
    let served = match &log {
        Some(log) => Some(served(context, (&store, &**log), &flag, &instance, at).await?),
        None => None,
    };
    let explained = Explained {
        instance: &instance,
        at,
        decision: decide(&compiled, &instance),
        revision: &revision,
        numbers: &numbers,
        served: served.as_deref(),
    };
    if let Some((path, log)) = args.bundle.as_ref().zip(log) {
        let replicas = read_replicas(context, (&store, &*log), &flag.project).await?;
        write_bundle(context, path, (&explained, &replicas), args.hash_ids)?;
        output::notice(&format!("wrote {}", path.display()));
    }
    output::show(&explained, args.output.format)
}

/// What was served to an instance around a time, or lately.
async fn served(
    context: &Context,
    (store, log): (&FlagStore, &dyn ExposureLog),
    flag: &FlagKey,
    instance: &InstanceId<'_>,
    at: Option<Timestamp>,
) -> Result<Vec<RecheckedExposure>, Failure> {
    let mut reader = Reader::new(context.sources.clone());
    let id_mode = read_instance_id_mode(&mut reader);
    let id_mode = reader.finish(id_mode)?;
    let served = recheck_around((store, log), &id_mode, flag, instance, at, SERVED);
    let served = with_progress(format!("reading the exposures of {flag}"), served).await;
    served.map_err(|source| context.store_failed(source).into())
}

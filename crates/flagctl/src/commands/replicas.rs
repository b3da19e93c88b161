//! `flagctl replicas`: shows the replicas of the service, and which of them serve the newest revisions of a project.

use clap::Args;
use flag_model::ProjectName;
use flag_store::{
    Clock as _, ExposureLog, FlagStore, HeadRow, Replica, ServedRevisions, SystemClock,
    known_replicas, served_revisions,
};

use crate::args::{OutputArgs, ProjectOption};
use crate::context::Context;
use crate::default_project;
use crate::failure::Failure;
use crate::output::{self, ReplicaState, Replicas, ReportedReplica, with_progress};
use crate::propagation;

#[derive(Debug, Args)]
pub(crate) struct ReplicasArgs {
    /// Project whose flags they serve
    #[arg(value_name = "PROJECT")]
    named: Option<String>,
    #[command(flatten)]
    project: ProjectOption,
    #[command(flatten)]
    output: OutputArgs,
}

/// Shows the replicas that have reported in the last minutes, and those that stopped to.
pub(crate) async fn replicas(context: &Context, args: &ReplicasArgs) -> Result<(), Failure> {
    let named = args.named.as_deref().or(args.project.project.as_deref());
    let project = default_project::required(named, &context.variables)?;
    let (store, log) = context.open_with_log().await?;
    let shown = read_replicas(context, (&store, &*log), &project).await?;
    if shown.are_silent() {
        output::notice(&propagation::no_replica(shown.age));
    }
    output::show(&shown, args.output.format)
}

/// What replicas report, compared with the newest revisions of a project.
pub(super) async fn read_replicas(
    context: &Context,
    (store, log): (&FlagStore, &dyn ExposureLog),
    project: &ProjectName,
) -> Result<Replicas, Failure> {
    let reading = async {
        let head = store.head_row(project).await?;
        let served = served_revisions(log, project).await?;
        Ok((head, served, known_replicas(log).await?))
    };
    let read = with_progress("reading what replicas report".to_owned(), reading).await;
    let (head, mut served, known) = read.map_err(|source| context.store_failed(source))?;
    let now = SystemClock.now();
    let age = known.age(now);
    let known = known.as_of(now);
    let live = known.live.into_iter().map(|replica| (replica, None));
    let silent = known.silent.into_iter();
    let silent = silent.map(|replica| (replica, Some(ReplicaState::Silent)));
    let shown = live.chain(silent).map(|(replica, known)| {
        let served = served.remove(&replica.id);
        ReportedReplica {
            state: known.unwrap_or_else(|| state(&replica, served.as_ref(), &head)),
            replica,
            served,
        }
    });
    Ok(Replicas {
        project: project.clone(),
        shown: shown.collect(),
        now,
        age,
    })
}

fn state(replica: &Replica, served: Option<&ServedRevisions>, head: &HeadRow) -> ReplicaState {
    match served {
        _ if replica.polls_every.is_none() => ReplicaState::NotWatching,
        None => ReplicaState::NotAsked,
        Some(served) if served.is_up_to_date(head) => ReplicaState::UpToDate,
        Some(_) => ReplicaState::Behind,
    }
}

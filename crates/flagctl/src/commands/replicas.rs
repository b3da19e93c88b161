//! `flagctl replicas`: shows the replicas of the service, and which of them serve the newest revisions of a project.

use clap::Args;
use flag_store::{Clock as _, SystemClock, live_replicas, served_revisions};

use crate::args::{OutputArgs, ProjectOption};
use crate::context::Context;
use crate::default_project;
use crate::failure::Failure;
use crate::output::{self, ReplicaState, Replicas, with_progress};

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

/// Shows the replicas that have reported in the last minutes.
pub(crate) async fn replicas(context: &Context, args: &ReplicasArgs) -> Result<(), Failure> {
    let named = args.named.as_deref().or(args.project.project.as_deref());
    let project = default_project::required(named, &context.variables)?;
    let (store, log) = context.open_with_log().await?;
    let now = SystemClock.now();
    let reading = async {
        let head = store.head_row(&project).await?;
        let served = served_revisions(&*log, &project).await?;
        let replicas = live_replicas(&*log, now).await?;
        let replicas = replicas.into_iter().map(|replica| {
            let served = served.get(&replica.id);
            let state = match served {
                _ if !replica.watches => ReplicaState::NotWatching,
                None => ReplicaState::NotAsked,
                Some(served) if served.is_up_to_date(&head) => ReplicaState::UpToDate,
                Some(_) => ReplicaState::Behind,
            };
            let digest = served.and_then(|served| served.digest);
            (replica, digest, state)
        });
        Ok(replicas.collect())
    };
    let replicas = with_progress("reading what replicas report".to_owned(), reading).await;
    let replicas: Vec<_> = replicas.map_err(|source| context.store_failed(source))?;
    if replicas.is_empty() {
        output::notice("no replica has reported in the last 3 minutes");
    }
    let shown = Replicas {
        project: &project,
        shown: replicas,
        now,
    };
    output::show(&shown, args.output.form)
}

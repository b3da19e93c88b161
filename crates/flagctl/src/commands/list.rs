//! `flagctl list`: the flags of a project.

use clap::Args;
use flag_model::ProjectName;
use flag_store::{FlagEntry, UnreadableRow};

use crate::args::OutputArgs;
use crate::failure::{Failure, no_flags};
use crate::output::{self, Flags, Told, noted};
use crate::plan::PlanError;
use crate::run::Context;

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Project of the flags
    project: String,
    /// Show the revision in force of each flag
    #[arg(long)]
    with_latest: bool,
    #[command(flatten)]
    output: OutputArgs,
}

/// Shows the flags of a project, by type and name; none are no failure, but one that cannot be read is.
pub(crate) async fn list(context: &Context, typed: &ListArgs) -> Result<(), Failure> {
    let project = ProjectName::new(&typed.project).map_err(PlanError::from)?;
    let store = context.open().await?;
    let reading = format!("reading the flags of {project}");
    let told = if typed.with_latest {
        Told::MetadataAndRevision
    } else {
        Told::Metadata
    };
    // A flag without metadata is served too.
    let flags = noted(reading, store.flags_with_latest(&project)).await;
    let mut flags = flags.map_err(|source| context.failed(source))?;
    flags.sort_by(|one, other| one.flag.cmp(&other.flag));
    if flags.is_empty() {
        let near = Context::near_project(&store, &project).await;
        output::talk(&no_flags(&project, near.as_ref()));
    }
    let unreadable = unreadable(&flags);
    let flags = Flags {
        project: &project,
        entries: &flags,
        told,
    };
    output::answer(&flags, typed.output.form)?;
    if unreadable.is_empty() {
        return Ok(());
    }
    Err(Failure::Unreadable(unreadable))
}

/// The rows that count and cannot be read.
pub(super) fn unreadable(flags: &[FlagEntry]) -> Vec<UnreadableRow> {
    let rows = flags.iter().flat_map(|entry| {
        let metadata = entry.metadata.as_ref().and_then(|row| row.as_ref().err());
        let revision = entry.revision.as_ref().and_then(|row| row.as_ref().err());
        metadata.into_iter().chain(revision).cloned()
    });
    rows.collect()
}

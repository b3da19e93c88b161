//! `flagctl list`: the flags of a project.

use clap::Args;
use flag_model::ProjectName;

use crate::args::OutputArgs;
use crate::context::Context;
use crate::failure::Failure;
use crate::interpret::ArgumentError;
use crate::missing::missing_project;
use crate::output::{self, Flags, ListColumns, with_progress};
use crate::stored::UnreadableRows;

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

/// Shows the flags of a project, by type and name. A project without flags is a failure, and so is an unreadable row.
pub(crate) async fn list(context: &Context, args: &ListArgs) -> Result<(), Failure> {
    let project = ProjectName::new(&args.project).map_err(ArgumentError::from)?;
    let store = context.open().await?;
    let reading = format!("reading the flags of {project}");
    let columns = if args.with_latest {
        ListColumns::MetadataAndRevision
    } else {
        ListColumns::Metadata
    };
    // A flag without metadata is served, too.
    let flags = with_progress(reading, store.flags_with_latest(&project)).await;
    let mut flags = flags.map_err(|source| context.store_failed(source))?;
    flags.sort_by(|one, other| one.flag.cmp(&other.flag));
    if flags.is_empty() {
        let missing = missing_project(&store, project, context.display_name());
        return Err(missing.await.into());
    }
    let readable = UnreadableRows::check_flags(&flags);
    let flags = Flags {
        project: &project,
        entries: &flags,
        columns,
    };
    output::show(&flags, args.output.form)?;
    Ok(readable?)
}

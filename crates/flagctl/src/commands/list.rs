//! `flagctl list`: the flags of a project.

use clap::Args;
use flag_model::ProjectName;
use flag_store::FlagEntry;

use crate::args::OutputArgs;
use crate::exit_code::ExitCode;
use crate::failure::{Failure, no_flags};
use crate::output::{self, Flags, Told, noted};
use crate::plan::PlanError;
use crate::run::Context;
use crate::shell::word;

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Project of the flags
    project: String,
    /// Show the revision in force of each flag, and flags that have nothing but revisions
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
    let (told, flags) = if typed.with_latest {
        let flags = noted(reading, store.flags_with_latest(&project)).await;
        (Told::MetadataAndRevision, flags)
    } else {
        let flags = noted(reading, store.flags(&project)).await;
        (Told::Metadata, flags)
    };
    let mut flags = flags.map_err(|source| context.failed(source))?;
    flags.sort_by(|one, other| one.flag.cmp(&other.flag));
    if flags.is_empty() {
        let near = Context::near_project(&store, &project).await;
        output::talk(&no_flags(&project, near.as_ref()));
    }
    let unreadable = flags.iter().filter(|entry| is_unreadable(entry)).count();
    let flags = Flags {
        project: &project,
        entries: &flags,
        told,
    };
    output::answer(&flags, typed.output.form)?;
    if unreadable == 0 {
        return Ok(());
    }
    output::talk(&format!(
        "flags that cannot be read: {unreadable}; `flagctl doctor {}` names their rows",
        word(project.as_str())
    ));
    Err(Failure::Told(ExitCode::Refused))
}

/// Whether a row that was asked for and counts cannot be read.
fn is_unreadable(entry: &FlagEntry) -> bool {
    matches!(entry.metadata, Some(Err(_))) || matches!(entry.revision, Some(Err(_)))
}

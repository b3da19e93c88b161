//! `flagctl apply`: appends what differs between a flag file and the store.
mod errors;
mod older;

use std::cell::RefCell;
use std::future::ready;
use std::path::PathBuf;

use clap::Args;
use flag_store::FlagStore;
use futures_util::stream;
use futures_util::{StreamExt as _, TryStreamExt as _};

use self::errors::{InvalidFlagFile, NewerInStore};
use self::older::older_rows;
use super::today;
use crate::apply::{ApplyPlan, Defaults, OlderRows, OnConflict, PlannedFlag, plan};
use crate::args::{NameArgs, OutputArgs, OutputFormat, OwnerArgs, RevisionWriteArgs, WriteArgs};
use crate::confirm::Confirmed;
use crate::context::Context;
use crate::exit_code::ExitCode;
use crate::exposure_impact::show_impact_and_confirm;
use crate::failure::{CommandError, Failure, StoreFailure};
use crate::flag_file::{self, FileErrors};
use crate::input::{self, is_standard_input};
use crate::interpret::{owner, required_text};
use crate::output::{self, Applied, AppliedFlag};
use crate::propagation;
use crate::write;

/// The largest file that is read.
const MAX_BYTES: u64 = 64 << 20;

/// How many flags are appended at a time: most of an append is waiting, for replies or for the disk.
pub(super) const AT_ONCE: usize = 16;

#[derive(Debug, Default, Args)]
pub(crate) struct ApplyArgs {
    /// File as `flagctl export` writes it, YAML or JSON; `-` for standard input
    #[arg(short, long, value_name = "FILE")]
    pub(super) file: PathBuf,
    /// Only compare, write nothing, and end with code 7 if anything differs
    #[arg(long)]
    pub(super) check: bool,
    /// Merge the file with what has changed in the store since it was exported; refused where both changed the same
    #[arg(long, conflicts_with = "force")]
    pub(super) rebase: bool,
    /// Apply the file as it is, and take back what has changed in the store since it was exported
    #[arg(long)]
    pub(super) force: bool,
    /// Reason for every revision that is appended [default: Applied from FILE]
    #[arg(short = 'm', long, value_name = "TEXT")]
    pub(super) comment: Option<String>,
    #[command(flatten)]
    pub(super) owner: OwnerArgs,
    #[command(flatten)]
    pub(super) names: NameArgs,
    #[command(flatten)]
    pub(super) output: OutputArgs,
    #[command(flatten)]
    pub(super) revision_write: RevisionWriteArgs,
    /// Which flags the file is expected to have.
    #[arg(skip)]
    pub(super) scope: FileScope,
}

/// Which flags a file is expected to have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum FileScope {
    /// All of the project.
    #[default]
    Project,
    /// Some, by intention.
    SomeFlags,
}

/// Appends what differs from the file, and shows the differences.
pub(crate) async fn apply(context: &Context, args: &ApplyArgs) -> Result<(), Failure> {
    let text = input::read(&args.file, MAX_BYTES)?;
    apply_text(context, args, &text).await
}

/// The same for the text of the file.
pub(super) async fn apply_text(
    context: &Context,
    args: &ApplyArgs,
    text: &str,
) -> Result<(), Failure> {
    let store = context.open_if_exists().await?;
    let (project, plan) = compare(context, args, store.as_ref(), text).await?;
    let mut applied = answer(project, &plan);
    let refused = NewerInStore::of(&plan);
    if args.check {
        return check(&applied, refused, args.output.format);
    }
    refused?;
    applied.written = carry_out(context, store, plan, &args.revision_write).await?;
    output::show(&applied, args.output.format)?;
    propagation::wait(context, args.revision_write.write.wait).await
}

/// Shows a plan, asks for confirmation and appends its rows; returns whether any were appended. Creates a missing store
/// after the confirmation.
pub(super) async fn carry_out(
    context: &Context,
    store: Option<FlagStore>,
    plan: ApplyPlan,
    revision_write: &RevisionWriteArgs,
) -> Result<bool, Failure> {
    if plan.flags.is_empty() {
        return Ok(false);
    }
    if store.is_none() {
        output::notice(&format!("warning: {}", context.creation_warning()));
    }
    if show_impact_and_confirm(context, plan.changes(), revision_write).await? == Confirmed::DryRun
    {
        return Ok(false);
    }
    let store = match store {
        Some(store) => store,
        None => context.open_or_create().await?,
    };
    append_all(context, &store, plan.flags, &revision_write.write).await?;
    Ok(true)
}

/// The project of the file, and what it changes in the store.
async fn compare(
    context: &Context,
    args: &ApplyArgs,
    store: Option<&FlagStore>,
    text: &str,
) -> Result<(String, ApplyPlan), Failure> {
    let invalid = |mistakes: FileErrors| InvalidFlagFile {
        path: args.file.clone(),
        mistakes,
    };
    let file = flag_file::read(text).map_err(invalid)?;
    let project = file.project.clone();
    let defaults = defaults(context, args)?;
    let Some(store) = store else {
        let plan = plan(file, Vec::new(), &OlderRows::default(), &defaults).map_err(invalid)?;
        return Ok((project.to_string(), plan));
    };
    let stored = store.flag_entries(&project);
    let stored = output::with_progress(format!("reading {project}"), stored).await;
    let mut stored = stored.map_err(|source| context.store_failed(source))?;
    if args.scope == FileScope::SomeFlags {
        stored.retain(|entry| file.flags.iter().any(|wanted| wanted.flag == entry.flag));
    }
    let older = older_rows(context, store, &file, &stored).await?;
    let mut plan = plan(file, stored, &older, &defaults).map_err(invalid)?;
    warn_of_future_revisions(context, store, &mut plan).await?;
    Ok((project.to_string(), plan))
}

/// Warns of revisions ahead of the clock that will replace those to append.
pub(super) async fn warn_of_future_revisions(
    context: &Context,
    store: &FlagStore,
    plan: &mut ApplyPlan,
) -> Result<(), StoreFailure> {
    stream::iter(plan.flags.iter_mut())
        .map(Ok)
        .try_for_each_concurrent(AT_ONCE, async |flag: &mut PlannedFlag| {
            match &mut flag.revision {
                Some(revision) => revision.warn_of_future_revision(context, store).await,
                None => Ok(()),
            }
        })
        .await
}

/// Shows the differences; the exit code is whether there are any.
fn check(
    applied: &Applied,
    refused: Result<(), NewerInStore>,
    format: OutputFormat,
) -> Result<(), Failure> {
    if let Err(newer) = refused {
        for problem in newer.problems() {
            output::notice(&problem);
        }
    }
    output::show(applied, format)?;
    if applied.changed.is_empty() {
        return Ok(());
    }
    Err(Failure::explained_by_output(ExitCode::Differs))
}

/// The values that the file leaves out.
fn defaults(context: &Context, args: &ApplyArgs) -> Result<Defaults, Failure> {
    let comment = match &args.comment {
        Some(comment) => required_text("Comment", comment)?,
        None if is_standard_input(&args.file) => "Applied from standard input".to_owned(),
        None => {
            let name = args.file.file_name().unwrap_or_default();
            format!("Applied from {}", name.display())
        }
    };
    Ok(Defaults {
        comment,
        owner: Some(owner(&args.owner, &context.variables)?),
        v1: context.row_options.v1_algorithm,
        names: args.names.allowed(),
        on_conflict: match (args.rebase, args.force) {
            (true, _) => OnConflict::Rebase,
            (false, true) => OnConflict::Force,
            (false, false) => OnConflict::Refuse,
        },
        today: today(),
    })
}

fn answer(project: String, plan: &ApplyPlan) -> Applied {
    Applied {
        project,
        written: false,
        changed: plan.flags.iter().map(changed).collect(),
        unchanged: plan.unchanged,
        not_in_file: plan.not_in_file.clone(),
    }
}

/// What a plan does to a flag.
pub(super) fn changed(flag: &PlannedFlag) -> AppliedFlag {
    let changes: Vec<String> = flag.changes().iter().map(ToString::to_string).collect();
    AppliedFlag {
        flag: flag.flag.clone(),
        metadata: flag.metadata.is_some(),
        revision: flag.revision.is_some(),
        change: changes.concat().lines().map(str::to_owned).collect(),
    }
}

/// Appends many flags. After a failure no further append starts, and those in flight are finished.
pub(super) async fn append_all(
    context: &Context,
    store: &FlagStore,
    flags: Vec<PlannedFlag>,
    write_args: &WriteArgs,
) -> Result<(), Failure> {
    let failed = RefCell::new(None);
    stream::iter(flags)
        .take_while(|_| ready(failed.borrow().is_none()))
        .for_each_concurrent(AT_ONCE, async |flag| {
            if let Err(failure) = append(context, store, flag, write_args).await {
                failed.borrow_mut().get_or_insert(failure);
            }
        })
        .await;
    failed.into_inner().map_or(Ok(()), Err)
}

async fn append(
    context: &Context,
    store: &FlagStore,
    flag: PlannedFlag,
    write_args: &WriteArgs,
) -> Result<(), Failure> {
    if let Some(metadata) = flag.metadata {
        let (_, row) = write::append_metadata(context, store, metadata).await?;
        write::show_cells(&row, write_args);
    }
    if let Some(revision) = flag.revision {
        let (_, row) = write::append_revision(context, store, revision).await?;
        write::show_cells(&row, write_args);
    }
    output::notice(&format!(
        "applied {} to the {}",
        flag.flag,
        context.store_display_name()
    ));
    Ok(())
}

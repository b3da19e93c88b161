//! `flagctl apply`: appends what differs between a flag file and the store.
mod older;

use std::cell::RefCell;
use std::future::ready;
use std::path::PathBuf;

use clap::Args;
use flag_store::FlagStore;
use futures_util::stream;
use futures_util::{StreamExt as _, TryStreamExt as _};

use self::older::older_rows;
use super::today;
use crate::apply::{ApplyPlan, Defaults, OlderRows, OnConflict, PlannedFlag, plan};
use crate::args::{ConfirmArgs, NameArgs, OutputArgs, OwnerArgs};
use crate::confirm::{Confirmed, confirm};
use crate::context::Context;
use crate::exit_code::ExitCode;
use crate::failure::{CommandError, Failure};
use crate::flag_file::{self, FileErrors};
use crate::input::{self, input_name, is_standard_input};
use crate::interpret::{owner, required_text};
use crate::output::{self, Applied, AppliedFlag};
use crate::write;

/// The largest file that is read.
const MAX_BYTES: u64 = 64 << 20;

/// How many flags are appended at a time: most of an append is waiting, for replies or for the disk.
const AT_ONCE: usize = 16;

#[derive(Debug, Args)]
pub(crate) struct ApplyArgs {
    /// File as `flagctl export` writes it, YAML or JSON; `-` for standard input
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
    /// Only compare, write nothing, and end with code 7 if anything differs
    #[arg(long)]
    check: bool,
    /// Merge the file with what has changed in the store since it was exported; refused where both changed the same
    #[arg(long, conflicts_with = "force")]
    rebase: bool,
    /// Apply the file as it is, and take back what has changed in the store since it was exported
    #[arg(long)]
    force: bool,
    /// Reason for every revision that is appended [default: Applied from FILE]
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
    #[command(flatten)]
    owner: OwnerArgs,
    #[command(flatten)]
    names: NameArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    confirmation: ConfirmArgs,
}

/// The flag file is invalid.
#[derive(Debug, thiserror::Error)]
#[error("{}: {mistakes}", input_name(path))]
struct InvalidFlagFile {
    path: PathBuf,
    mistakes: FileErrors,
}

impl CommandError for InvalidFlagFile {
    fn exit_code(&self) -> ExitCode {
        ExitCode::Refused
    }

    fn problems(&self) -> Vec<String> {
        let mistakes = self.mistakes.0.iter();
        mistakes
            .map(|mistake| format!("{}, {mistake}", input_name(&self.path)))
            .collect()
    }
}

/// Flags have changed in the store since the file was exported.
#[derive(Debug, thiserror::Error)]
#[error("the store is newer than the file")]
struct NewerInStore(Vec<String>);

impl NewerInStore {
    /// An error if the plan would take back a change unseen.
    fn of(plan: &ApplyPlan) -> Result<(), Self> {
        let flags = plan.flags.iter();
        let messages = flags.flat_map(|flag| {
            let conflicts = flag.conflicts.iter();
            conflicts.map(|changed| changed.message(&flag.flag))
        });
        let messages: Vec<String> = messages.collect();
        if messages.is_empty() {
            Ok(())
        } else {
            Err(Self(messages))
        }
    }
}

impl CommandError for NewerInStore {
    fn exit_code(&self) -> ExitCode {
        ExitCode::Conflict
    }

    fn problems(&self) -> Vec<String> {
        let advice = "nothing was written. Export again; or merge what does not overlap with --rebase; or take back \
             what changed in the store with --force";
        let messages = self.0.iter().cloned();
        messages.chain([advice.to_owned()]).collect()
    }
}

/// Appends what differs from the file, and shows the differences.
pub(crate) async fn apply(context: &Context, args: &ApplyArgs) -> Result<(), Failure> {
    let text = input::read(&args.file, MAX_BYTES)?;
    let invalid = |mistakes: FileErrors| InvalidFlagFile {
        path: args.file.clone(),
        mistakes,
    };
    let file = flag_file::read(&text).map_err(invalid)?;
    let project = file.project.clone();
    let defaults = defaults(context, args)?;
    let store = context.open_if_exists().await?;
    let stored = match &store {
        Some(store) => {
            let stored = store.flags_with_latest(&project);
            let stored = output::with_progress(format!("reading {project}"), stored).await;
            stored.map_err(|source| context.store_failed(source))?
        }
        None => Vec::new(),
    };
    let older = match &store {
        Some(store) => older_rows(context, store, &file, &stored).await?,
        None => OlderRows::default(),
    };
    let mut plan = plan(file, stored, &older, &defaults).map_err(invalid)?;
    if let Some(store) = &store {
        stream::iter(plan.flags.iter_mut())
            .map(Ok)
            .try_for_each_concurrent(AT_ONCE, async |flag: &mut PlannedFlag| {
                match &mut flag.revision {
                    Some(revision) => revision.look_ahead(context, store).await,
                    None => Ok(()),
                }
            })
            .await?;
    }
    let mut applied = answer(project.to_string(), &plan);
    let refused = NewerInStore::of(&plan);
    if args.check {
        if let Err(newer) = refused {
            newer
                .problems()
                .iter()
                .for_each(|problem| output::notice(problem));
        }
        output::show(&applied, args.output.form)?;
        if plan.flags.is_empty() {
            return Ok(());
        }
        return Err(Failure::explained_by_output(ExitCode::Differs));
    }
    refused?;
    if store.is_none() && !plan.flags.is_empty() {
        output::notice(&format!("warning: {}", context.creation_warning()));
    }
    if !plan.flags.is_empty() && confirm(&plan.changes(), &args.confirmation)? == Confirmed::Write {
        let store = match store {
            Some(store) => store,
            None => context.open_or_create().await?,
        };
        append_all(context, &store, plan.flags).await?;
        applied.written = true;
    }
    output::show(&applied, args.output.form)
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
        v1: context.rows.v1_algorithm,
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
    let changed = plan.flags.iter().map(|flag| {
        let changes: Vec<String> = flag.changes().iter().map(ToString::to_string).collect();
        AppliedFlag {
            flag: flag.flag.clone(),
            metadata: flag.metadata.is_some(),
            revision: flag.revision.is_some(),
            change: changes.concat().lines().map(str::to_owned).collect(),
        }
    });
    Applied {
        project,
        written: false,
        changed: changed.collect(),
        unchanged: plan.unchanged,
        not_in_file: plan.not_in_file.clone(),
    }
}

/// Appends many flags. After a failure no further append starts, and those in flight are finished.
async fn append_all(
    context: &Context,
    store: &FlagStore,
    flags: Vec<PlannedFlag>,
) -> Result<(), Failure> {
    let failed = RefCell::new(None);
    stream::iter(flags)
        .take_while(|_| ready(failed.borrow().is_none()))
        .for_each_concurrent(AT_ONCE, async |flag| {
            if let Err(failure) = append(context, store, flag).await {
                failed.borrow_mut().get_or_insert(failure);
            }
        })
        .await;
    failed.into_inner().map_or(Ok(()), Err)
}

async fn append(context: &Context, store: &FlagStore, flag: PlannedFlag) -> Result<(), Failure> {
    if let Some(metadata) = flag.metadata {
        write::append_metadata(context, store, metadata).await?;
    }
    if let Some(revision) = flag.revision {
        write::append_revision(context, store, revision).await?;
    }
    output::notice(&format!(
        "applied {} to the {}",
        flag.flag,
        context.display_name()
    ));
    Ok(())
}

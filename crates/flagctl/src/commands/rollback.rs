//! `flagctl rollback`: puts an older revision into force again.

use std::num::NonZeroUsize;

use clap::Args;
use flag_model::{FlagKey, Revision, RevisionParts, Timestamp};
use flag_rollout::{Risk, are_equivalent, rolled_back};
use flag_store::{Clock as _, ReadError, RollbackPath, SystemClock};

use crate::args::{FlagWords, OutputArgs, OwnerArgs, RevisionName, RevisionWriteArgs};
use crate::context::Context;
use crate::exit_code::ExitCode;
use crate::failure::{CommandError, Failure, read_exit_code};
use crate::interpret::{self, ArgumentError};
use crate::lookup::{SEARCHED_REVISIONS, open_flag, revision_named, revision_numbers};
use crate::maybe_readable::{MaybeReadable, created};
use crate::missing::missing_flag;
use crate::output::with_progress;
use crate::revision_numbers::RevisionNumbers;
use crate::shell;
use crate::write::{self, NextRevision};

/// Which revision to go back to.
#[derive(Debug, Args)]
pub(crate) struct RollbackArgs {
    #[command(flatten)]
    flag: FlagWords,
    /// Revision to go back to: `r7`, `~1`, or a time at which it was in force [default: the last one in force that decides
    /// differently; revisions that were rolled back are skipped]
    #[arg(long, value_name = "REVISION", value_parser = RevisionName::parse)]
    to: Option<RevisionName>,
    /// How many revisions to go back, not counting those that change nothing or were rolled back
    #[arg(long, value_name = "N", conflicts_with = "to", default_value = "1", allow_negative_numbers = true, value_parser = steps)]
    steps: NonZeroUsize,
    /// Reason for the rollback [default: names the revision]
    #[arg(short = 'm', long, value_name = "TEXT")]
    comment: Option<String>,
    #[command(flatten)]
    owner: OwnerArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    revision_write: RevisionWriteArgs,
}

/// Why no revision was found to go back to.
#[derive(Debug, thiserror::Error)]
enum RollbackError {
    /// The flag has fewer revisions to go back to.
    #[error("{}", nothing_before(flag, *steps, *available, *known))]
    NothingBefore {
        /// The flag.
        flag: FlagKey,
        /// How many steps back were wanted.
        steps: usize,
        /// How many there are.
        available: usize,
        /// How many revisions were searched.
        known: usize,
    },
    /// The revision that should come into force again cannot be read.
    #[error(
        "{what} of {flag} cannot be read: `flagctl history {}` shows the others, of which `--to REVISION` takes one; \
         `flagctl revise` makes a new one",
        shell::flag(flag)
    )]
    Unreadable {
        /// Which revision.
        what: String,
        /// The flag.
        flag: FlagKey,
        /// Why.
        source: Box<ReadError>,
    },
}

impl CommandError for RollbackError {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::NothingBefore { .. } => ExitCode::NotFound,
            Self::Unreadable { source, .. } => read_exit_code(source),
        }
    }
}

fn nothing_before(flag: &FlagKey, steps: usize, available: usize, known: usize) -> String {
    match (available, known) {
        (0, 1) => format!("{flag} has one revision only, so there is nothing to roll back to"),
        (0, _) => format!(
            "there is nothing to roll back to: no older revision of {flag} decides differently; \
             `flagctl history {}` shows what was rolled back, `--to REVISION` brings one of it into force again",
            shell::flag(flag)
        ),
        (1, _) => format!("{flag} has 1 revision to go back to, not {steps}"),
        _ => format!("{flag} has {available} revisions to go back to, not {steps}"),
    }
}

/// Appends a copy of an older revision, marked as a rollback. The revision in force may be unreadable.
pub(crate) async fn rollback(context: &Context, args: &RollbackArgs) -> Result<(), Failure> {
    let named = args.flag.alone().map_err(ArgumentError::Usage)?;
    let (store, flag) = open_flag(context, &named).await?;
    let wanted = args.steps.get().saturating_add(1).max(SEARCHED_REVISIONS);
    let history = store.history(&flag, wanted);
    let history = with_progress(format!("reading the history of {flag}"), history).await;
    let history = history.map_err(|source| context.store_failed(source))?;
    let Some(newest) = history.first() else {
        let wanted = " that has a revision";
        return Err(missing_flag(context, &store, flag, wanted).await.into());
    };
    let path = RollbackPath::of(&history, are_equivalent);
    let numbers = revision_numbers(context, &store, &flag).await?;
    let target = match &args.to {
        None => back(&flag, &path, args.steps.get(), history.len())?.clone(),
        Some(name) => match recent(&flag, &history, &numbers, name)? {
            Some(target) => target.clone(),
            None => revision_named(context, &store, &flag, &numbers, name).await?,
        },
    };
    let described = numbers.described(target.created());
    let label = numbers.label(target.created());
    let label = label.unwrap_or_else(|| target.created().to_string());
    if newest
        .as_ref()
        .is_ok_and(|newest| are_equivalent(newest, &target))
    {
        write::report_unchanged(&flag, &format!("decides as {described} already"));
        return Ok(());
    }
    let parts = RevisionParts {
        comment: args
            .comment
            .clone()
            .unwrap_or_else(|| format!("Rollback to {label}")),
        owner: Some(interpret::owner(&args.owner, &context.variables)?),
        ..rolled_back(&target)
    };
    let mut next = NextRevision::on(Some(newest), parts)?;
    next.success_message = Some(format!("rolled back {flag} to {label}"));
    if path.was_taken_back(&target) {
        next.change = next.change.with_risk(Risk::UndoesRollback);
    }
    if args.to.is_none() {
        for row in path.unreadable_between(Some(&target)) {
            let warning = format!(
                "{} cannot be read and is skipped",
                revision_of(row.created())
            );
            next.change = next.change.with_warning(&warning);
        }
    }
    write::confirm_and_append_revision(
        context,
        &store,
        next,
        &args.revision_write,
        args.output.format,
    )
    .await
}

fn steps(text: &str) -> Result<NonZeroUsize, String> {
    text.parse()
        .map_err(|_| "expected a whole number, 1 or more".to_owned())
}

/// The revision `steps` before the one in force.
fn back<'h>(
    flag: &FlagKey,
    path: &RollbackPath<'h>,
    steps: usize,
    known: usize,
) -> Result<&'h Revision, RollbackError> {
    if let Some(target) = path.back(steps) {
        return Ok(target);
    }
    // An unreadable revision decides nothing, so it is no target of a rollback.
    match path.unreadable_between(None).first() {
        Some(&row) if path.length() == 0 => Err(RollbackError::Unreadable {
            what: revision_of(row.created()),
            flag: flag.clone(),
            source: Box::new(row.clone().into()),
        }),
        _ => Err(RollbackError::NothingBefore {
            flag: flag.clone(),
            steps,
            available: path.length(),
            known,
        }),
    }
}

/// The revision that a name means, if it is one of the newest.
fn recent<'h>(
    flag: &FlagKey,
    history: &'h [MaybeReadable<Revision>],
    numbers: &RevisionNumbers,
    name: &RevisionName,
) -> Result<Option<&'h Revision>, RollbackError> {
    let made = numbers.find(name, SystemClock.now()).ok();
    let mut revisions = history.iter();
    match revisions.find(|revision| made.is_some() && created(revision) == made) {
        Some(Ok(revision)) => Ok(Some(revision)),
        Some(Err(row)) => Err(RollbackError::Unreadable {
            what: revision_of(made),
            flag: flag.clone(),
            source: Box::new(row.clone().into()),
        }),
        None => Ok(None),
    }
}

fn revision_of(made: Option<Timestamp>) -> String {
    made.map_or_else(
        || "a revision".to_owned(),
        |made| format!("the revision of {made}"),
    )
}

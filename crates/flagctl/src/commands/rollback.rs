//! `flagctl rollback`: puts an older revision into force again.

use std::num::NonZeroUsize;

use clap::Args;
use flag_model::{FlagKey, Revision, RevisionParts, Timestamp};
use flag_store::ReadError;

use crate::args::{ConfirmArgs, FlagArgs, OutputArgs, OwnerArgs};
use crate::change::Risk;
use crate::context::Context;
use crate::equivalence::are_equivalent;
use crate::exit_code::ExitCode;
use crate::failure::{CommandError, Failure, read_exit_code};
use crate::interpret::{self, ArgumentError};
use crate::lookup::SEARCHED_REVISIONS;
use crate::missing::missing_flag;
use crate::output::with_progress;
use crate::rollback_path::RollbackPath;
use crate::shell;
use crate::stored::{Stored, created};
use crate::write::{self, PlannedRevision};

/// Which revision to go back to.
#[derive(Debug, Args)]
pub(crate) struct RollbackArgs {
    #[command(flatten)]
    flag: FlagArgs,
    /// Time of the revision to go back to, as `flagctl history` shows it [default: the previous revision in force;
    /// revisions that were rolled back are skipped]
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse)]
    to: Option<Timestamp>,
    /// How many revisions to go back
    #[arg(long, value_name = "N", conflicts_with = "to", default_value = "1", allow_negative_numbers = true, value_parser = steps)]
    steps: NonZeroUsize,
    /// Reason for the rollback [default: names the revision]
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
    #[command(flatten)]
    owner: OwnerArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    confirmation: ConfirmArgs,
}

/// Why no revision was found to go back to.
#[derive(Debug, thiserror::Error)]
enum RollbackError {
    /// The flag has no such revision.
    #[error(
        "no revision of {wanted} among the {known} of {flag}{}; `flagctl history {}` shows them",
        nearest.map_or_else(String::new, |near| format!("; the nearest is that of {near}")),
        shell::flag(flag)
    )]
    NoRevision {
        /// The flag.
        flag: FlagKey,
        /// The time of the wanted revision.
        wanted: Timestamp,
        /// When the nearest one was made.
        nearest: Option<Timestamp>,
        /// How many revisions were searched.
        known: usize,
    },
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
        "{what} of {flag} cannot be read: `flagctl history {}` shows the others, of which `--to TIME` takes one; \
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
            Self::NoRevision { .. } | Self::NothingBefore { .. } => ExitCode::NotFound,
            Self::Unreadable { source, .. } => read_exit_code(source),
        }
    }
}

fn nothing_before(flag: &FlagKey, steps: usize, available: usize, known: usize) -> String {
    match (available, known) {
        (0, 1) => format!("{flag} has one revision only, so there is nothing to roll back to"),
        (0, _) => format!(
            "there is nothing to roll back to: {flag} is at its first revision; \
             `flagctl history {}` shows what was rolled back, `--to TIME` brings one of it into force again",
            shell::flag(flag)
        ),
        (1, _) => format!("{flag} has 1 revision to go back to, not {steps}"),
        _ => format!("{flag} has {available} revisions to go back to, not {steps}"),
    }
}

/// Appends a copy of an older revision, marked as a rollback. The revision in force may be unreadable.
pub(crate) async fn rollback(context: &Context, args: &RollbackArgs) -> Result<(), Failure> {
    let flag = interpret::flag(&args.flag)?;
    let store = context.open().await?;
    let wanted = args.steps.get().saturating_add(1).max(SEARCHED_REVISIONS);
    let history = store.history(&flag, wanted);
    let history = with_progress(format!("reading the history of {flag}"), history).await;
    let history = history.map_err(|source| context.store_failed(source))?;
    let Some(newest) = history.first() else {
        let wanted = " that has a revision";
        return Err(missing_flag(context, &store, flag, wanted).await.into());
    };
    let path = RollbackPath::of(&history, are_equivalent);
    let target = match args.to {
        None => back(&flag, &path, args.steps.get(), history.len())?,
        Some(to) => named(&flag, &history, to)?,
    };
    let parts = RevisionParts {
        comment: args
            .comment
            .clone()
            .unwrap_or_else(|| format!("Rollback to {}", target.created())),
        owner: Some(interpret::owner(&args.owner, &context.variables)?),
        rollback_of: Some(target.created()),
        ..target.clone().into_parts()
    };
    if newest
        .as_ref()
        .is_ok_and(|newest| interpret::is_unchanged(newest, &parts))
    {
        return Err(nothing_changes(&flag, target, args).into());
    }
    let mut planned = PlannedRevision::on(Some(newest), parts)?;
    if path.was_taken_back(target) {
        planned.change = planned.change.with_risk(Risk::UndoesRollback);
    }
    if args.to.is_none() {
        for row in path.passed_over(Some(target)) {
            let warning = format!(
                "{} cannot be read and is skipped",
                revision_of(row.created())
            );
            planned.change = planned.change.with_warning(&warning);
        }
    }
    write::confirm_and_append_revision(
        context,
        &store,
        planned,
        &args.confirmation,
        args.output.form,
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
    match path.passed_over(None).first() {
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

/// The revision of a time.
fn named<'h>(
    flag: &FlagKey,
    history: &'h [Stored<Revision>],
    to: Timestamp,
) -> Result<&'h Revision, RollbackError> {
    let mut revisions = history.iter();
    match revisions.find(|revision| created(revision) == Some(to)) {
        Some(Ok(revision)) => Ok(revision),
        Some(Err(row)) => Err(RollbackError::Unreadable {
            what: revision_of(Some(to)),
            flag: flag.clone(),
            source: Box::new(row.clone().into()),
        }),
        None => Err(RollbackError::NoRevision {
            flag: flag.clone(),
            wanted: to,
            nearest: nearest(history, to),
            known: history.len(),
        }),
    }
}

/// The time of a revision that is nearest to this one.
fn nearest(history: &[Stored<Revision>], to: Timestamp) -> Option<Timestamp> {
    let made = history.iter().filter_map(created);
    made.min_by_key(|made| made.unix_micros().abs_diff(to.unix_micros()))
}

fn revision_of(made: Option<Timestamp>) -> String {
    made.map_or_else(
        || "a revision".to_owned(),
        |made| format!("the revision of {made}"),
    )
}

fn nothing_changes(flag: &FlagKey, target: &Revision, args: &RollbackArgs) -> ArgumentError {
    let made = target.created();
    let advice = match args.to {
        None => format!(
            "; --steps {} goes further back",
            args.steps.saturating_add(1)
        ),
        Some(_) => String::new(),
    };
    ArgumentError::Usage(format!(
        "nothing changes: {flag} is at the revision of {made} already{advice}"
    ))
}

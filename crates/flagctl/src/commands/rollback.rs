//! `flagctl rollback`: an older revision comes into force again.

use std::num::NonZeroUsize;

use clap::Args;
use flag_model::{FlagKey, Revision, RevisionParts, Timestamp};

use crate::alike::decide_alike;
use crate::args::{FlagArgs, OutputArgs, OwnerArgs};
use crate::change::Risk;
use crate::commands::SEARCHED;
use crate::confirm::ConfirmArgs;
use crate::failure::Failure;
use crate::output::{self, noted};
use crate::plan::{self, PlanError};
use crate::run::Context;
use crate::trail::{Entry, Trail};
use crate::write::{self, PlannedRevision};

/// Which revision to go back to.
#[derive(Debug, Args)]
pub(crate) struct RollbackArgs {
    #[command(flatten)]
    flag: FlagArgs,
    /// Revision to go back to, by its time as `flagctl history` shows it [default: the one that was in force before; what
    /// rollbacks took back is left out]
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse)]
    to: Option<Timestamp>,
    /// How many revisions to go back
    #[arg(long, value_name = "N", conflicts_with = "to", default_value = "1", allow_negative_numbers = true, value_parser = steps)]
    steps: NonZeroUsize,
    /// Why [default: which revision it goes back to]
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
    #[command(flatten)]
    owner: OwnerArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    confirmation: ConfirmArgs,
}

/// Appends a copy of an older revision, marked as such. What is in force may be unreadable: this is a way out of that.
pub(crate) async fn rollback(context: &Context, typed: &RollbackArgs) -> Result<(), Failure> {
    let flag = plan::flag(&typed.flag)?;
    let store = context.open().await?;
    let wanted = typed.steps.get().saturating_add(1).max(SEARCHED);
    let history = store.history(&flag, wanted);
    let history = noted(format!("reading the history of {flag}"), history).await;
    let history = history.map_err(|source| context.failed(source))?;
    let Some(newest) = history.first() else {
        return Err(context
            .not_found(&store, flag, " that has a revision")
            .await);
    };
    let trail = Trail::of(&history, decide_alike);
    let target = match typed.to {
        None => back(&flag, &trail, typed.steps.get(), history.len())?,
        Some(to) => named(&flag, &history, to)?,
    };
    let parts = RevisionParts {
        comment: typed
            .comment
            .clone()
            .unwrap_or_else(|| format!("Rollback to {}", target.created())),
        owner: Some(plan::owner(&typed.owner, &context.variables)?),
        rollback_of: Some(target.created()),
        ..target.clone().into_parts()
    };
    if newest
        .as_ref()
        .is_ok_and(|newest| plan::is_unchanged(newest, &parts))
    {
        return Err(nothing_changes(&flag, target, typed).into());
    }
    let mut planned = PlannedRevision::on(Some(newest), parts)?;
    if trail.was_taken_back(target) {
        planned.change = planned.change.with_risk(Risk::UndoesRollback);
    }
    if typed.to.is_none() {
        for row in trail.passed_over(Some(target)) {
            let warning = format!(
                "{} cannot be read and is passed over",
                revision_of(row.created())
            );
            planned.change = planned.change.with_warning(&warning);
        }
    }
    write::revision(
        context,
        &store,
        planned,
        &typed.confirmation,
        typed.output.form,
    )
    .await
}

fn steps(text: &str) -> Result<NonZeroUsize, String> {
    text.parse()
        .map_err(|_| "expected a whole number, 1 or more".to_owned())
}

/// The revision that many steps before the one in force.
fn back<'h>(
    flag: &FlagKey,
    trail: &Trail<'h>,
    steps: usize,
    known: usize,
) -> Result<&'h Revision, Failure> {
    if let Some(target) = trail.back(steps) {
        return Ok(target);
    }
    // What cannot be read decides nothing, so that nobody means it while there is something else.
    match trail.passed_over(None).first() {
        Some(&row) if trail.length() == 0 => Err(Failure::NotRolledBack {
            what: revision_of(row.created()),
            flag: flag.clone(),
            source: Box::new(row.clone().into()),
        }),
        _ => Err(Failure::NothingBefore {
            flag: flag.clone(),
            steps,
            there: trail.length(),
            known,
        }),
    }
}

/// The revision of a time.
fn named<'h>(flag: &FlagKey, history: &'h [Entry], to: Timestamp) -> Result<&'h Revision, Failure> {
    let mut revisions = history.iter();
    match revisions.find(|revision| output::created(revision) == Some(to)) {
        Some(Ok(revision)) => Ok(revision),
        Some(Err(row)) => Err(Failure::NotRolledBack {
            what: revision_of(Some(to)),
            flag: flag.clone(),
            source: Box::new(row.clone().into()),
        }),
        None => Err(Failure::NoRevision {
            flag: flag.clone(),
            wanted: to,
            nearest: nearest(history, to),
            known: history.len(),
        }),
    }
}

/// The time of a revision that is nearest to this one.
fn nearest(history: &[Entry], to: Timestamp) -> Option<Timestamp> {
    let made = history.iter().filter_map(output::created);
    made.min_by_key(|made| made.unix_micros().abs_diff(to.unix_micros()))
}

fn revision_of(made: Option<Timestamp>) -> String {
    made.map_or_else(
        || "a revision".to_owned(),
        |made| format!("the revision of {made}"),
    )
}

fn nothing_changes(flag: &FlagKey, target: &Revision, typed: &RollbackArgs) -> PlanError {
    let made = target.created();
    let advice = match typed.to {
        None => format!(
            "; --steps {} goes further back",
            typed.steps.saturating_add(1)
        ),
        Some(_) => String::new(),
    };
    PlanError::Usage(format!(
        "nothing changes: {flag} is at the revision of {made} already{advice}"
    ))
}

//! `flagctl rollback`: an older revision comes into force again.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;

use clap::Args;
use flag_model::{FlagKey, Revision, RevisionParts, Timestamp};
use flag_store::UnreadableRow;

use crate::args::{FlagArgs, OutputArgs, OwnerArgs};
use crate::change::Risk;
use crate::commands::SEARCHED;
use crate::confirm::ConfirmArgs;
use crate::failure::Failure;
use crate::output::{self, noted};
use crate::plan;
use crate::run::Context;
use crate::write::{self, PlannedRevision};

/// Which revision to go back to.
#[derive(Debug, Args)]
pub(crate) struct RollbackArgs {
    #[command(flatten)]
    flag: FlagArgs,
    /// Revision to go back to, by its time as `flagctl history` shows it [default: the one before the newest]
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse)]
    to: Option<Timestamp>,
    /// How many revisions to go back
    #[arg(long, value_name = "N", conflicts_with = "to", default_value = "1")]
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

/// A revision as the history has it, readable or not.
type Entry = Result<Revision, UnreadableRow>;

/// Appends a copy of an older revision, marked as such. What is in force may be unreadable: this is a way out of that.
pub(crate) async fn rollback(context: &Context, typed: &RollbackArgs) -> Result<(), Failure> {
    let flag = plan::flag(&typed.flag)?;
    let store = context.open().await?;
    let wanted = typed.steps.get().saturating_add(1).max(SEARCHED);
    let history = store.history(&flag, wanted);
    let history = noted(format!("reading the history of {flag}"), history).await;
    let history = history.map_err(|source| context.failed(source))?;
    let newest = history.first().cloned();
    let Some(entry) = &newest else {
        return Err(context
            .not_found(&store, flag, " that has a revision")
            .await);
    };
    let target = target(&flag, &history, typed)?;
    let back_to = target.created();
    if output::created(entry) == Some(back_to) {
        let message = format!("{flag} is at the revision of {back_to} already");
        return Err(plan::PlanError::Usage(message).into());
    }
    let parts = RevisionParts {
        comment: typed
            .comment
            .clone()
            .unwrap_or_else(|| format!("Rollback to {back_to}")),
        owner: Some(plan::owner(&typed.owner, &context.variables)?),
        rollback_of: Some(back_to),
        ..target.clone().into_parts()
    };
    let mut planned = PlannedRevision::on(newest.as_ref(), parts)?;
    if was_taken_back(&history, target) {
        planned.change = planned.change.with_risk(Risk::UndoesRollback);
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

/// The revision that was named, or the one so many steps before the newest.
fn target<'h>(
    flag: &FlagKey,
    history: &'h [Entry],
    typed: &RollbackArgs,
) -> Result<&'h Revision, Failure> {
    let found = match typed.to {
        // What cannot be read decides nothing, so that nobody means it.
        None => {
            (history.iter().skip(1).filter(|revision| revision.is_ok())).nth(typed.steps.get() - 1)
        }
        Some(to) => history
            .iter()
            .find(|revision| output::created(revision) == Some(to)),
    };
    match found {
        Some(Ok(revision)) => Ok(revision),
        Some(Err(row)) => Err(Failure::Read {
            what: "older revision",
            flag: flag.clone(),
            source: Box::new(row.clone().into()),
        }),
        None => {
            let wanted = typed.to.map_or_else(
                || format!("{} before the newest", typed.steps),
                |to| format!("of {to}"),
            );
            Err(Failure::NoRevision {
                flag: flag.clone(),
                wanted,
                known: history.len(),
            })
        }
    }
}

/// Whether a rollback went past this revision, or past the one that it is a copy of, and nobody took that back by name.
fn was_taken_back(history: &[Entry], target: &Revision) -> bool {
    let mut originals: BTreeMap<Timestamp, Timestamp> = BTreeMap::new();
    let mut taken_back: BTreeSet<Timestamp> = BTreeSet::new();
    // From the oldest on; a copy stands for its original, however many copies are between them.
    for revision in history.iter().rev().flatten() {
        let made = revision.created();
        let Some(of) = revision.rollback_of else {
            originals.insert(made, made);
            continue;
        };
        let original = originals.get(&of).copied().unwrap_or(of);
        taken_back.extend(originals.values().filter(|&&other| other > original));
        taken_back.remove(&original);
        originals.insert(made, original);
    }
    let original = originals.get(&target.created());
    original.is_some_and(|original| taken_back.contains(original))
}

//! `flagctl restore`: puts the revisions that were in force at an instant into force again.

mod plan;

use clap::Args;
use flag_model::{FlagKey, FlagName, FlagType, ProjectName, Timestamp};
use flag_store::{Clock as _, FlagEntry, FlagStore, SystemClock};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use self::plan::{FlagThen, Newer, RestorePlan, Restoring};
use super::apply::{AT_ONCE, carry_out, changed, warn_of_future_revisions};
use crate::args::{
    Moment, NamedFlag, OutputArgs, OwnerArgs, ProjectOption, RevisionName, RevisionWriteArgs,
};
use crate::context::Context;
use crate::default_project;
use crate::failure::Failure;
use crate::interpret::{self, ArgumentError};
use crate::lookup::{LookupError, metadata_at, revision_at};
use crate::missing::{missing_flag, missing_project};
use crate::output::{self, Restored, with_progress};
use crate::propagation;

#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// Project whose flags are restored
    #[arg(value_name = "PROJECT")]
    named: Option<String>,
    #[command(flatten)]
    project: ProjectOption,
    /// Instant whose revisions come into force again: a time in UTC, or how long ago, such as `2h`
    #[arg(long, value_name = "TIME", value_parser = past_time)]
    at: RevisionName,
    /// Restore only this flag: `NAME` or `TYPE/NAME`; may be repeated
    #[arg(long, value_name = "FLAG")]
    only: Vec<String>,
    /// Retire the flags that had no revision yet: everybody gets the control value [default: they stay as they are]
    #[arg(long)]
    strict: bool,
    /// Reason for every revision that is appended [default: names the instant]
    #[arg(short = 'm', long, value_name = "TEXT")]
    comment: Option<String>,
    #[command(flatten)]
    owner: OwnerArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    revision_write: RevisionWriteArgs,
}

/// Appends copies of the revisions that were in force, as far as those in force now decide differently.
pub(crate) async fn restore(context: &Context, args: &RestoreArgs) -> Result<(), Failure> {
    let named = args.named.as_deref().or(args.project.project.as_deref());
    let project = default_project::required(named, &context.variables)?;
    let at = instant(&args.at)?;
    let restoring = Restoring {
        comment: match &args.comment {
            Some(comment) => interpret::required_text("Comment", comment)?,
            None => format!("Restored to {at}"),
        },
        owner: interpret::owner(&args.owner, &context.variables)?,
        newer: if args.strict {
            Newer::Retire
        } else {
            Newer::Leave
        },
    };
    let store = context.open().await?;
    let entries = entries(context, &store, &project, &args.only).await?;
    let then = then(&store, entries, at);
    let then = with_progress(format!("reading {project} as of {at}"), then).await?;
    let mut planned = RestorePlan::of(then, &restoring)?;
    warn_of_future_revisions(context, &store, &mut planned.plan).await?;
    let mut restored = Restored {
        project: project.to_string(),
        at,
        written: false,
        changed: planned.plan.flags.iter().map(changed).collect(),
        unchanged: planned.plan.unchanged,
        newer: planned.newer,
    };
    restored.written = carry_out(context, Some(store), planned.plan, &args.revision_write).await?;
    output::show(&restored, args.output.format)?;
    propagation::wait(context, args.revision_write.write.wait).await
}

/// Reads a time; a number of a revision means another instant for each flag.
fn past_time(text: &str) -> Result<RevisionName, String> {
    Moment::parse(text)?;
    RevisionName::parse(text)
}

/// A past instant; of a time without a fraction the last one.
fn instant(at: &RevisionName) -> Result<Timestamp, ArgumentError> {
    let now = SystemClock.now();
    let (last, first) = (at.last_instant(now), at.time(now));
    match last.zip(first) {
        Some((last, first)) if first <= now => Ok(last.min(now)),
        _ => {
            let message = format!("--at {at} is in the future; expected a past time");
            Err(ArgumentError::Usage(message))
        }
    }
}

/// The flags of the project, or those that were named.
async fn entries(
    context: &Context,
    store: &FlagStore,
    project: &ProjectName,
    only: &[String],
) -> Result<Vec<FlagEntry>, Failure> {
    let stored = store.flag_entries(project);
    let stored = with_progress(format!("reading {project}"), stored).await;
    let stored = stored.map_err(|source| context.store_failed(source))?;
    if stored.is_empty() {
        let missing = missing_project(store, project.clone(), context.store_display_name());
        return Err(missing.await.into());
    }
    if only.is_empty() {
        return Ok(stored);
    }
    let mut wanted = Vec::new();
    for typed in only {
        let named = NamedFlag::of_project(project.as_str(), typed);
        let is_meant = |entry: &&FlagEntry| {
            entry.flag.name.as_str() == named.name
                && named.flag_type.is_none_or(|of| of == entry.flag.flag_type)
        };
        let before = wanted.len();
        wanted.extend(stored.iter().filter(is_meant).cloned());
        if wanted.len() == before {
            let flag = FlagKey {
                project: project.clone(),
                flag_type: named.flag_type.unwrap_or(FlagType::Feature),
                name: FlagName::new(&named.name).map_err(ArgumentError::from)?,
            };
            return Err(missing_flag(context, store, flag, "").await.into());
        }
    }
    wanted.sort_by(|one, other| one.flag.cmp(&other.flag));
    wanted.dedup_by(|one, other| one.flag == other.flag);
    Ok(wanted)
}

/// What each flag was at an instant.
async fn then(
    store: &FlagStore,
    entries: Vec<FlagEntry>,
    at: Timestamp,
) -> Result<Vec<FlagThen>, LookupError> {
    stream::iter(entries)
        .map(async |entry| {
            Ok(FlagThen {
                revision: revision_at(store, &entry.flag, at).await?,
                metadata: metadata_at(store, &entry.flag, at).await?,
                entry,
            })
        })
        .buffered(AT_ONCE)
        .try_collect()
        .await
}

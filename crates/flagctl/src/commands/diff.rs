//! `flagctl diff`: shows two revisions side by side.

use clap::Args;
use flag_rollout::{BucketImpact, are_equivalent};

use crate::args::{OutputArgs, ProjectOption, RevisionName, take_flag};
use crate::context::Context;
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::interpret::ArgumentError;
use crate::lookup::{open_flag, revision_named, revision_numbers};
use crate::output::{self, Diff};

#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    #[command(flatten)]
    flag: FlagWithRevisions,
    #[command(flatten)]
    output: OutputArgs,
}

/// Which flag, and which revisions of it.
#[derive(Debug, Args)]
struct FlagWithRevisions {
    /// Flag: `NAME`, `PROJECT/NAME`, `PROJECT/TYPE/NAME`, or `PROJECT TYPE NAME`; then the first revision (`r7`, `~1`, or a time at
    /// which it was in force) [default: `~1`], and the second [default: the newest]
    #[arg(value_name = "FLAG", required = true, num_args = 1..)]
    words: Vec<String>,
    #[command(flatten)]
    project: ProjectOption,
}

/// Shows both revisions; the exit code is whether they are equivalent.
pub(crate) async fn diff(context: &Context, args: &DiffArgs) -> Result<(), Failure> {
    let project = args.flag.project.project.as_deref();
    let (named, rest) = take_flag(&args.flag.words, project, 2).map_err(ArgumentError::Usage)?;
    let revisions = rest.iter().map(|word| RevisionName::parse(word));
    let revisions = revisions.collect::<Result<Vec<RevisionName>, String>>();
    let revisions = revisions.map_err(ArgumentError::Usage)?;
    let (store, flag) = open_flag(context, &named).await?;
    let numbers = revision_numbers(context, &store, &flag).await?;
    let [default_from, default_to] = [1, 0].map(RevisionName::back);
    let read = async |at: usize, default: &RevisionName| {
        let name = revisions.get(at).unwrap_or(default);
        revision_named(context, &store, &flag, &numbers, name).await
    };
    let from = read(0, &default_from).await?;
    let to = read(1, &default_to).await?;
    let diff = Diff {
        flag: &flag,
        from: &from,
        to: &to,
        are_equivalent: are_equivalent(&from, &to),
        impact: BucketImpact::of(&from, &to),
        numbers: &numbers,
    };
    output::show(&diff, args.output.format)?;
    if diff.are_equivalent {
        Ok(())
    } else {
        Err(Failure::explained_by_output(ExitCode::Differs))
    }
}

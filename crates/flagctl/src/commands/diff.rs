//! `flagctl diff`: shows two revisions side by side.

use clap::Args;

use crate::args::{FlagArgs, OutputArgs, RevisionName};
use crate::change::Impact;
use crate::context::Context;
use crate::equivalence::are_equivalent;
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::interpret;
use crate::lookup::{numbering, revision_named};
use crate::output::{self, Diff};

#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    #[command(flatten)]
    flag: FlagArgs,
    /// First revision: `r7`, `~1`, or a time at which it was in force [default: `~1`]
    #[arg(value_name = "REVISION", value_parser = RevisionName::parse)]
    from: Option<RevisionName>,
    /// Second revision [default: the newest]
    #[arg(value_name = "REVISION", value_parser = RevisionName::parse)]
    to: Option<RevisionName>,
    #[command(flatten)]
    output: OutputArgs,
}

/// Shows both revisions; the exit code is whether they are equivalent.
pub(crate) async fn diff(context: &Context, args: &DiffArgs) -> Result<(), Failure> {
    let flag = interpret::flag(&args.flag)?;
    let store = context.open().await?;
    let numbering = numbering(context, &store, &flag).await?;
    let [default_from, default_to] = [1, 0].map(RevisionName::back);
    let read = async |name: &Option<RevisionName>, default: &RevisionName| {
        let name = name.as_ref().unwrap_or(default);
        revision_named(context, &store, &flag, &numbering, name).await
    };
    let from = read(&args.from, &default_from).await?;
    let to = read(&args.to, &default_to).await?;
    let diff = Diff {
        flag: &flag,
        from: &from,
        to: &to,
        are_equivalent: are_equivalent(&from, &to),
        impact: Impact::of(&from, &to),
        numbering: &numbering,
    };
    output::show(&diff, args.output.form)?;
    if diff.are_equivalent {
        Ok(())
    } else {
        Err(Failure::explained_by_output(ExitCode::Differs))
    }
}

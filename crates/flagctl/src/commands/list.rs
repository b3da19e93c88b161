//! `flagctl list`: the flags of a project.
mod filter;
mod stale;

use std::cmp::Reverse;
use std::collections::BTreeMap;

use clap::{Args, ValueEnum};
use flag_model::{FlagKey, ProjectName};
use flag_store::{Clock as _, FlagEntry, SystemClock};

use self::filter::{FilterArgs, is_retired};
use self::stale::Staleness;
use super::today;
use crate::args::{OutputArgs, OutputFormat, ProjectArgs};
use crate::context::Context;
use crate::default_project;
use crate::failure::Failure;
use crate::maybe_readable::{UnreadableRows, created};
use crate::missing::missing_project;
use crate::output::{self, Flags, ListColumns, with_progress};

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    project: ProjectArgs,
    /// Show the revision in force of each flag
    #[arg(long)]
    with_latest: bool,
    /// Show more columns, and nothing shortened
    #[arg(short = 'w', long, conflicts_with = "with_latest")]
    wide: bool,
    /// Order of the flags
    #[arg(long, value_name = "FIELD", default_value = "name")]
    sort: SortField,
    /// Only flags that are probably no longer needed, and why: past their last day, not asked for in this many days, or with one value
    /// for everybody for as long [default: 14]
    #[arg(
        long,
        value_name = "DAYS",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "14",
        value_parser = clap::value_parser!(u32).range(1..=30)
    )]
    stale: Option<u32>,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    filter: FilterArgs,
}

/// Shows the flags of a project, by type and name. A project without flags is a failure, and so is an unreadable row.
pub(crate) async fn list(context: &Context, args: &ListArgs) -> Result<(), Failure> {
    let project = default_project::of(&args.project, &context.variables)?;
    let store = context.open().await?;
    let reading = format!("reading the flags of {project}");
    // A flag without metadata is served, too.
    let flags = with_progress(reading, store.flag_entries(&project)).await;
    let mut flags = flags.map_err(|source| context.store_failed(source))?;
    args.sort.sort(&mut flags);
    if flags.is_empty() {
        let missing = missing_project(&store, project, context.store_display_name());
        return Err(missing.await.into());
    }
    let readable = UnreadableRows::check_flags(&flags);
    let today = today();
    flags.retain(|entry| args.filter.has(entry, today));
    if flags.is_empty() {
        output::notice("no flag fits the filters");
    }
    if args.output.format.is_for_people() && !args.filter.retired {
        leave_out_retired(&mut flags);
    }
    let stale = match args.stale {
        Some(days) => {
            let stale = stale_flags(context, &project, days, &flags).await?;
            flags.retain(|entry| stale.contains_key(&entry.flag));
            Some(stale)
        }
        None => None,
    };
    let flags = Flags {
        project: &project,
        entries: &flags,
        columns: args.columns(),
        stale: stale.as_ref(),
    };
    output::show(&flags, args.output.format)?;
    Ok(readable?)
}

/// Leaves out the retired flags, and says so.
fn leave_out_retired(flags: &mut Vec<FlagEntry>) {
    let before = flags.len();
    flags.retain(|entry| !is_retired(entry));
    match before - flags.len() {
        0 => {}
        1 => output::notice("1 retired flag is not shown (--retired shows it)"),
        more => output::notice(&format!(
            "{more} retired flags are not shown (--retired shows them)"
        )),
    }
}

/// The flags that are stale, each with why.
async fn stale_flags(
    context: &Context,
    project: &ProjectName,
    days: u32,
    flags: &[FlagEntry],
) -> Result<BTreeMap<FlagKey, String>, Failure> {
    let log = context.open_log(context.settings()).await?;
    let reading = Staleness::read(&*log, flags, days, SystemClock.now(), today());
    let counting = format!("reading the counts of {project}");
    let staleness = with_progress(counting, reading).await;
    let staleness = staleness.map_err(|source| context.store_failed(source))?;
    Ok(staleness.reasons(flags))
}

impl ListArgs {
    fn columns(&self) -> ListColumns {
        if self.stale.is_some() {
            ListColumns::Stale
        } else if self.wide || self.output.format == OutputFormat::Wide {
            ListColumns::Wide
        } else if self.with_latest {
            ListColumns::MetadataAndRevision
        } else {
            ListColumns::Metadata
        }
    }
}

/// What flags are ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SortField {
    /// Type and name
    Name,
    /// The newest change first
    Updated,
    /// The nearest last day first
    Expires,
}

impl SortField {
    fn sort(self, flags: &mut [FlagEntry]) {
        flags.sort_by(|one, other| one.flag.cmp(&other.flag));
        let metadata = |entry: &FlagEntry| entry.metadata.clone().and_then(Result::ok);
        match self {
            Self::Name => {}
            Self::Updated => flags.sort_by_key(|entry| {
                let metadata = metadata(entry).map(|metadata| metadata.created());
                Reverse(metadata.max(entry.revision.as_ref().and_then(created)))
            }),
            Self::Expires => flags.sort_by_key(|entry| {
                let day = metadata(entry).and_then(|metadata| metadata.expires_on);
                (day.is_none(), day)
            }),
        }
    }
}

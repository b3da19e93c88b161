//! `flagctl history`: shows the revisions of a flag, the newest first.

mod follow;

use clap::Args;
use flag_model::FlagKey;
use flag_store::FlagStore;

use self::follow::follow;
use crate::args::{FlagWords, OutputArgs, OutputFormat};
use crate::context::Context;
use crate::failure::Failure;
use crate::interpret::ArgumentError;
use crate::lookup::{
    newest_metadata_or_unreadable, newest_revision_or_unreadable, open_flag, revision_numbers,
};
use crate::missing::missing_flag;
use crate::output::{self, MetadataHistory, Revisions, with_progress};
use crate::write::revision_ahead_warning;

#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    #[command(flatten)]
    pub(crate) flag: FlagWords,
    /// Show the metadata through time instead of the revisions
    #[arg(long)]
    pub(crate) metadata: bool,
    /// Show the oldest first, then revisions as they are made, until Ctrl-C
    #[arg(short = 'f', long, conflicts_with = "metadata")]
    pub(crate) follow: bool,
    /// Maximum number of rows
    #[arg(long, value_name = "N", default_value = "20", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) limit: u16,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Shows the newest revisions or metadata; unreadable rows are shown with the reason.
pub(crate) async fn history(context: &Context, args: &HistoryArgs) -> Result<(), Failure> {
    let named = args.flag.alone().map_err(ArgumentError::Usage)?;
    if args.follow && !matches!(args.output.format, OutputFormat::Table | OutputFormat::Name) {
        let message = "--follow has the formats table and name";
        return Err(ArgumentError::Usage(message.to_owned()).into());
    }
    let (store, flag) = open_flag(context, &named).await?;
    if args.follow {
        follow(context, &store, &flag, args).await
    } else if args.metadata {
        of_metadata(context, &store, &flag, args).await
    } else {
        of_revisions(context, &store, &flag, args).await
    }
}

async fn of_revisions(
    context: &Context,
    store: &FlagStore,
    flag: &FlagKey,
    args: &HistoryArgs,
) -> Result<(), Failure> {
    let history = store.history(flag, usize::from(args.limit) + 1);
    let history = with_progress(format!("reading the history of {flag}"), history).await;
    let mut revisions = history.map_err(|source| context.store_failed(source))?;
    if revisions.is_empty() {
        if newest_metadata_or_unreadable(store, flag).await?.is_none() {
            return Err(missing_flag(context, store, flag.clone(), "").await.into());
        }
        output::notice(&format!("{flag} has no revision yet"));
    }
    if let Some(ahead) = revision_ahead_warning(context, store, flag).await? {
        output::notice(&ahead);
    }
    truncate(&mut revisions, args.limit, "older revisions");
    let numbers = revision_numbers(context, store, flag).await?;
    let revisions = Revisions {
        flag,
        rows: &revisions,
        numbers: &numbers,
    };
    output::show(&revisions, args.output.format)
}

async fn of_metadata(
    context: &Context,
    store: &FlagStore,
    flag: &FlagKey,
    args: &HistoryArgs,
) -> Result<(), Failure> {
    let history = store.metadata_history(flag, usize::from(args.limit) + 1);
    let history = with_progress(format!("reading the history of {flag}"), history).await;
    let mut metadata = history.map_err(|source| context.store_failed(source))?;
    if metadata.is_empty() {
        if newest_revision_or_unreadable(store, flag).await?.is_none() {
            return Err(missing_flag(context, store, flag.clone(), "").await.into());
        }
        output::notice(&format!("{flag} has no metadata"));
    }
    truncate(&mut metadata, args.limit, "older metadata");
    let metadata = MetadataHistory {
        flag,
        metadata: &metadata,
    };
    output::show(&metadata, args.output.format)
}

/// Drops what is over the limit, with a notice.
fn truncate<T>(rows: &mut Vec<T>, limit: u16, what: &str) {
    if rows.len() > usize::from(limit) {
        rows.truncate(limit.into());
        output::notice(&format!("{what} are not shown (--limit {limit})"));
    }
}

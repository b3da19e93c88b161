//! `flagctl run-config`: writes the row of a run configuration of the Python framework's DAG.

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;

use clap::Args;
use flag_model::{AlgorithmSource, BucketScheme, Metadata, NewName, Revision};
use flag_rollout::Risk;
use flag_store::{Clock as _, SystemClock};

use super::today;
use crate::args::{OutputArgs, RevisionWriteArgs};
use crate::context::Context;
use crate::failure::Failure;
use crate::input;
use crate::interpret;
use crate::lookup::{
    first_revision_created, newest_metadata_or_unreadable, newest_readable_scheme,
    newest_revision_or_unreadable,
};
use crate::missing::missing_flag;
use crate::output;
use crate::run_config::{self, RunConfig};
use crate::write::{self, NextMetadata, NextRevision};

/// Configurations are shorter than this; the reader of literals has a lower limit, with a better message.
const MAX_BYTES: u64 = 64 << 20;

/// The source of the configuration.
#[derive(Debug, Args)]
pub(crate) struct RunConfigArgs {
    /// File with the run configuration, or - for standard input
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    revision_write: RevisionWriteArgs,
}

/// Writes the row that a run configuration describes.
pub(crate) async fn run_config(context: &Context, args: &RunConfigArgs) -> Result<(), Failure> {
    let text = input::read(&args.file, MAX_BYTES)?;
    let described = run_config::read(&text, SystemClock.now(), &context.row_options)?;
    for warning in &described.warnings {
        output::notice(&format!("warning: {warning}"));
    }
    match described.config {
        RunConfig::Metadata(next) => add_or_update(context, args, *next).await,
        RunConfig::Revision(next) => {
            revise(context, args, *next, described.leaves_out_treatments).await
        }
    }
}

/// New metadata; in the Python framework adding and updating are the same procedure.
async fn add_or_update(
    context: &Context,
    args: &RunConfigArgs,
    next: Metadata,
) -> Result<(), Failure> {
    let store = context.open_if_exists().await?;
    let (there, made) = match &store {
        Some(store) => (
            newest_metadata_or_unreadable(store, &next.flag).await?,
            first_revision_created(context, store, &next.flag).await?,
        ),
        None => (None, None),
    };
    if there.is_none()
        && made.is_none()
        && let Err(unusual) = interpret::new_name(&next.flag, NewName::Any)
            .and_then(|()| next.flag.name.check_new(NewName::SnakeCase))
    {
        output::notice(&format!("warning: {unusual}; accepted as it is"));
    }
    let mut parts = next.into_parts();
    if let Err(past) = interpret::not_past("ExpiresOn", parts.expires_on, today()) {
        output::notice(&format!("warning: {past}; accepted as it is"));
    }
    if parts.owner.is_none() {
        parts.owner = Some(interpret::editor(&context.variables)?);
    }
    if parts.edited_by.is_none() {
        parts.edited_by = Some(interpret::editor(&context.variables)?);
    }
    write::confirm_and_append_metadata(
        context,
        store,
        NextMetadata::on(there.as_ref(), parts),
        &args.revision_write.write,
        args.output.format,
    )
    .await
}

/// A revision based on the newest one. In a script the configuration counts as confirmed, because it contains the whole
/// revision and the flag's name; only a new bucket for everybody, and treatments that are left out, need a confirmation.
async fn revise(
    context: &Context,
    args: &RunConfigArgs,
    next: Revision,
    leaves_out_treatments: bool,
) -> Result<(), Failure> {
    let store = context.open().await?;
    let flag = next.flag.clone();
    let newest = newest_revision_or_unreadable(&store, &flag).await?;
    if newest.is_none()
        && newest_metadata_or_unreadable(&store, &flag)
            .await?
            .is_none()
    {
        let advice = ": a configuration with ROWTYPE FLAG adds it";
        return Err(missing_flag(context, &store, flag, advice).await.into());
    }
    let mut parts = next.into_parts();
    if parts.rollback_of.take().is_some() {
        output::notice("warning: RollbackOf is left out: only `flagctl rollback` makes a rollback");
    }
    if parts.owner.is_none() {
        parts.owner = Some(interpret::editor(&context.variables)?);
    }
    let scheme = newest_readable_scheme(context, &store, &flag, newest.as_ref()).await?;
    parts.scheme = following(scheme, parts.scheme);
    let mut next = NextRevision::on(newest.as_ref(), parts)?;
    if !io::stdin().is_terminal() {
        next.change.risks.retain(|risk| *risk == Risk::Resalt);
    }
    if leaves_out_treatments {
        next = next.leaving_out_treatments(newest.as_ref());
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

/// Keeps the hash algorithm in the newest row if the configuration has none.
fn following(newest: Option<BucketScheme>, scheme: BucketScheme) -> BucketScheme {
    match (newest, scheme) {
        (
            Some(newest @ BucketScheme::V1 { .. }),
            BucketScheme::V1 {
                source: AlgorithmSource::Setting,
                ..
            },
        ) => newest,
        (_, scheme) => scheme,
    }
}

//! `flagctl run-config`: what the reference's DAG was triggered with.

use std::fs;
use std::io::{self, IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};

use clap::Args;
use flag_model::{AlgorithmSource, Format, Metadata, NewName, Revision};
use flag_store::{Clock as _, SystemClock};

use crate::args::OutputArgs;
use crate::change::Risk;
use crate::commands::{first_made, newest_format, newest_metadata, newest_revision};
use crate::confirm::ConfirmArgs;
use crate::failure::Failure;
use crate::output;
use crate::plan;
use crate::run::Context;
use crate::run_config::{self, RunConfig};
use crate::write::{self, PlannedMetadata, PlannedRevision};

/// The longest configuration that is read.
const MAX_FILE_BYTES: u64 = 16 * 1024 * 1024;

/// Where the configuration is.
#[derive(Debug, Args)]
pub(crate) struct RunConfigArgs {
    /// File with the run configuration, or - for standard input
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    confirmation: ConfirmArgs,
}

/// Writes the row that a run configuration describes.
pub(crate) async fn run_config(context: &Context, typed: &RunConfigArgs) -> Result<(), Failure> {
    let text = read(&typed.file).map_err(|source| Failure::File {
        path: typed.file.clone(),
        source,
    })?;
    let described = run_config::read(&text, SystemClock.now(), &context.rows)?;
    for warning in &described.warnings {
        output::talk(&format!("warning: {warning}"));
    }
    match described.config {
        RunConfig::Metadata(next) => add_or_update(context, typed, *next).await,
        RunConfig::Revision(next) => {
            revise(context, typed, *next, described.leaves_out_treatments).await
        }
    }
}

fn read(file: &Path) -> io::Result<String> {
    let mut text = String::new();
    if file == Path::new("-") {
        io::stdin()
            .lock()
            .take(MAX_FILE_BYTES)
            .read_to_string(&mut text)?;
    } else {
        fs::File::open(file)?
            .take(MAX_FILE_BYTES)
            .read_to_string(&mut text)?;
    }
    Ok(text)
}

/// New metadata; in the reference adding and updating are the same procedure, which appends whatever was there.
async fn add_or_update(
    context: &Context,
    typed: &RunConfigArgs,
    next: Metadata,
) -> Result<(), Failure> {
    let store = context.open_if_there().await?;
    let (there, made) = match &store {
        Some(store) => (
            newest_metadata(store, &next.flag).await?,
            first_made(context, store, &next.flag).await?,
        ),
        None => (None, None),
    };
    if there.is_none()
        && made.is_none()
        && let Err(unusual) = plan::new_name(&next.flag, NewName::Any)
            .and_then(|()| next.flag.name.check_new(NewName::SnakeCase))
    {
        output::talk(&format!("warning: {unusual}; taken all the same"));
    }
    let mut parts = next.into_parts();
    if parts.owner.is_none() {
        parts.owner = Some(plan::editor(&context.variables)?);
    }
    if parts.edited_by.is_none() {
        parts.edited_by = Some(plan::editor(&context.variables)?);
    }
    write::metadata(
        context,
        store,
        PlannedMetadata::on(there.as_ref(), parts),
        &typed.confirmation,
        typed.output.form,
    )
    .await
}

/// A revision on top of the newest one. Without a person to ask, the configuration, which spells the whole revision and
/// twice the flag's name, counts as confirmed; only a new bucket for everybody, and what it takes away without a word,
/// wants more.
async fn revise(
    context: &Context,
    typed: &RunConfigArgs,
    next: Revision,
    leaves_out_treatments: bool,
) -> Result<(), Failure> {
    let store = context.open().await?;
    let flag = next.flag.clone();
    let newest = newest_revision(&store, &flag).await?;
    if newest.is_none() && newest_metadata(&store, &flag).await?.is_none() {
        return Err(context
            .not_found(&store, flag, ": a configuration with ROWTYPE FLAG adds it")
            .await);
    }
    let mut parts = next.into_parts();
    if parts.rollback_of.take().is_some() {
        output::talk("warning: RollbackOf is not kept: `flagctl rollback` alone makes a rollback");
    }
    if parts.owner.is_none() {
        parts.owner = Some(plan::editor(&context.variables)?);
    }
    let format = newest_format(context, &store, &flag, newest.as_ref()).await?;
    parts.format = following(format, parts.format);
    let mut planned = PlannedRevision::on(newest.as_ref(), parts)?;
    if !io::stdin().is_terminal() {
        planned.change.risks.retain(|risk| *risk == Risk::Reshuffle);
    }
    if leaves_out_treatments {
        planned = planned.leaving_out_treatments(newest.as_ref());
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

/// A digest that the newest row names stays, if the configuration names none.
fn following(newest: Option<Format>, format: Format) -> Format {
    match (newest, format) {
        (
            Some(newest @ Format::V1 { .. }),
            Format::V1 {
                source: AlgorithmSource::Setting,
                ..
            },
        ) => newest,
        (_, format) => format,
    }
}

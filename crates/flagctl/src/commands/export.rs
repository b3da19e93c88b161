//! `flagctl export`: writes the flags of a project as a file.

use clap::{Args, ValueEnum};

use crate::args::{OutputFormat, ProjectArgs};
use crate::context::Context;
use crate::default_project;
use crate::failure::Failure;
use crate::flag_file::Written;
use crate::maybe_readable::UnreadableRows;
use crate::missing::missing_project;
use crate::output::{self, Exported};

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    project: ProjectArgs,
    /// Format of the file on standard output
    #[arg(
        short = 'o',
        long = "output",
        value_name = "FORMAT",
        default_value = "yaml"
    )]
    format: FileFormat,
}

/// A format of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FileFormat {
    Yaml,
    Json,
}

/// Writes every flag with its newest metadata and revision. An unreadable row is left out and reported, and the command
/// fails at the end; applying the file does not change that row.
pub(crate) async fn export(context: &Context, args: &ExportArgs) -> Result<(), Failure> {
    let project = default_project::of(&args.project, &context.variables)?;
    let store = context.open().await?;
    let flags = store.flag_entries(&project);
    let flags = output::with_progress(format!("reading {project}"), flags).await;
    let flags = flags.map_err(|source| context.store_failed(source))?;
    if flags.is_empty() {
        return Err(
            missing_project(&store, project, context.store_display_name())
                .await
                .into(),
        );
    }
    let format = match args.format {
        FileFormat::Yaml => OutputFormat::Yaml,
        FileFormat::Json => OutputFormat::Json,
    };
    output::show(&Exported(Written::new(&project, &flags)), format)?;
    Ok(UnreadableRows::check_flags(&flags)?)
}

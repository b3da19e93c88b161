//! `flagctl export`: the flags of a project as a file that people review.

use clap::{Args, ValueEnum};
use flag_model::ProjectName;

use crate::args::Form;
use crate::failure::Failure;
use crate::flag_file::Written;
use crate::output::{self, Exported};
use crate::plan::PlanError;
use crate::run::Context;

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// Project whose flags are exported
    project: String,
    /// Form of the file on standard output
    #[arg(
        short = 'o',
        long = "output",
        value_name = "FORM",
        default_value = "yaml"
    )]
    form: FileForm,
}

/// A form of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FileForm {
    Yaml,
    Json,
}

/// Writes every flag with the metadata and the revision that count; fails if one of them cannot be read.
pub(crate) async fn export(context: &Context, typed: &ExportArgs) -> Result<(), Failure> {
    let project = ProjectName::new(&typed.project).map_err(PlanError::from)?;
    let store = context.open().await?;
    let flags = store.flags_with_latest(&project);
    let flags = output::noted(format!("reading {project}"), flags).await;
    let flags = flags.map_err(|source| context.failed(source))?;
    if flags.is_empty() {
        let place = context.place();
        return Err(Failure::NoRows { project, place });
    }
    let file = Written::new(&project, &flags).map_err(Failure::Unreadable)?;
    let form = match typed.form {
        FileForm::Yaml => Form::Yaml,
        FileForm::Json => Form::Json,
    };
    output::answer(&Exported(file), form)
}

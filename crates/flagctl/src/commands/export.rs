//! `flagctl export`: the flags of a project as a file that people review.

use clap::{Args, ValueEnum};
use flag_model::ProjectName;

use super::list::unreadable;
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

/// Writes every flag with the metadata and the revision that count. What cannot be read is left out, named, and a failure
/// in the end; an apply of the file leaves it as it is.
pub(crate) async fn export(context: &Context, typed: &ExportArgs) -> Result<(), Failure> {
    let project = ProjectName::new(&typed.project).map_err(PlanError::from)?;
    let store = context.open().await?;
    let flags = store.flags_with_latest(&project);
    let flags = output::noted(format!("reading {project}"), flags).await;
    let flags = flags.map_err(|source| context.failed(source))?;
    if flags.is_empty() {
        let near = Context::near_project(&store, &project).await;
        let place = context.place();
        return Err(Failure::NoRows {
            project,
            near,
            place,
        });
    }
    let form = match typed.form {
        FileForm::Yaml => Form::Yaml,
        FileForm::Json => Form::Json,
    };
    output::answer(&Exported(Written::new(&project, &flags)), form)?;
    match unreadable(&flags) {
        rows if rows.is_empty() => Ok(()),
        rows => Err(Failure::Unreadable(rows)),
    }
}

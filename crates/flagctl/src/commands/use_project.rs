//! `flagctl use`: chooses the project of flags that are named without one.

use std::io;

use clap::Args;
use flag_model::ProjectName;

use crate::default_project::{self, default_project};
use crate::environment::Variables;
use crate::exit_code::ExitCode;
use crate::failure::{CommandError, Failure};
use crate::interpret::ArgumentError;
use crate::output;

#[derive(Debug, Args)]
pub(crate) struct UseArgs {
    /// Project to use in this folder and below; left out, the project in use is shown
    project: Option<String>,
    /// Use it in all folders that have no project of their own
    #[arg(long, requires = "project")]
    user: bool,
}

/// The choice was not written.
#[derive(Debug, thiserror::Error)]
#[error("the project is not chosen")]
struct NotChosen(#[from] io::Error);

impl CommandError for NotChosen {
    fn exit_code(&self) -> ExitCode {
        ExitCode::Failed
    }
}

/// No project is chosen.
#[derive(Debug, thiserror::Error)]
#[error("no project is chosen: `flagctl use PROJECT` chooses one")]
struct NoProject;

impl CommandError for NoProject {
    fn exit_code(&self) -> ExitCode {
        ExitCode::NotFound
    }
}

/// Chooses a project, or shows the one in use; opens no store.
pub(crate) fn use_project(args: &UseArgs, variables: &Variables) -> Result<(), Failure> {
    let Some(project) = &args.project else {
        let project = default_project(variables).ok_or(NoProject)?;
        output::notice(&format!("from {}", project.origin));
        return output::print(&format!("{}\n", output::escaped(&project.name)));
    };
    let project = ProjectName::new(project).map_err(ArgumentError::from)?;
    let file = default_project::write(&project, variables, args.user).map_err(NotChosen)?;
    output::notice(&format!("{project} is in use, as {} says", file.display()));
    Ok(())
}

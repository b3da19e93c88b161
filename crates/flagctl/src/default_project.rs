//! The project of flags that are named without one: from the environment, else as `flagctl use` wrote it down.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use flag_model::ProjectName;

use crate::args::ProjectArgs;
use crate::environment::Variables;
use crate::interpret::ArgumentError;
use crate::owner::non_blank;

/// The variable with the project.
const FLAG_PROJECT: &str = "FLAG_PROJECT";

/// The file that names the project of a folder and of those below it.
const OF_FOLDER: &str = ".flag-project";

/// The project, and where its name comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DefaultProject {
    pub(crate) name: String,
    pub(crate) origin: String,
}

/// The project, if one is set.
pub(crate) fn default_project(variables: &Variables) -> Option<DefaultProject> {
    if let Some(name) = non_blank(variables, FLAG_PROJECT) {
        return Some(DefaultProject {
            name: name.to_string_lossy().into_owned(),
            origin: format!("variable {FLAG_PROJECT}"),
        });
    }
    let here = env::current_dir().ok();
    let folders = here.iter().flat_map(|here| here.ancestors());
    let files = folders.map(|folder| folder.join(OF_FOLDER));
    files.chain(of_user(variables)).find_map(|file| read(&file))
}

/// Writes the project of this folder, or of the user, and says where.
pub(crate) fn write(
    project: &ProjectName,
    variables: &Variables,
    for_user: bool,
) -> Result<PathBuf, io::Error> {
    let file = if for_user {
        let missing = || io::Error::other("neither HOME nor XDG_CONFIG_HOME is set");
        let file = of_user(variables).ok_or_else(missing)?;
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        file
    } else {
        env::current_dir()?.join(OF_FOLDER)
    };
    fs::write(&file, format!("{project}\n"))?;
    Ok(file)
}

/// The project of a command about one.
pub(crate) fn of(args: &ProjectArgs, variables: &Variables) -> Result<ProjectName, ArgumentError> {
    required(args.named().map_err(ArgumentError::Usage)?, variables)
}

/// The project, or advice how to name one.
pub(crate) fn required(
    named: Option<&str>,
    variables: &Variables,
) -> Result<ProjectName, ArgumentError> {
    let default = || default_project(variables).map(|default| default.name);
    let Some(name) = named.map(str::to_owned).or_else(default) else {
        return Err(ArgumentError::Usage(
            "which project? Name it with the flag (PROJECT/FLAG), with -p PROJECT or in FLAG_PROJECT; or choose one for this folder: \
             `flagctl use PROJECT`"
                .to_owned(),
        ));
    };
    Ok(ProjectName::new(name)?)
}

fn read(file: &Path) -> Option<DefaultProject> {
    let name = fs::read_to_string(file).ok()?;
    let name = name.lines().next()?.trim();
    (!name.is_empty()).then(|| DefaultProject {
        name: name.to_owned(),
        origin: file.display().to_string(),
    })
}

fn of_user(variables: &Variables) -> Option<PathBuf> {
    let folder = non_blank(variables, "XDG_CONFIG_HOME").map(PathBuf::from);
    let folder =
        folder.or_else(|| Some(Path::new(non_blank(variables, "HOME")?).join(".config")))?;
    Some(folder.join("flagctl").join("project"))
}

//! `flagctl compare`: whether two services answer the same.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use clap::Args;
use flag_model::{FlagKey, InstanceId, ProjectName, quoted};

use crate::args::{OutputArgs, Variables};
use crate::compare::{Compare, Progress};
use crate::failure::{Failure, input_name};
use crate::output::{self, ComparedServices};
use crate::peer::{Peer, PeerError};
use crate::plan::PlanError;
use crate::run::Context;

/// Where the service listens unless told otherwise.
const SERVICE: &str = "http://127.0.0.1:8080";

#[derive(Debug, Args)]
pub(crate) struct CompareArgs {
    /// Project whose flags are asked for
    project: String,
    /// Service to compare with; no API key is sent to it
    #[arg(long, value_name = "URL")]
    with: String,
    /// File of instance ids, one a line; `-` is standard input
    #[arg(long, value_name = "FILE")]
    ids: PathBuf,
    // The text is no documentation, so that it may hold an address as it is typed.
    #[arg(
        long,
        value_name = "URL",
        help = "This system's service, asked with the key in FLAG_API_KEY if that is set [default: FLAG_SERVICE_URL, else http://127.0.0.1:8080]"
    )]
    service: Option<String>,
    #[command(flatten)]
    output: OutputArgs,
}

/// Asks both services for every flag of the project and every instance; fails if an answer differs.
pub(crate) async fn compare(context: &Context, typed: &CompareArgs) -> Result<(), Failure> {
    let project = ProjectName::new(&typed.project).map_err(PlanError::from)?;
    let variable = |name| variable(&context.variables, name);
    let (url, key) = (variable("FLAG_SERVICE_URL")?, variable("FLAG_API_KEY")?);
    let url = typed.service.as_deref().or(url).unwrap_or(SERVICE);
    let ours = Peer::new(url, key).map_err(|error| unusable("--service", error))?;
    let theirs = Peer::new(&typed.with, None).map_err(|error| unusable("--with", error))?;
    let instances = instances(&typed.ids)?;
    let flags = flags(context, project.clone()).await?;
    let total = u64::try_from(flags.len().saturating_mul(instances.len())).unwrap_or(u64::MAX);
    let progress = Progress::of(total);
    let compare = Compare {
        ours: &ours,
        theirs: &theirs,
        instances: &instances,
        progress: &progress,
    };
    let asked = async {
        let mut compared = Vec::with_capacity(flags.len());
        for flag in flags {
            let answers = compare.flag(&flag).await?;
            compared.push((flag, answers));
        }
        Ok::<_, PeerError>(compared)
    };
    let flags = output::noted(&progress, asked).await?;
    conclude(
        &ComparedServices::new(&project, &ours, &theirs, &flags),
        typed,
    )
}

/// Shows what was found; equal answers that serve nothing prove nothing.
fn conclude(compared: &ComparedServices<'_>, typed: &CompareArgs) -> Result<(), Failure> {
    output::answer(compared, typed.output.form)?;
    output::talk(&compared.summary());
    if compared.differing > 0 {
        return Err(Failure::Differs);
    }
    if compared.equal == 0 {
        let cause = compared.first_refusal().unwrap_or_default();
        return Err(Failure::NothingServed { cause });
    }
    Ok(())
}

/// The flags of a project that have a revision, whoever can read it.
async fn flags(context: &Context, project: ProjectName) -> Result<Vec<FlagKey>, Failure> {
    let store = context.open().await?;
    let reading = format!("reading the flags of {project}");
    let entries = output::noted(reading, store.flags_with_latest(&project)).await;
    let entries = entries.map_err(|source| context.failed(source))?;
    let with_revision = entries.into_iter().filter(|entry| entry.revision.is_some());
    let mut flags: Vec<FlagKey> = with_revision.map(|entry| entry.flag).collect();
    flags.sort();
    if flags.is_empty() {
        let near = Context::near_project(&store, &project).await;
        let place = context.place();
        return Err(Failure::NoRows {
            project,
            near,
            place,
        });
    }
    Ok(flags)
}

/// The instance ids in a file, exactly as they stand there; empty lines are none.
fn instances(path: &Path) -> Result<Vec<InstanceId<'static>>, Failure> {
    let read = if path == Path::new("-") {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        fs::read_to_string(path)
    };
    let place = input_name(path);
    let text = read.map_err(|source| Failure::File {
        path: path.to_owned(),
        source,
    })?;
    let lines = (1_u32..).zip(text.lines());
    let instances: Result<Vec<_>, PlanError> = lines
        .filter(|(_, line)| !line.is_empty())
        .map(|(number, line)| {
            let instance = InstanceId::new(line.to_owned());
            instance.map_err(|invalid| {
                let message = format!("{place}, line {number}: {invalid}");
                PlanError::Usage(message)
            })
        })
        .collect();
    let instances = instances?;
    if instances.is_empty() {
        let message = format!("{place} holds no instance ids: one a line is expected");
        return Err(PlanError::Usage(message).into());
    }
    Ok(instances)
}

fn variable<'v>(variables: &'v Variables, name: &str) -> Result<Option<&'v str>, Failure> {
    let found = variables.iter().find(|(variable, _)| variable == name);
    let Some((_, value)) = found.filter(|(_, value)| !value.is_empty()) else {
        return Ok(None);
    };
    let text = value.to_str().ok_or_else(|| {
        let found = quoted(&value.to_string_lossy());
        PlanError::Usage(format!("{name}: found {found}, expected UTF-8"))
    })?;
    Ok(Some(text))
}

fn unusable(option: &str, error: PeerError) -> Failure {
    match error {
        PeerError::Url(_) => PlanError::Usage(format!("{option}: {error}")).into(),
        error => error.into(),
    }
}

//! `flagctl compare`: compares the answers of two services.

use std::path::PathBuf;

use clap::Args;
use flag_model::{FlagKey, ProjectName, quoted};

use crate::args::{OutputArgs, ProjectArgs};
use crate::compare::{Compare, CompareProgress};
use crate::context::Context;
use crate::default_project;
use crate::environment;
use crate::exit_code::ExitCode;
use crate::failure::{CommandError, Failure};
use crate::input::instance_ids;
use crate::interpret::ArgumentError;
use crate::missing::missing_project;
use crate::output::{self, ComparedServices};
use crate::service_client::{ServiceClient, ServiceClientError};

/// The default address of the service.
const SERVICE: &str = "http://127.0.0.1:8080";

#[derive(Debug, Args)]
pub(crate) struct CompareArgs {
    #[command(flatten)]
    project: ProjectArgs,
    /// Service to compare with; no API key is sent to it
    #[arg(long, value_name = "URL")]
    with: String,
    /// File of instance ids, one per line; `-` for standard input
    #[arg(long, value_name = "FILE")]
    ids: PathBuf,
    // A `help` text, because rustdoc would want a link for the address.
    #[arg(
        long,
        value_name = "URL",
        help = "Service of this system, called with the key in FLAG_API_KEY if that is set [default: FLAG_SERVICE_URL, else http://127.0.0.1:8080]"
    )]
    service: Option<String>,
    #[command(flatten)]
    output: OutputArgs,
}

/// Neither service served anything, so equal answers prove nothing.
#[derive(Debug, thiserror::Error)]
#[error("neither service served a value, so nothing was compared: {cause}")]
struct NothingServed {
    /// Their first answers.
    cause: String,
}

impl CommandError for NothingServed {
    fn exit_code(&self) -> ExitCode {
        ExitCode::Failed
    }
}

/// Asks both services for every flag of the project and every instance; fails if an answer differs.
pub(crate) async fn compare(context: &Context, args: &CompareArgs) -> Result<(), Failure> {
    let project = default_project::of(&args.project, &context.variables)?;
    let (url, key) = (
        variable(context, "FLAG_SERVICE_URL")?,
        variable(context, "FLAG_API_KEY")?,
    );
    let url = args.service.as_deref().or(url).unwrap_or(SERVICE);
    let ours = ServiceClient::new(url, key).map_err(|error| unusable("--service", error))?;
    let theirs = ServiceClient::new(&args.with, None).map_err(|error| unusable("--with", error))?;
    let instances = instance_ids(&args.ids)?;
    let flags = flags(context, project.clone()).await?;
    let total = u64::try_from(flags.len().saturating_mul(instances.len())).unwrap_or(u64::MAX);
    let progress = CompareProgress::of(total);
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
        Ok::<_, ServiceClientError>(compared)
    };
    let flags = output::with_progress(&progress, asked).await?;
    conclude(
        &ComparedServices::new(&project, &ours, &theirs, &flags),
        args,
    )
}

/// Shows the result; fails if no answer had a value.
fn conclude(compared: &ComparedServices<'_>, args: &CompareArgs) -> Result<(), Failure> {
    output::show(compared, args.output.format)?;
    output::notice(&compared.summary());
    if compared.differing > 0 {
        return Err(Failure::explained_by_output(ExitCode::Differs));
    }
    if compared.equal == 0 {
        let cause = compared.first_refusal().unwrap_or_default();
        return Err(NothingServed { cause }.into());
    }
    Ok(())
}

/// The flags of a project that have a revision, readable or not.
async fn flags(context: &Context, project: ProjectName) -> Result<Vec<FlagKey>, Failure> {
    let store = context.open().await?;
    let reading = format!("reading the flags of {project}");
    let entries = output::with_progress(reading, store.flag_entries(&project)).await;
    let entries = entries.map_err(|source| context.store_failed(source))?;
    let with_revision = entries.into_iter().filter(|entry| entry.revision.is_some());
    let mut flags: Vec<FlagKey> = with_revision.map(|entry| entry.flag).collect();
    flags.sort();
    if flags.is_empty() {
        return Err(
            missing_project(&store, project, context.store_display_name())
                .await
                .into(),
        );
    }
    Ok(flags)
}

fn variable<'c>(context: &'c Context, name: &str) -> Result<Option<&'c str>, ArgumentError> {
    let Some(value) = environment::variable(&context.variables, name) else {
        return Ok(None);
    };
    let text = value.to_str().ok_or_else(|| {
        let found = quoted(&value.to_string_lossy());
        ArgumentError::Usage(format!("{name}: found {found}, expected UTF-8"))
    })?;
    Ok(Some(text))
}

fn unusable(option: &str, error: ServiceClientError) -> Failure {
    match error {
        ServiceClientError::Url(_) => ArgumentError::Usage(format!("{option}: {error}")).into(),
        error => error.into(),
    }
}

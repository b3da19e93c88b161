//! `flagctl sql`: prints queries as GoogleSQL.

use clap::{Args, Subcommand};
use flag_model::{FlagKey, InstanceId};
use flag_settings::{Reader, Sources, TableNameSettings};
use flag_store::{Pattern, TableNames};

use crate::args::{FlagWords, OutputArgs, ProjectArgs};
use crate::context::Context;
use crate::default_project;
use crate::environment::Variables;
use crate::failure::Failure;
use crate::interpret::ArgumentError;
use crate::lookup::WantedFlag;
use crate::output::{self, Statement};

#[derive(Debug, Args)]
pub(crate) struct SqlArgs {
    #[command(subcommand)]
    pattern: PatternArgs,
}

#[derive(Debug, Subcommand)]
enum PatternArgs {
    /// The newest metadata of a flag
    LatestMetadata(OfFlag),
    /// The revision in force
    Latest(OfFlag),
    /// All revisions of a flag, the newest first
    History(OfFlag),
    /// All metadata of a project
    List(OfProject),
    /// All metadata and revisions of a project; the first row of each flag is its newest
    ListWithLatest(OfProject),
    /// Exposures of a flag, or of one instance
    Exposures(OfExposures),
}

#[derive(Debug, Args)]
struct OfFlag {
    #[command(flatten)]
    flag: FlagWords,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, Args)]
struct OfProject {
    #[command(flatten)]
    project: ProjectArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, Args)]
struct OfExposures {
    #[command(flatten)]
    flag: FlagWords,
    /// Only the exposures of this instance
    #[arg(long, value_name = "ID", allow_negative_numbers = true)]
    instance: Option<String>,
    #[command(flatten)]
    output: OutputArgs,
}

/// Where the project and the store are looked up.
struct Lookup {
    variables: Variables,
    sources: Sources,
}

/// Prints the statement, with the table names in the settings. Opens the store only to find the type of a flag.
pub(crate) async fn sql(
    args: &SqlArgs,
    variables: Variables,
    sources: Sources,
) -> Result<(), Failure> {
    let mut reader = Reader::new(sources.clone());
    let lookup = Lookup { variables, sources };
    let tables = TableNameSettings::read(&mut reader);
    let tables = reader.finish(tables)?;
    match &args.pattern {
        PatternArgs::LatestMetadata(of) => {
            let flag = lookup.flag(&of.flag).await?;
            let pattern = Pattern::LatestMetadata(&flag);
            show("latest-metadata", &pattern, &tables, &of.output)
        }
        PatternArgs::Latest(of) => {
            let flag = lookup.flag(&of.flag).await?;
            let pattern = Pattern::LatestRevision(&flag);
            show("latest", &pattern, &tables, &of.output)
        }
        PatternArgs::History(of) => {
            let flag = lookup.flag(&of.flag).await?;
            show("history", &Pattern::History(&flag), &tables, &of.output)
        }
        PatternArgs::List(of) => {
            let project = default_project::of(&of.project, &lookup.variables)?;
            show("list", &Pattern::Flags(&project), &tables, &of.output)
        }
        PatternArgs::ListWithLatest(of) => {
            let project = default_project::of(&of.project, &lookup.variables)?;
            let pattern = Pattern::FlagsWithLatest(&project);
            show("list-with-latest", &pattern, &tables, &of.output)
        }
        PatternArgs::Exposures(of) => exposures(&lookup, of, &tables).await,
    }
}

async fn exposures(
    lookup: &Lookup,
    of: &OfExposures,
    tables: &TableNameSettings,
) -> Result<(), Failure> {
    let flag = lookup.flag(&of.flag).await?;
    let instance = of.instance.as_deref().map(InstanceId::new).transpose();
    let instance = instance.map_err(ArgumentError::from)?;
    let pattern = match &instance {
        Some(instance) => Pattern::InstanceExposures(&flag, instance),
        None => Pattern::Exposures(&flag),
    };
    show("exposures", &pattern, tables, &of.output)
}

impl Lookup {
    async fn flag(&self, words: &FlagWords) -> Result<FlagKey, Failure> {
        let named = words.alone().map_err(ArgumentError::Usage)?;
        match WantedFlag::read(&named, &self.variables)? {
            WantedFlag::Typed(flag) => Ok(flag),
            untyped @ WantedFlag::Untyped(..) => {
                let context = Context::new(self.variables.clone(), self.sources.clone())?;
                let found = untyped.find(&context, &context.open().await?, "").await;
                context.close().await;
                found
            }
        }
    }
}

fn show(
    name: &'static str,
    pattern: &Pattern<'_>,
    tables: &TableNameSettings,
    output: &OutputArgs,
) -> Result<(), Failure> {
    let names = TableNames {
        flags: &tables.flags,
        exposures: &tables.exposures,
    };
    let table = match pattern {
        Pattern::Exposures(_) | Pattern::InstanceExposures(..) => names.exposures,
        _ => names.flags,
    };
    let statement = Statement {
        pattern: name,
        table,
        sql: flag_store::sql(pattern, names),
    };
    output::show(&statement, output.format)
}

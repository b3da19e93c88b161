//! `flagctl sql`: prints queries as GoogleSQL.

use clap::{Args, Subcommand};
use flag_model::{InstanceId, ProjectName};
use flag_settings::{Reader, TableNameSettings};
use flag_store::{Pattern, TableNames};

use crate::args::{FlagArgs, OutputArgs};
use crate::failure::Failure;
use crate::interpret::{self, ArgumentError};
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
    flag: FlagArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, Args)]
struct OfProject {
    /// Project of the flags
    project: String,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, Args)]
struct OfExposures {
    #[command(flatten)]
    flag: FlagArgs,
    /// Only the exposures of this instance
    #[arg(long, value_name = "ID", allow_negative_numbers = true)]
    instance: Option<String>,
    #[command(flatten)]
    output: OutputArgs,
}

/// Prints the statement, with the table names in the settings.
pub(crate) fn sql(args: &SqlArgs, mut reader: Reader) -> Result<(), Failure> {
    let tables = TableNameSettings::read(&mut reader);
    let tables = reader.finish(tables)?;
    match &args.pattern {
        PatternArgs::LatestMetadata(of) => {
            let flag = interpret::flag(&of.flag)?;
            let pattern = Pattern::LatestMetadata(&flag);
            show("latest-metadata", &pattern, &tables, &of.output)
        }
        PatternArgs::Latest(of) => {
            let flag = interpret::flag(&of.flag)?;
            let pattern = Pattern::LatestRevision(&flag);
            show("latest", &pattern, &tables, &of.output)
        }
        PatternArgs::History(of) => {
            let flag = interpret::flag(&of.flag)?;
            show("history", &Pattern::History(&flag), &tables, &of.output)
        }
        PatternArgs::List(of) => {
            let project = project(of)?;
            show("list", &Pattern::Flags(&project), &tables, &of.output)
        }
        PatternArgs::ListWithLatest(of) => {
            let project = project(of)?;
            let pattern = Pattern::FlagsWithLatest(&project);
            show("list-with-latest", &pattern, &tables, &of.output)
        }
        PatternArgs::Exposures(of) => exposures(of, &tables),
    }
}

fn exposures(of: &OfExposures, tables: &TableNameSettings) -> Result<(), Failure> {
    let flag = interpret::flag(&of.flag)?;
    let instance = of.instance.as_deref().map(InstanceId::new).transpose();
    let instance = instance.map_err(ArgumentError::from)?;
    let pattern = match &instance {
        Some(instance) => Pattern::InstanceExposures(&flag, instance),
        None => Pattern::Exposures(&flag),
    };
    show("exposures", &pattern, tables, &of.output)
}

fn project(of: &OfProject) -> Result<ProjectName, ArgumentError> {
    Ok(ProjectName::new(&of.project)?)
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
    output::show(&statement, output.form)
}

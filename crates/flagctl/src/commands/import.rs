//! `flagctl import`: adds the flags that another system has exported, as far as ours can be the same.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use flag_model::{FlagKey, Metadata, ProjectName, Revision, Timestamp};
use flag_store::{FlagEntry, FlagStore};

use super::apply::append_all;
use super::today;
use crate::apply::{ApplyPlan, Defaults, OlderRows, OnConflict, PlannedFlag, plan};
use crate::args::{NameArgs, OutputArgs, OutputFormat, OwnerArgs, ProjectOption, WriteArgs};
use crate::change::Change;
use crate::confirm::{Confirmed, confirm_with};
use crate::context::Context;
use crate::default_project;
use crate::exit_code::ExitCode;
use crate::failure::{CommandError, Failure};
use crate::flag_file::{FlagFile, FlagInFile, Written};
use crate::import::{self, Export, ImportError, System};
use crate::input::{self, input_name};
use crate::interpret::{owner, required_text};
use crate::output::{self, Exported, Finding, Imported, findings};
use crate::propagation;

/// The largest file that is read.
const MAX_BYTES: u64 = 64 << 20;

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// Export of another system, JSON or YAML; `-` for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// System that wrote the file [default: recognised by the content]
    #[arg(long, value_name = "SYSTEM")]
    from: Option<System>,
    /// Environment whose rules are imported, if the file has several
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    #[command(flatten)]
    project: ProjectOption,
    /// Reason for every revision that is added [default: Imported from SYSTEM]
    #[arg(short = 'm', long, value_name = "TEXT")]
    comment: Option<String>,
    #[command(flatten)]
    owner: OwnerArgs,
    #[command(flatten)]
    names: NameArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    write: WriteArgs,
}

/// The file cannot be imported.
#[derive(Debug, thiserror::Error)]
#[error("{}: {error}", input_name(path))]
struct NotImported {
    path: PathBuf,
    error: ImportError,
}

impl CommandError for NotImported {
    fn exit_code(&self) -> ExitCode {
        match self.error {
            ImportError::Environment { .. } => ExitCode::Usage,
            _ => ExitCode::Refused,
        }
    }

    fn problems(&self) -> Vec<String> {
        let ImportError::Invalid(mistakes) = &self.error else {
            return vec![self.to_string()];
        };
        let mistakes = mistakes.0.iter();
        mistakes
            .map(|mistake| format!("{}, {mistake}", input_name(&self.path)))
            .collect()
    }
}

/// The flags to add, and what is said of the others.
struct ImportPlan {
    flags: Vec<PlannedFlag>,
    /// How many flags the store has already, all the same.
    unchanged: usize,
    left_out: Vec<Finding>,
    notes: Vec<Finding>,
}

/// Adds the flags of a file that the store has not, and says what was left out.
pub(crate) async fn import(context: &Context, args: &ImportArgs) -> Result<(), Failure> {
    let text = input::read(&args.file, MAX_BYTES)?;
    let project = default_project::required(args.project.project.as_deref(), &context.variables)?;
    let export = import::read(&text, args.from, &project, args.environment.as_deref());
    let export = export.map_err(|error| NotImported {
        path: args.file.clone(),
        error,
    })?;
    let system = export.system;
    let defaults = defaults(context, args, system)?;
    if args.output.format == OutputFormat::Yaml {
        return write_file(&project, ImportPlan::new(export, Vec::new(), &defaults));
    }
    let store = context.open_if_exists().await?;
    let stored = match &store {
        Some(store) => {
            let stored = store.flag_entries(&project);
            let stored = output::with_progress(format!("reading {project}"), stored).await;
            stored.map_err(|source| context.store_failed(source))?
        }
        None => Vec::new(),
    };
    let plan = ImportPlan::new(export, stored, &defaults);
    if store.is_none() && !plan.flags.is_empty() {
        output::notice(&format!("warning: {}", context.creation_warning()));
    }
    let mut imported = Imported {
        system: system.name(),
        project: project.to_string(),
        written: false,
        added: plan
            .flags
            .iter()
            .map(|planned| planned.flag.clone())
            .collect(),
        unchanged: plan.unchanged,
        left_out: plan.left_out,
        notes: plan.notes,
    };
    let below = findings(&imported.left_out, &imported.notes);
    let changes: Vec<Change> = plan.flags.iter().flat_map(PlannedFlag::changes).collect();
    if changes.is_empty() {
        output::preview(&below);
    } else if confirm_with(&changes, &below, &args.write)? == Confirmed::Write {
        add_all(context, store, plan.flags, &args.write).await?;
        imported.written = true;
    }
    output::show(&imported, args.output.format)?;
    propagation::wait(context, args.write.wait).await?;
    complete(&imported.left_out)
}

async fn add_all(
    context: &Context,
    store: Option<FlagStore>,
    flags: Vec<PlannedFlag>,
    write_args: &WriteArgs,
) -> Result<(), Failure> {
    let store = match store {
        Some(store) => store,
        None => context.open_or_create().await?,
    };
    append_all(context, &store, flags, write_args).await
}

/// The exit code says whether something was left out.
fn complete(left_out: &[Finding]) -> Result<(), Failure> {
    if left_out.is_empty() {
        return Ok(());
    }
    Err(Failure::explained_by_output(ExitCode::Incomplete))
}

/// The flags as a file of ours, on standard output.
fn write_file(project: &ProjectName, plan: ImportPlan) -> Result<(), Failure> {
    let flags: Vec<FlagEntry> = plan.flags.into_iter().map(entry).collect();
    let written = Written::new(project, &flags).without_origin();
    output::preview(&findings(&plan.left_out, &plan.notes));
    output::show(&Exported(written), OutputFormat::Yaml)?;
    complete(&plan.left_out)
}

/// A planned flag as if it was stored.
fn entry(planned: PlannedFlag) -> FlagEntry {
    let made = Timestamp::UNIX_EPOCH;
    let metadata = planned.metadata.map(|metadata| metadata.parts);
    let metadata = metadata.and_then(|parts| Metadata::new(made, parts).ok());
    let revision = planned.revision.map(|revision| revision.parts);
    let revision = revision.and_then(|parts| Revision::new(made, parts).ok());
    FlagEntry {
        flag: planned.flag,
        metadata: metadata.map(Ok),
        revision: revision.map(Ok),
    }
}

fn defaults(context: &Context, args: &ImportArgs, system: System) -> Result<Defaults, Failure> {
    let comment = match &args.comment {
        Some(comment) => required_text("Comment", comment)?,
        None => format!("Imported from {}", system.title()),
    };
    Ok(Defaults {
        comment,
        owner: Some(owner(&args.owner, &context.variables)?),
        v1: context.row_options.v1_algorithm,
        names: args.names.allowed(),
        on_conflict: OnConflict::Refuse,
        today: today(),
    })
}

impl ImportPlan {
    /// What an export adds to a store. A flag that the store has is never changed.
    fn new(export: Export, stored: Vec<FlagEntry>, defaults: &Defaults) -> Self {
        let stored = stored.into_iter().map(|entry| (entry.flag.clone(), entry));
        let mut stored: BTreeMap<FlagKey, FlagEntry> = stored.collect();
        let mut plan = Self {
            flags: Vec::new(),
            unchanged: 0,
            left_out: export.left_out,
            notes: export.notes,
        };
        for flag in export.flags {
            let (name, entry) = (flag.flag.clone(), stored.remove(&flag.flag));
            let exists = entry.is_some();
            match planned(flag, entry, defaults) {
                Ok(one) if one.flags.is_empty() => plan.unchanged += 1,
                Ok(one) if !exists => plan.flags.extend(one.flags.into_iter().map(new_flag)),
                Ok(_) => {
                    let flag_type = name.flag_type;
                    plan.leave_out(&name, &format!("the store has a {flag_type} flag of this name that says something else; import changes none"));
                }
                Err(reason) => plan.leave_out(&name, &reason),
            }
        }
        plan
    }

    fn leave_out(&mut self, flag: &FlagKey, reason: &str) {
        let (name, of_type) = (flag.name.as_str(), Some(flag.flag_type));
        let reason = Finding::new(Some(name), reason).of_type(flag.flag_type);
        self.left_out.push(reason);
        // What was noted of it counts no longer.
        let is_of_it =
            |note: &Finding| note.flag.as_deref() == Some(name) && note.of_type == of_type;
        self.notes.retain(|note| !is_of_it(note));
    }
}

fn planned(
    flag: FlagInFile,
    entry: Option<FlagEntry>,
    defaults: &Defaults,
) -> Result<ApplyPlan, String> {
    let (name, project) = (flag.flag.clone(), flag.flag.project.clone());
    let flags = vec![flag];
    let file = FlagFile { project, flags };
    let stored = entry.into_iter().collect();
    plan(file, stored, &OlderRows::default(), defaults).map_err(|mistakes| {
        let reasons = mistakes.0.into_iter().map(|mistake| {
            let named = format!("{name}: ");
            let reason = mistake.message;
            reason
                .strip_prefix(&named)
                .map(str::to_owned)
                .unwrap_or(reason)
        });
        reasons.collect::<Vec<_>>().join("; ")
    })
}

/// The other system gives it to these instances already, so that reaching everybody wants no confirmation by name.
fn new_flag(mut flag: PlannedFlag) -> PlannedFlag {
    if let Some(revision) = &mut flag.revision {
        revision.change.risks.clear();
    }
    flag
}

//! `flagctl copy`: copies the rows of a project unchanged to another store.

use std::sync::Arc;

use clap::Args;
use flag_model::ProjectName;
use flag_settings::{StoreName, StoreSettings};
use flag_store::ExposureLog;
use flag_store_bigtable::Table;
use flag_store_embedded::{EmbeddedLog, EmbeddedStore};

use crate::admin_store::AdminStore;
use crate::args::{OutputArgs, ProjectArgs, YesArgs};
use crate::confirm::{Unattended, confirm_action};
use crate::context::{Context, Needs, StoreNotOpened, ensure_exists};
use crate::copy::{Copy, CopyCounts, CopyProgress, Mode, Target};
use crate::default_project;
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::interpret::ArgumentError;
use crate::output::{self, CopiedRows};

#[derive(Debug, Args)]
pub(crate) struct CopyArgs {
    #[command(flatten)]
    project: ProjectArgs,
    /// Store to read: `embedded:DIR` or `bigtable:PROJECT/INSTANCE[/FLAG_TABLE[/LOG_TABLE]]`
    #[arg(long, value_name = "STORE", value_parser = StoreName::parse)]
    from: StoreName,
    /// Store to write, in the same form
    #[arg(long, value_name = "STORE", value_parser = StoreName::parse)]
    to: StoreName,
    /// Copy the exposure log too
    #[arg(long)]
    exposures: bool,
    /// Show what would be copied, and write nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    confirmation: YesArgs,
}

/// Copies missing rows, and shows the counts; fails if a row exists with other cells.
pub(crate) async fn copy(context: &Context, args: &CopyArgs) -> Result<(), Failure> {
    let project = default_project::of(&args.project, &context.variables)?;
    let (from, to, from_log) = open(context, args, &project).await?;
    let progress = CopyProgress::default();
    let copy = Copy {
        from: &from,
        to: &to,
        project: &project,
        mode: if args.dry_run {
            Mode::DryRun
        } else {
            Mode::Write
        },
        progress: &progress,
    };
    let all = Box::pin(all(&copy, from_log.as_deref()));
    let (flags, exposures) = output::with_progress(&progress, all).await?;
    let total = flags.total() + exposures.as_ref().map_or(0, CopyCounts::total);
    if total == 0 {
        return Err(from.missing_project(project).await.into());
    }
    let differing = flags.differing + exposures.as_ref().map_or(0, |copied| copied.differing);
    let copied = CopiedRows {
        project: project.to_string(),
        from: from.display_name.clone(),
        to: to.display_name.clone(),
        dry_run: args.dry_run,
        flags: (&flags).into(),
        exposures: exposures.as_ref().map(Into::into),
    };
    output::show(&copied, args.output.format)?;
    let unreadable = exposures.iter().flat_map(|copied| &copied.unreadable);
    let unreadable = unreadable.inspect(|batch| output::notice(&batch.to_string()));
    let not_copied = unreadable.count() > 0;
    match (differing > 0, not_copied) {
        (true, _) => Err(Failure::explained_by_output(ExitCode::Conflict)),
        (false, true) => Err(Failure::explained_by_output(ExitCode::Incomplete)),
        (false, false) => Ok(()),
    }
}

/// Copies flags, then exposures if they are wanted, and reports flags that have a newer revision in the target.
async fn all(
    copy: &Copy<'_>,
    log: Option<&dyn ExposureLog>,
) -> Result<(CopyCounts, Option<CopyCounts>), Failure> {
    let flags = copy.flags().await?;
    for flag in copy.announce(&flags).await? {
        output::notice(&format!(
            "{flag} has a newer revision in the {}, which stays in force",
            copy.to.display_name
        ));
    }
    let exposures = match log {
        Some(log) => Some(copy.exposures(log).await?),
        None => None,
    };
    Ok((flags, exposures))
}

/// The source, the target, and the source log if exposures are wanted.
type Ends = (AdminStore, Target, Option<Arc<dyn ExposureLog>>);

async fn open(context: &Context, args: &CopyArgs, project: &ProjectName) -> Result<Ends, Failure> {
    let from_settings = args.from.settings(&context.sources)?;
    let to_settings = args.to.settings(&context.sources)?;
    if from_settings.display_name() == to_settings.display_name() {
        let message = format!(
            "--from and --to are the same {}",
            from_settings.display_name()
        );
        return Err(ArgumentError::Usage(message).into());
    }
    let needs = if args.exposures {
        Needs::FlagsAndLog
    } else {
        Needs::Flags
    };
    ensure_exists(&from_settings, needs)?;
    let from = AdminStore::open_flags(context, &from_settings).await?;
    from.ensure_ready(&from_settings).await?;
    let from_log = if args.exposures {
        Some(from.log(context, &from_settings).await?)
    } else {
        None
    };
    let to = if args.dry_run {
        looked_at(context, &to_settings, args.exposures).await?
    } else {
        let what = format!(
            "copies the rows of {project} from the {} to the {}, overwriting none",
            from.display_name,
            to_settings.display_name()
        );
        confirm_action(&what, &args.confirmation, Unattended::Proceed)?;
        made(context, &to_settings, args.exposures).await?
    };
    Ok((from, to, from_log))
}

/// The target of a copy; creates its missing parts.
async fn made(
    context: &Context,
    settings: &StoreSettings,
    exposures: bool,
) -> Result<Target, Failure> {
    let opened = AdminStore::open_or_create(context, settings, exposures).await?;
    opened.ensure_ready(settings).await?;
    let log = if exposures {
        Some(opened.log(context, settings).await?)
    } else {
        None
    };
    Ok(Target {
        display_name: settings.display_name(),
        flags: Some(opened),
        log,
    })
}

/// The existing parts of the target of a dry run; reports what would be created.
async fn looked_at(
    context: &Context,
    settings: &StoreSettings,
    exposures: bool,
) -> Result<Target, Failure> {
    let [has_flags, has_log] = what_is_there(context, settings, exposures).await?;
    if !(has_flags && has_log) {
        let what = match settings {
            StoreSettings::Embedded(_) => "files",
            StoreSettings::Bigtable(_) => "tables",
        };
        output::notice(&format!(
            "the {} lacks {what}, which a copy creates first, as `flagctl init` does",
            settings.display_name()
        ));
    }
    let mut target = Target {
        display_name: settings.display_name(),
        flags: None,
        log: None,
    };
    if has_flags {
        let opened = AdminStore::open_flags(context, settings).await?;
        opened.ensure_ready(settings).await?;
        if has_log && exposures {
            target.log = Some(opened.log(context, settings).await?);
        }
        target.flags = Some(opened);
    }
    Ok(target)
}

/// Whether the flags and the exposure log exist; true for parts that a copy does not create.
async fn what_is_there(
    context: &Context,
    settings: &StoreSettings,
    exposures: bool,
) -> Result<[bool; 2], Failure> {
    match settings {
        // Opening it gives the error.
        StoreSettings::Embedded(directory) if directory.exists() && !directory.is_dir() => {
            Ok([true; 2])
        }
        StoreSettings::Embedded(directory) => {
            let has_flags = EmbeddedStore::is_there(directory).map_err(StoreNotOpened::from)?;
            let is_left_alone = has_flags && !exposures;
            let has_log =
                is_left_alone || EmbeddedLog::is_there(directory).map_err(StoreNotOpened::from)?;
            Ok([has_flags, has_log])
        }
        StoreSettings::Bigtable(bigtable) if bigtable.emulator.is_some() => {
            let opened = AdminStore::open_flags(context, settings).await?;
            let absent = opened.absent_tables(settings).await?;
            Ok(Table::ALL.map(|table| !absent.contains(&table)))
        }
        StoreSettings::Bigtable(_) => Ok([true; 2]),
    }
}

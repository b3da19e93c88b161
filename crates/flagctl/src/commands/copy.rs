//! `flagctl copy`: the rows of a project, as they are, from one store to another.

use clap::Args;
use flag_model::ProjectName;
use flag_settings::StoreSettings;
use flag_store::Table;
use flag_store_embedded::EmbeddedStore;

use crate::args::OutputArgs;
use crate::confirm::{Unasked, YesArgs, confirm_plainly};
use crate::copy::{Copied, Copy, LookedAt, Mode, Target};
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::opened::Opened;
use crate::output::{self, CopiedRows};
use crate::plan::PlanError;
use crate::run::Context;
use crate::store_name::StoreName;

#[derive(Debug, Args)]
pub(crate) struct CopyArgs {
    /// Project whose rows are copied
    project: String,
    /// Store to read: `embedded:DIR` or `bigtable:PROJECT/INSTANCE[/FLAG_TABLE[/LOG_TABLE]]`
    #[arg(long, value_name = "STORE", value_parser = StoreName::parse)]
    from: StoreName,
    /// Store to write, spelled likewise
    #[arg(long, value_name = "STORE", value_parser = StoreName::parse)]
    to: StoreName,
    /// Copy the exposure log too
    #[arg(long)]
    exposures: bool,
    /// Say what would be copied, and write nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    confirmation: YesArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Copies what is not there, and shows what was; fails if a row is there with other cells.
pub(crate) async fn copy(context: &Context, typed: &CopyArgs) -> Result<(), Failure> {
    let project = ProjectName::new(&typed.project).map_err(PlanError::from)?;
    let from = typed.from.settings(&context.sources)?;
    let to = typed.to.settings(&context.sources)?;
    let place = to.place();
    let (from, to) = open(context, typed, &from, &to).await?;
    let looked_at = LookedAt::default();
    let copy = Copy {
        from: &from,
        to: &to,
        project: &project,
        mode: if typed.dry_run {
            Mode::DryRun
        } else {
            Mode::Write
        },
        looked_at: &looked_at,
    };
    let all = Box::pin(all(&copy, &place, typed.exposures));
    let (flags, exposures) = output::noted(&looked_at, all).await?;
    let total = flags.total() + exposures.as_ref().map_or(0, Copied::total);
    if total == 0 {
        return Err(from.no_rows(project).await);
    }
    let differing = flags.differing + exposures.as_ref().map_or(0, |copied| copied.differing);
    let copied = CopiedRows {
        project: project.to_string(),
        from: from.place.clone(),
        to: place,
        dry_run: typed.dry_run,
        flags: (&flags).into(),
        exposures: exposures.as_ref().map(Into::into),
    };
    output::answer(&copied, typed.output.form)?;
    if differing > 0 {
        return Err(Failure::Told(ExitCode::Conflict));
    }
    Ok(())
}

/// Copies flags, then exposures if they are wanted, and tells of flags that will not serve what was copied.
async fn all(
    copy: &Copy<'_>,
    place: &str,
    exposures: bool,
) -> Result<(Copied, Option<Copied>), Failure> {
    let flags = copy.table(Table::Flags).await?;
    for flag in copy.announce(&flags).await? {
        output::talk(&format!(
            "{flag} has a newer revision in the {place}, which stays in force"
        ));
    }
    let exposures = if exposures {
        Some(copy.table(Table::Exposures).await?)
    } else {
        None
    };
    Ok((flags, exposures))
}

async fn open(
    context: &Context,
    typed: &CopyArgs,
    from: &StoreSettings,
    to: &StoreSettings,
) -> Result<(Opened, Target), Failure> {
    if from.place() == to.place() {
        let message = format!("--from and --to are the same {}", from.place());
        return Err(PlanError::Usage(message).into());
    }
    let from = Opened::existing(context, from).await?;
    from.ensure_ready().await?;
    if typed.dry_run {
        return Ok((from, looked_at(context, to).await?));
    }
    let what = format!(
        "copies the rows of {} from the {} to the {}, overwriting none",
        typed.project,
        from.place,
        to.place()
    );
    confirm_plainly(&what, &typed.confirmation, Unasked::Done)?;
    let to = Opened::or_made(context, to).await?;
    to.ensure_ready().await?;
    let target = Target {
        opened: Some(to),
        absent: Vec::new(),
    };
    Ok((from, target))
}

/// What a copy would write to, with what it would make first; makes nothing.
async fn looked_at(context: &Context, to: &StoreSettings) -> Result<Target, Failure> {
    let mut absent = Vec::new();
    let opened = match to {
        StoreSettings::Embedded(directory) => {
            let files = EmbeddedStore::files(directory);
            let tables = [Table::Flags, Table::Exposures].into_iter().zip(files);
            absent.extend(
                tables
                    .filter(|(_, file)| !file.exists())
                    .map(|(table, _)| table),
            );
            if absent.contains(&Table::Flags) {
                None
            } else {
                Some(Opened::flags_of(context, to).await?)
            }
        }
        StoreSettings::Bigtable(settings) => {
            let opened = Opened::existing(context, to).await?;
            if settings.emulator.is_some() {
                absent = opened.absent_tables().await?;
            } else {
                opened.ensure_ready().await?;
            }
            Some(opened)
        }
    };
    if !absent.is_empty() {
        let what = match to {
            StoreSettings::Embedded(_) => "files",
            StoreSettings::Bigtable(_) => "tables",
        };
        output::talk(&format!(
            "the {} lacks {what}, which a copy makes first, as `flagctl init` does",
            to.place()
        ));
    }
    Ok(Target { opened, absent })
}

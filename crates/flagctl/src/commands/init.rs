//! `flagctl init`: creates the missing parts of the store, and changes no existing one.

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use clap::Args;
use flag_settings::{OpenStoreError, StoreSettings};
use flag_store::{FAMILY, StoreError};
use flag_store_bigtable::{BigtableSettings, BigtableTables, Expiry, Prepared, Table};
use flag_store_embedded::{EmbeddedStore, FreeSpace, LogUpgrade, upgrade_log};

use crate::admin_store::AdminStore;
use crate::args::OutputArgs;
use crate::context::Context;
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::output::{self, PartState, StorePart, StoreParts};

#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// Days for which Bigtable keeps exposures; from the embedded store the service removes them after
    /// `FLAG_EXPOSURE_RETENTION_DAYS`
    #[arg(long, value_name = "N", default_value = "90", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    log_retention_days: u32,
    /// Copy the exposures that older releases wrote to the embedded store into its present form, and give back disk; services may
    /// run meanwhile
    #[arg(long)]
    upgrade: bool,
    #[command(flatten)]
    output: OutputArgs,
}

/// Creates missing parts, and shows all; fails if an existing part has a wrong configuration.
pub(crate) async fn init(context: &Context, args: &InitArgs) -> Result<(), Failure> {
    let retention = Duration::from_hours(u64::from(args.log_retention_days) * 24);
    let parts = match context.settings() {
        StoreSettings::Embedded(directory) => embedded(context, directory, args.upgrade).await?,
        StoreSettings::Bigtable(settings) => {
            if args.upgrade {
                output::notice(
                    "--upgrade is for the embedded store: in Bigtable nothing is copied",
                );
            }
            let what = format!("preparing the {}", context.store_display_name());
            let prepared =
                output::with_progress(what, bigtable(context, settings, retention)).await;
            prepared?.map_err(|source| context.store_failed(source))?
        }
    };
    let is_right = parts.iter().all(|part| part.state != PartState::Differs);
    let display_name = context.store_display_name();
    output::show(
        &StoreParts {
            display_name,
            parts,
        },
        args.output.format,
    )?;
    if is_right {
        Ok(())
    } else {
        Err(Failure::explained_by_output(ExitCode::Failed))
    }
}

async fn embedded(
    context: &Context,
    directory: &Path,
    upgrade: bool,
) -> Result<Vec<StorePart>, Failure> {
    let files = EmbeddedStore::files(directory);
    let found = files.each_ref().map(|file| file.metadata());
    EmbeddedStore::recreate(directory).map_err(OpenStoreError::from)?;
    // Before the log is opened: only a file that nobody has open is written anew.
    let upgraded = if upgrade {
        Some(upgraded(context, directory).await?)
    } else {
        None
    };
    context.open_or_create().await?;
    context.open_log(context.settings()).await?;
    output::notice(
        "--log-retention-days is for Bigtable: the service removes exposures from the embedded store after \
         FLAG_EXPOSURE_RETENTION_DAYS (default: 90)",
    );
    let parts = files.iter().zip(found).map(|(file, found)| {
        let (state, is) = match found {
            Ok(found) if found.len() > 0 => (PartState::WasThere, None),
            Ok(_) => (PartState::Created, Some("was empty".to_owned())),
            Err(_) => (PartState::Created, None),
        };
        StorePart {
            name: format!("file {}", file.display()),
            state,
            is,
            advice: None,
        }
    });
    let mut parts: Vec<StorePart> = parts.collect();
    if let Some(part) = parts.last_mut()
        && part.state == PartState::WasThere
    {
        part.is = upgraded;
    }
    Ok(parts)
}

/// Upgrades the exposures, and says what became of them.
async fn upgraded(context: &Context, directory: &Path) -> Result<String, Failure> {
    let progress = RowProgress::default();
    let upgrade = upgrade_log(directory, |rows| {
        progress.0.store(rows, Ordering::Relaxed);
    });
    let upgraded = output::with_progress(&progress, upgrade).await;
    let upgraded = upgraded.map_err(|source| context.store_failed(source))?;
    match upgraded.free {
        FreeSpace::GivenBack => {}
        FreeSpace::InUse => output::notice(
            "exposures.db is of an older release and in use, so its free space is not given back to the disk, but used for new \
             exposures; to give it back, stop the services and run `flagctl init --upgrade` again",
        ),
        FreeSpace::DiskFull => output::notice(
            "the disk is too full to write exposures.db anew, so its free space is not given back, but used for new exposures; \
             make as much room as the file takes and run `flagctl init --upgrade` again",
        ),
    }
    let LogUpgrade {
        copied,
        left,
        bytes_before,
        bytes_after,
        ..
    } = upgraded;
    Ok(format!(
        "exposures copied: {copied}, left as rows: {left}; bytes before: {bytes_before}, now: {bytes_after}"
    ))
}

/// How many rows were looked at.
#[derive(Debug, Default)]
struct RowProgress(AtomicUsize);

impl fmt::Display for RowProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "upgrading exposures: {}", self.0.load(Ordering::Relaxed))
    }
}

/// The outer failure is that of connecting.
async fn bigtable(
    context: &Context,
    settings: &BigtableSettings,
    retention: Duration,
) -> Result<Result<Vec<StorePart>, StoreError>, Failure> {
    // Like every command, so that missing credentials give the same error.
    AdminStore::open_flags(context, context.settings()).await?;
    let tables = BigtableTables::new(settings.clone());
    let mut parts = Vec::new();
    for table in Table::ALL {
        match tables.prepare(table, retention).await {
            Ok(prepared) => parts.push(part(settings, table, prepared, retention)),
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Ok(parts))
}

fn part(
    settings: &BigtableSettings,
    table: Table,
    prepared: Prepared,
    retention: Duration,
) -> StorePart {
    let expected = Expiry::expected(table, retention);
    let (state, is) = match prepared {
        Prepared::Created => (PartState::Created, expected.to_string()),
        Prepared::FamilyCreated => {
            let is = format!("had no family {FAMILY}; it {expected}");
            (PartState::Created, is)
        }
        Prepared::WasThere(found) if found == expected => {
            (PartState::WasThere, expected.to_string())
        }
        Prepared::WasThere(found) => {
            let is = format!("{found}; expected that it {expected}");
            (PartState::Differs, is)
        }
    };
    let name = settings.table(table);
    StorePart {
        name: format!("table {name}"),
        advice: (state == PartState::Differs).then(|| advice(settings, table, &expected)),
        state,
        is: Some(is),
    }
}

/// The command that corrects the garbage collection rule of a table.
pub(super) fn advice(settings: &BigtableSettings, table: Table, expected: &Expiry) -> String {
    format!(
        "cbt -project {} -instance {} setgcpolicy {} {FAMILY} {}",
        settings.project,
        settings.instance,
        settings.table(table),
        expected.cbt()
    )
}

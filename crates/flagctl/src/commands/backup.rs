//! `flagctl backup` and `flagctl restore-backup`: copies of the embedded store, and putting one back.

use std::path::{Path, PathBuf};

use clap::Args;
use flag_settings::StoreSettings;
use flag_store::{Clock as _, SystemClock};
use flag_store_embedded::{BackupError, ExistingStore, back_up, restore};

use crate::args::OutputArgs;
use crate::confirm::{Unasked, YesArgs, confirm_plainly};
use crate::failure::Failure;
use crate::output::{self, Files};
use crate::plan::PlanError;
use crate::run::Context;

#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// Folder that the copy goes to; made if it is missing, and must hold no store
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RestoreBackupArgs {
    /// Folder that `flagctl backup` wrote
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Replace the store that is there; a copy of it is kept beside it
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    confirmation: YesArgs,
}

/// Copies the store, whether or not others use it.
pub(crate) async fn backup(context: &Context, typed: &BackupArgs) -> Result<(), Failure> {
    let (from, to) = (directory(context)?, typed.folder.clone());
    let what = format!("copying the {}", context.place());
    let files = copied(what, move || back_up(&from, &to)).await;
    let files = files.map_err(|failure| match failure {
        Failure::StoreExists { path } => Failure::BackupExists { path },
        failure => failure,
    })?;
    output::answer(&Files::new(&files, None), typed.output.form)
}

/// Puts a copy where the store is or was.
pub(crate) async fn restore_backup(
    context: &Context,
    typed: &RestoreBackupArgs,
) -> Result<(), Failure> {
    let directory = directory(context)?;
    let from = typed.folder.clone();
    if typed.replace {
        let what = format!(
            "replaces the {} by the copy in {}; services that use it serve the copy",
            context.place(),
            from.display()
        );
        confirm_plainly(&what, &typed.confirmation, Unasked::Done)?;
    }
    let kept = directory.join(format!("before-restore-{}", now_in_a_name()));
    let what = format!("restoring the {}", context.place());
    let (replace, keep) = (typed.replace, kept.clone());
    let files = copied(what, move || {
        let present = if replace {
            ExistingStore::KeptIn(&keep)
        } else {
            ExistingStore::Stays
        };
        restore(&from, &directory, present)
    });
    let files = files.await?;
    let kept = Some(&kept).filter(|kept| kept.exists());
    output::answer(&Files::new(&files, kept), typed.output.form)
}

/// Where the embedded store is; any other has backups of its own.
fn directory(context: &Context) -> Result<PathBuf, Failure> {
    match context.settings() {
        StoreSettings::Embedded(directory) => Ok(Path::to_owned(directory)),
        StoreSettings::Bigtable(_) => Err(PlanError::Usage(format!(
            "this copies the files of the embedded store, and flags are kept in the {}: \
             `gcloud bigtable backups create` copies its tables, `flagctl copy` the rows of a project",
            context.place()
        ))
        .into()),
    }
}

async fn copied<T: Send + 'static>(
    what: String,
    copy: impl FnOnce() -> Result<T, BackupError> + Send + 'static,
) -> Result<T, Failure> {
    let copied = output::noted(what, tokio::task::spawn_blocking(copy)).await;
    let copied = copied.map_err(|died| Failure::Start(died.into()))?;
    Ok(copied?)
}

/// The time, as the name of a folder can have it.
fn now_in_a_name() -> String {
    let now = SystemClock.now().to_string();
    now.replace(' ', "T").replace(':', "-")
}

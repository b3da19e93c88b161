//! `flagctl backup` and `flagctl restore-backup`: copy the embedded store, and restore a copy.

use std::path::{Path, PathBuf};

use clap::Args;
use flag_settings::StoreSettings;
use flag_store::{Clock as _, SystemClock};
use flag_store_embedded::{BackupError, ExistingStore, back_up, restore};
use tokio::task::{JoinError, spawn_blocking};

use crate::args::{OutputArgs, YesArgs};
use crate::confirm::{Unattended, confirm_action};
use crate::context::Context;
use crate::exit_code::ExitCode;
use crate::failure::{CommandError, Failure};
use crate::interpret::ArgumentError;
use crate::output::{self, Files};

#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// Folder for the backup; created if missing, must not hold a store
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RestoreBackupArgs {
    /// Folder that `flagctl backup` has written
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Replace the existing store; a copy of it is kept beside it
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    confirmation: YesArgs,
}

/// Why a store was not copied.
#[derive(Debug, thiserror::Error)]
enum NotCopied {
    /// The target of a restore has a store.
    #[error(
        "{} exists already: restore into another folder, or use `restore-backup --replace`, which keeps a copy of the old files",
        path.display()
    )]
    StoreExists {
        /// A file of the store.
        path: PathBuf,
    },
    /// The target of a backup has a store or an older backup.
    #[error(
        "{} exists already: name another folder, or remove it if it is an old backup",
        path.display()
    )]
    BackupExists {
        /// A file of it.
        path: PathBuf,
    },
    /// The files cannot be copied.
    #[error("the store was not copied")]
    Failed(#[source] BackupError),
    /// The copy panicked.
    #[error("the copy failed because of a bug in flagctl; its files may be incomplete")]
    BrokeOff(#[source] JoinError),
}

impl CommandError for NotCopied {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::StoreExists { .. } | Self::BackupExists { .. } => ExitCode::Conflict,
            Self::Failed(_) => ExitCode::StoreUnavailable,
            Self::BrokeOff(_) => ExitCode::Failed,
        }
    }
}

/// Copies the store, whether or not others use it.
pub(crate) async fn backup(context: &Context, args: &BackupArgs) -> Result<(), Failure> {
    let (from, to) = (directory(context)?, args.folder.clone());
    let what = format!("copying the {}", context.store_display_name());
    let files = copied(what, move || back_up(&from, &to)).await?;
    let files = files.map_err(|error| match error {
        BackupError::Exists { path } => NotCopied::BackupExists { path },
        error => NotCopied::Failed(error),
    })?;
    output::show(&Files::new(&files, None), args.output.format)
}

/// Restores a copy to the folder of the store.
pub(crate) async fn restore_backup(
    context: &Context,
    args: &RestoreBackupArgs,
) -> Result<(), Failure> {
    let directory = directory(context)?;
    let from = args.folder.clone();
    if args.replace {
        let what = format!(
            "replaces the {} by the copy in {}; services that use it serve the copy",
            context.store_display_name(),
            from.display()
        );
        confirm_action(&what, &args.confirmation, Unattended::Proceed)?;
    }
    let kept = directory.join(format!("before-restore-{}", now_in_a_name()));
    let what = format!("restoring the {}", context.store_display_name());
    let (replace, keep) = (args.replace, kept.clone());
    let files = copied(what, move || {
        let present = if replace {
            ExistingStore::KeptIn(&keep)
        } else {
            ExistingStore::Stays
        };
        restore(&from, &directory, present)
    });
    let files = files.await?.map_err(|error| match error {
        BackupError::Exists { path } => NotCopied::StoreExists { path },
        error => NotCopied::Failed(error),
    })?;
    let kept = Some(&kept).filter(|kept| kept.exists());
    output::show(&Files::new(&files, kept), args.output.format)
}

/// The folder of the embedded store; an error for Bigtable, which has its own backups.
fn directory(context: &Context) -> Result<PathBuf, Failure> {
    match context.settings() {
        StoreSettings::Embedded(directory) => Ok(Path::to_owned(directory)),
        StoreSettings::Bigtable(_) => Err(ArgumentError::Usage(format!(
            "this copies the files of the embedded store, and flags are kept in the {}: \
             `gcloud bigtable backups create` copies its tables, `flagctl copy` the rows of a project",
            context.store_display_name()
        ))
        .into()),
    }
}

async fn copied<T: Send + 'static>(
    what: String,
    copy: impl FnOnce() -> Result<T, BackupError> + Send + 'static,
) -> Result<Result<T, BackupError>, NotCopied> {
    let copied = output::with_progress(what, spawn_blocking(copy)).await;
    copied.map_err(NotCopied::BrokeOff)
}

/// The time as a part of a folder's name.
fn now_in_a_name() -> String {
    let now = SystemClock.now().to_string();
    now.replace(' ', "T").replace(':', "-")
}

#[cfg(test)]
mod tests {
    use tokio::runtime::Builder;

    use super::*;
    use crate::failure::Report;

    #[test]
    fn a_copy_that_panics_has_broken_off() {
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        let copied = copied::<()>("copying".to_owned(), || panic!("torn"));
        let failure = Failure::from(runtime.block_on(copied).unwrap_err());
        assert_eq!(failure.exit_code, ExitCode::Failed);
        let Report::Message(message) = failure.report else {
            panic!("help");
        };
        assert!(message.starts_with("error: the copy failed"), "{message}");
        assert!(message.contains("torn"), "{message}");
    }
}

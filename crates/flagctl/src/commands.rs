//! What each command does: one file per command.
mod add;
mod apply;
mod backup;
mod compare;
mod complete;
mod completions;
mod copy;
mod diff;
mod doctor;
mod edit;
mod explain;
mod export;
mod exposures;
mod forget;
mod get;
mod history;
mod import;
mod init;
mod keys;
mod kill;
mod latest;
mod list;
mod manual;
mod projects;
mod remove;
mod replicas;
mod restore;
mod retire;
mod revise;
mod rollback;
mod run_config;
mod sql;
mod update;
mod use_project;
mod verify;
mod watch;

use flag_model::Date;
use flag_store::{Clock as _, SystemClock};

pub(crate) use self::add::add;
pub(crate) use self::apply::{ApplyArgs, apply};
pub(crate) use self::backup::{BackupArgs, RestoreBackupArgs, backup, restore_backup};
pub(crate) use self::compare::{CompareArgs, compare};
pub(crate) use self::complete::{CompleteArgs, complete};
pub(crate) use self::completions::{CompletionsArgs, completions};
pub(crate) use self::copy::{CopyArgs, copy};
pub(crate) use self::diff::{DiffArgs, diff};
pub(crate) use self::doctor::{DoctorArgs, doctor};
pub(crate) use self::edit::{EditArgs, edit};
pub(crate) use self::explain::{ExplainArgs, explain};
pub(crate) use self::export::{ExportArgs, export};
pub(crate) use self::exposures::{ExposuresArgs, exposures};
pub(crate) use self::forget::{ForgetArgs, forget};
pub(crate) use self::get::{GetArgs, get};
pub(crate) use self::history::{HistoryArgs, history};
pub(crate) use self::import::{ImportArgs, import};
pub(crate) use self::init::{InitArgs, init};
pub(crate) use self::keys::{KeysArgs, keys};
pub(crate) use self::kill::{KillArgs, kill};
pub(crate) use self::latest::{LatestArgs, latest};
pub(crate) use self::list::{ListArgs, list};
pub(crate) use self::manual::{ManualArgs, manual};
pub(crate) use self::projects::{ProjectsArgs, TagsArgs, projects, tags};
pub(crate) use self::remove::remove;
pub(crate) use self::replicas::{ReplicasArgs, replicas};
pub(crate) use self::restore::{RestoreArgs, restore};
pub(crate) use self::retire::{RetireArgs, retire};
pub(crate) use self::revise::revise;
pub(crate) use self::rollback::{RollbackArgs, rollback};
pub(crate) use self::run_config::{RunConfigArgs, run_config};
pub(crate) use self::sql::{SqlArgs, sql};
pub(crate) use self::update::{UpdateArgs, update};
pub(crate) use self::use_project::{UseArgs, use_project};
pub(crate) use self::verify::{VerifyArgs, verify};
pub(crate) use self::watch::{WatchArgs, watch};

/// Today, in UTC.
fn today() -> Option<Date> {
    let now = SystemClock.now().to_string();
    Date::parse(now.split(' ').next()?).ok()
}

//! Keeps flags and exposures in local files, for several processes at once.
//!
//! The default backend: SQLite, one file for flags and one for exposures, no network. Knows rows, blocks of
//! exposures and bytes; of flags, projects and instances only the names, to look them up: `flag-store` makes and reads
//! keys, cells and blocks. Start with [`EmbeddedStore::open`] and [`EmbeddedLog::open`]. Laws, each kept by the test of
//! that name in `tests/it/processes.rs`:
//! - `what_was_acknowledged_survives_a_kill`
//! - `increments_from_two_processes_are_all_counted`
//! - `two_processes_can_create_the_same_directory`
//!
//! The files must be on a local disk: SQLite's write-ahead log is shared memory between processes of one machine.
mod backup;
mod blocks;
mod cells;
mod counts;
mod create_file;
mod database;
mod directory;
mod expiry;
mod exposure_log;
mod failure;
mod file;
mod file_limits;
mod file_state;
mod group_commit;
mod idle_priority;
mod lock_timeout;
mod open_error;
mod open_files;
mod reports;
mod rows;
mod schema;
mod separate_cells;
mod store;
mod stored;
mod upgrade;
mod worker;

pub use crate::backup::{BackupError, ExistingStore, back_up, restore};
pub use crate::expiry::{remove_counts_before, remove_exposures_before};
pub use crate::exposure_log::EmbeddedLog;
pub use crate::file_limits::ignore_sigxfsz;
pub use crate::idle_priority::{WriterPriority, run_at_idle_priority};
pub use crate::open_error::OpenError;
pub use crate::store::{DEFAULT_TIMEOUT, EmbeddedStore};
pub use crate::upgrade::{FreeSpace, LogUpgrade, upgrade_log};

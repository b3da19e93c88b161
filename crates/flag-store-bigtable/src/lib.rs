//! Flags and exposures in Google Cloud Bigtable.
//!
//! What `bigtable_rs` leaves to its caller is done here: every call ends within a deadline, carries a token that is
//! renewed ahead of its end, and is sent again where that is safe; rows that arrive in pieces are put together. Knows
//! rows and cells, not what is in them.
//! Start with [`BigtableStore`] and [`BigtableLog`].
mod address;
mod admin;
mod authorized;
mod batch;
mod call;
mod connect_error;
mod connection;
mod credentials;
mod endpoint;
mod expiry;
mod exposure_entries;
mod filter;
mod forget;
mod gcloud;
mod key_file;
mod log;
mod merge;
mod mutation;
mod pool;
mod prepared;
mod request;
mod settings;
mod status;
mod store;
mod tables;
mod tokens;

use flag_store::FAMILY;

pub use crate::address::{in_brackets, is_host, is_host_and_port};
pub use crate::connect_error::{ConnectError, CredentialsError};
pub use crate::expiry::Expiry;
#[doc(hidden)]
pub use crate::exposure_entries::encoded_bytes;
pub use crate::log::BigtableLog;
pub use crate::settings::{BigtableSettings, Table};
pub use crate::store::BigtableStore;
pub use crate::tables::{BigtableTables, Prepared, TableState};

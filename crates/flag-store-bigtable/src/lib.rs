//! Flags in Google Cloud Bigtable.
//!
//! What `bigtable_rs` leaves to its caller is done here: every call ends within a deadline, what is safe to send
//! again is sent again, and rows that arrive in pieces are put together. Knows rows and cells, not what is in them.
//! Start with [`BigtableStore`] and [`BigtableLog`].
mod admin;
mod batch;
mod call;
mod connection;
mod expiry;
mod filter;
mod forget;
mod log;
mod merge;
mod mutation;
mod pool;
mod request;
mod settings;
mod status;
mod store;
mod tables;

pub use crate::connection::ConnectError;
pub use crate::expiry::Expiry;
pub use crate::log::BigtableLog;
pub use crate::settings::{BigtableSettings, Table, is_host_and_port};
pub use crate::store::BigtableStore;
pub use crate::tables::{BigtableTables, Prepared, TableState};

/// The column family of every cell.
const FAMILY: &str = "metadata";

//! How a binary is told what to do: every setting once, for the service and for `flagctl` alike.
//!
//! Knows neither HTTP nor flags, and reads no environment: a binary hands in what it was given. Start with
//! [`table`], which lists the settings, and [`Reader`], which reads them.
mod endpoint;
mod environment;
mod instance_names;
mod literal;
mod reader;
mod rows;
mod setting;
mod sources;
mod store;
pub mod table;
mod table_names;
mod told;

pub use crate::environment::is_production;
pub use crate::instance_names::read_instance_names;
pub use crate::reader::{Mistake, Mistakes, Reader};
pub use crate::rows::read_row_options;
pub use crate::setting::{Origin, Setting};
pub use crate::sources::Sources;
pub use crate::store::{OpenStoreError, StoreSettings};
pub use crate::table_names::TableNameSettings;
pub use crate::told::Told;

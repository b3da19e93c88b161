//! Configures the binaries: every setting of the service and of `flagctl`, defined once.
//!
//! Knows neither HTTP nor flags. Does not read the environment: a binary passes it in. Start with
//! [`table`], which lists the settings, and [`Reader`], which reads them.
mod effective;
mod endpoint;
mod environment;
mod instance_id_mode;
mod kind;
mod other_store;
mod reader;
mod rows;
mod setting;
mod shell_syntax;
pub mod similar;
mod sources;
mod store;
mod store_identity;
mod store_name;
pub mod table;
mod table_names;
mod unknown;

pub use crate::effective::EffectiveSetting;
pub use crate::environment::is_production;
pub use crate::instance_id_mode::read_instance_id_mode;
pub use crate::kind::{Kind, Range};
pub use crate::other_store::OtherStoreSettings;
pub use crate::reader::{Reader, SettingError, SettingErrors};
pub use crate::rows::read_row_options;
pub use crate::setting::{Origin, Setting};
pub use crate::sources::Sources;
pub use crate::store::{OpenStoreError, StoreSettings};
pub use crate::store_name::StoreName;
pub use crate::table_names::TableNameSettings;
pub use crate::unknown::UnknownVariable;
pub use flag_store_embedded::{WriterPriority, ignore_sigxfsz, run_at_idle_priority};

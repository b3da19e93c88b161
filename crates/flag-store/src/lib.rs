//! How flags are kept: row keys, cells, and the protocol that appends revisions without losing any.
//!
//! Knows no vendor: a backend is whatever implements [`RowStore`]. Start with [`FlagStore`].
mod ahead;
mod announce;
mod append;
mod clock;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod exposures;
mod flags;
mod forget;
mod head;
mod instance_names;
pub mod literal;
#[cfg(any(test, feature = "conformance"))]
pub mod memory;
mod newest;
mod options;
mod pages;
mod port;
mod presence;
mod row_key;
mod sql;
mod step_back;
mod stored;
mod survey;

pub use crate::ahead::RowAhead;
pub use crate::append::{AppendError, Base};
pub use crate::clock::{Clock, SystemClock};
pub use crate::exposures::{Exposure, ExposureStore, StoredExposure, WriteExposureError};
pub use crate::flags::{FlagEntry, FlagStore, ReadError};
pub use crate::forget::InstanceExposures;
pub use crate::head::{ChangeMark, HeadState, Heads};
pub use crate::instance_names::InstanceNames;
pub use crate::newest::NewestRow;
pub use crate::options::{RowOptions, Spelling};
pub use crate::pages::{Pages, project_rows};
pub use crate::port::{
    BoxError, BoxFuture, Cells, Columns, CompareAndSet, Expected, Insert, Order, Row, RowStore,
    Scan, StoreError, Table,
};
pub use crate::presence::{Place, Present};
pub use crate::row_key::{FlagRowKey, RowType};
pub use crate::sql::{Pattern, TableNames, sql};
pub use crate::step_back::step_back;
pub use crate::stored::{
    FAMILY, Oddity, UnreadableRow, check_exposure, decode_metadata, decode_revision,
    encode_metadata, encode_revision,
};
pub use crate::survey::{FlagRow, Inspection, Projects};

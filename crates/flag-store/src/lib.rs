//! How flags are kept: row keys, cells, and the protocol that appends revisions without losing any.
//!
//! Calls no vendor's store: a backend is whatever implements the two ports, [`RowStore`] for flags and [`ExposureLog`] for the
//! decisions that were served. Only [`sql()`] writes for one, Bigtable Studio;
//! keys are as long as Bigtable takes them. Start with [`FlagStore`].
mod ahead;
mod append;
mod clock;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod counts_rows;
mod exposure_batch;
mod exposure_block;
mod exposure_counts;
mod exposure_log;
mod exposure_recent;
mod exposure_rows;
mod exposures;
mod flags;
mod forget;
mod head;
mod history_check;
mod inspection;
mod instance_id_mode;
mod instance_set;
pub mod literal;
#[cfg(any(test, feature = "conformance"))]
pub mod memory;
mod newest;
mod options;
mod pages;
mod presence;
mod publish_copied;
mod replicas;
mod rollback_path;
mod row_hash;
mod row_key;
mod rows;
#[cfg(any(test, feature = "conformance"))]
pub mod scripted;
mod sql;
mod store_error;
mod stored;

pub use crate::ahead::RowAhead;
pub use crate::append::{AppendError, Base};
pub use crate::clock::{Clock, SystemClock};
pub use crate::exposure_batch::{
    BatchEntry, BatchId, ExposureBatch, ExposureTemplate, TemplateIndex,
};
pub use crate::exposure_block::{
    BlockError, Blocks, ExposureBlock, decode_block, may_hold, without_instance,
};
pub use crate::exposure_counts::{
    CountKey, CountsSum, CountsWriterId, MAX_ENTRIES_PER_MINUTE, Minute, MinuteCounts,
    exposures_by_group,
};
pub use crate::exposure_log::{
    AppendResult, BatchPage, Cursor, ExposureLog, ExposurePage, ExposureQuery, ExposureScope,
    NewestExposures, PAGE, Remains, TimeRange, UnreadableBatch, newest_readable,
};
pub use crate::exposure_recent::key_hash;
pub use crate::exposure_rows::ExposureRows;
pub use crate::exposures::{Exposure, ExposureRecord, ExposureText, WriteExposureError};
pub use crate::flags::{FlagEntry, FlagStore, ReadError};
pub use crate::forget::{InstanceExposures, instance_in_rows};
pub use crate::head::{ChangeMark, HeadCell, HeadRow, ProjectDigest};
pub use crate::history_check::{Break, Broken, HistoryCheck, LateRow};
pub use crate::inspection::{FlagRow, Inspection, Projects};
pub use crate::instance_id_mode::InstanceIdMode;
pub use crate::instance_set::{Full, InstanceSet};
pub use crate::newest::RowInForce;
pub use crate::options::{CellFormat, RowOptions};
pub use crate::pages::{Pages, project_rows};
pub use crate::presence::{FlagPage, FlagPrefix};
pub use crate::replicas::{
    KnownReplicas, Replica, ServedRevisions, known_replicas, replicas, report, served_revisions,
    withdraw_projects, withdraw_replica,
};
pub use crate::rollback_path::RollbackPath;
pub use crate::row_hash::RowHash;
pub use crate::row_key::{
    FlagRowKey, ReplicaId, RowType, flag_of_exposure_prefix, prefix_and_time,
};
pub use crate::rows::{
    BoxFuture, Cells, Columns, CompareAndSet, Expected, Insert, Order, Row, RowStore, Scan,
    TimestampedRow,
};
pub use crate::sql::{Pattern, TableNames, sql};
pub use crate::store_error::{BoxError, StoreError};
pub use crate::stored::{
    EntryEncoder, FAMILY, Link, Oddity, UnreadableRow, check_exposure, decode_metadata,
    decode_revision, encode_metadata, encode_revision,
};

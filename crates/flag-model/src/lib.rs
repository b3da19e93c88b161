//! What a flag is: names, values, percentages, and revisions that cannot be built wrong.
//!
//! Knows no I/O, no clock, and no format that anything is stored or sent in.
//! Start with [`Revision`]: whoever holds one holds valid answers for every instance.
mod backoff;
mod bucket;
mod flag;
mod hash_algorithm;
mod invalid;
mod metadata;
mod name;
mod percent;
mod revision;
mod time;
mod treatment;
mod value;

pub use crate::backoff::{Backoff, Jitter};
pub use crate::bucket::{BUCKETS, Bucket, BucketRange};
pub use crate::flag::{FlagKey, FlagType};
pub use crate::hash_algorithm::{HashAlgorithm, InvalidHashAlgorithm};
pub use crate::invalid::{Invalid, quoted};
pub use crate::metadata::{Metadata, MetadataParts};
pub use crate::name::{FlagName, InstanceId, NewName, OwnerId, ProjectName, Salt, TreatmentName};
pub use crate::percent::{InvalidPercent, Percent};
pub use crate::revision::{
    AlgorithmSource, CONTROL_GROUP, Format, FormatVersion, InvalidRevision, Repeated, Revision,
    RevisionParts,
};
pub use crate::time::{Date, Timestamp, TimestampText};
pub use crate::treatment::Treatment;
pub use crate::value::FlagValue;

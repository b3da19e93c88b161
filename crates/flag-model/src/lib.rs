//! What a flag is: names, values, percentages, and revisions, each valid by construction; and how long those who use flags
//! wait before they try again.
//!
//! Knows no I/O, no clock, and no format of storage or wire.
//! Start with [`Revision`], which has a valid answer for every instance.
mod backoff;
mod bucket;
mod causes;
mod flag;
mod hash_algorithm;
mod invalid;
mod metadata;
mod name;
mod percent;
mod reason;
mod revision;
mod time;
mod treatment;
mod value;

pub use crate::backoff::{Backoff, Jitter};
pub use crate::bucket::{BUCKETS, Bucket, BucketRange};
pub use crate::causes::with_causes;
pub use crate::flag::{FlagKey, FlagType};
pub use crate::hash_algorithm::{HashAlgorithm, InvalidHashAlgorithm};
pub use crate::invalid::{Invalid, quoted};
pub use crate::metadata::{Metadata, MetadataParts, RETIRED_TAG};
pub use crate::name::{FlagName, InstanceId, NewName, OwnerId, ProjectName, Salt, TreatmentName};
pub use crate::percent::{InvalidPercent, Percent};
pub use crate::reason::Reason;
pub use crate::revision::{
    AlgorithmSource, BucketScheme, CONTROL_GROUP, DuplicateOverride, FormatVersion,
    InvalidRevision, Revision, RevisionParts,
};
pub use crate::time::{Date, Timestamp, TimestampText};
pub use crate::treatment::Treatment;
pub use crate::value::FlagValue;

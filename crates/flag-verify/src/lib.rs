//! Decides logged exposures again by the revisions that they name, and compares.
//!
//! Knows no vendor, no HTTP and no terminal: reads through the two ports of `flag-store`, decides with `flag-rollout`. Start
//! with [`Verification`] for a whole log, and with [`recheck_around`] for one instance.
mod around;
mod check;
mod checkpoint;
mod fault;
mod fingerprints;
mod ids;
mod lag;
mod logged;
mod report;
mod revisions;
mod suspects;
mod verification;
mod verifier;

pub use crate::around::{RecheckedExposure, all_agree, recheck_around};
pub use crate::check::{Comparison, Difference};
pub use crate::checkpoint::{CheckpointError, VerificationScope};
pub use crate::fault::{Fault, FaultKind};
pub use crate::ids::KnownIds;
pub use crate::lag::Lag;
pub use crate::report::{FlagReport, Report, RevisionSampleRatio};
pub use crate::verification::{Verification, VerifyError};

//! Decides which value an instance receives, tells what a change of a revision does, and checks that exposures are split
//! as configured.
//!
//! Pure: no I/O, no clock, no randomness, no allocation while deciding. Knows neither HTTP nor storage.
//! Start with [`Plan`] and [`decide`]. Laws, each kept by the property test of that name in `tests/it/laws.rs`:
//! - `equal_inputs_decide_equally`
//! - `raising_a_percentage_moves_nobody_out`
//! - `growing_treatments_keep_whom_they_have`
//! - `re_weighting_moves_the_fewest`
//! - `nobody_moves_between_two_treatments`
//! - `an_override_beats_every_percentage`
mod bucket_impact;
mod change_impact;
mod decide;
mod equivalence;
mod hash;
mod next;
mod overrides;
mod plan;
mod ranges;
mod risk;
mod sample_ratio;

pub use crate::bucket_impact::BucketImpact;
pub use crate::change_impact::ChangeImpact;
pub use crate::decide::{Decision, decide, decide_with};
pub use crate::equivalence::{Allocation, are_equivalent};
pub use crate::hash::{bucket, hash_point};
pub use crate::next::{assign_buckets, rolled_back, switched_off, with_percent};
pub use crate::plan::Plan;
pub use crate::ranges::{consecutive, groups, reweight};
pub use crate::risk::Risk;
pub use crate::sample_ratio::{GroupRatio, RatioResult, SampleRatio};

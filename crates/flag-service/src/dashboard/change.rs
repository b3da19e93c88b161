//! Changes of flags in an emergency: roll back, set a percentage, switch off.
//!
//! Knows no page: [`Wanted`] is what somebody wants, [`plan()`] what it does to the flag as it is, [`append()`] carries it out.
mod append;
mod plan;
mod seen;
mod state;
mod wanted;

pub(super) use self::append::{NotAppended, append};
pub(super) use self::plan::{NoPlan, Planned, plan};
pub(super) use self::seen::{NotCounted, SeenInstances, seen_instances};
pub(super) use self::state::{FlagState, SEARCHED};
pub(super) use self::wanted::{Kind, Wanted};

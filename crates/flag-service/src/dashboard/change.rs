//! Changes of flags in an emergency: roll back, set a percentage, switch off.
//!
//! Knows no page: [`Wanted`] is what somebody wants, [`next_revision()`] what it makes of the flag as it is, [`append()`] carries it
//! out.
mod append;
mod next_revision;
mod seen;
mod state;
mod wanted;

pub(super) use self::append::{NotAppended, append};
pub(super) use self::next_revision::{NextRevision, NoNextRevision, next_revision};
pub(super) use self::seen::{NotCounted, SeenInstances, seen_instances};
pub(super) use self::state::{FlagState, SEARCHED};
pub(super) use self::wanted::{Kind, Wanted};

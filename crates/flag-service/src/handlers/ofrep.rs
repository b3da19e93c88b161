//! OpenFeature's Remote Evaluation Protocol (OFREP) 0.3.0: one flag, or all flags of a project, for an instance.
mod bulk;
mod context;
mod events;
#[cfg(test)]
mod fuzzed;
mod item;
mod key;
mod request;
mod single;

pub(super) use self::bulk::evaluate_flags;
pub(super) use self::events::events;
pub(super) use self::single::evaluate_flag;

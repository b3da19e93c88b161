//! Compares what was served with what a revision decides.

use flag_model::{Bucket, FlagValue, InstanceId, Reason};
use flag_rollout::{Decision, decide};

use crate::ids::KnownIds;
use crate::revisions::CompiledRevision;

/// The length of an HMAC-SHA-256 in hexadecimal, as which ids are logged if they are hashed.
const HASHED_LENGTH: usize = 64;

/// A decision that was served, as far as it is logged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LoggedDecision<'a> {
    pub(crate) instance: &'a InstanceId<'a>,
    pub(crate) value: &'a FlagValue,
    pub(crate) group: &'a str,
    pub(crate) reason: Option<Reason>,
    pub(crate) bucket: Option<Bucket>,
}

/// What deciding an exposure again says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// The revision decides the same.
    Agrees,
    /// The revision decides otherwise.
    Differs(Difference),
    /// The id is hashed, and the key or the id is unknown; what is logged could have been decided.
    Hashed,
    /// The exposure names no revision, as those of the Python framework and of some callers.
    WithoutRevision,
    /// The flag has no such revision.
    UnknownRevision,
    /// The row of the revision cannot be read.
    UnreadableRevision,
}

/// The first column in which an exposure differs from the decision of its revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The column.
    pub column: &'static str,
    /// What is logged.
    pub logged: String,
    /// What the revision decides.
    pub decided: String,
}

/// Decides an exposure again by its revision, and compares.
///
/// What is not logged is not compared. `delivered` is a reason that any rule may have had.
pub(crate) fn check(
    revision: &CompiledRevision,
    served: &LoggedDecision<'_>,
    ids: &KnownIds,
) -> Comparison {
    if is_hashed(served) && !revision.overrides(served.instance) {
        return match revision.resolve(served.instance, ids) {
            Some(instance) => compared(&decide(revision.plan(), instance), served),
            None => check_hashed(revision, served, ids),
        };
    }
    compared(&decide(revision.plan(), served.instance), served)
}

fn compared(decision: &Decision<'_>, served: &LoggedDecision<'_>) -> Comparison {
    let is_same_reason = served
        .reason
        .is_none_or(|reason| reason == decision.reason || reason == Reason::Delivered);
    let is_same_bucket = served.bucket.is_none() || served.bucket == decision.bucket;
    if decision.value == served.value
        && decision.rollout_group == served.group
        && is_same_reason
        && is_same_bucket
    {
        return Comparison::Agrees;
    }
    Comparison::Differs(difference(decision, served, is_same_reason))
}

#[cold]
fn difference(
    decision: &Decision<'_>,
    served: &LoggedDecision<'_>,
    is_same_reason: bool,
) -> Difference {
    let of = |column, logged: String, decided: String| Difference {
        column,
        logged,
        decided,
    };
    let bucket = |bucket: Option<Bucket>| {
        bucket.map_or_else(|| "no bucket".to_owned(), |bucket| bucket.to_string())
    };
    if decision.value != served.value {
        let (logged, decided) = (served.value.to_string(), decision.value.to_string());
        return of("AssignedValue", logged, decided);
    }
    if decision.rollout_group != served.group {
        let (logged, decided) = (served.group, decision.rollout_group);
        return of("AssignedGroup", logged.to_owned(), decided.to_owned());
    }
    if !is_same_reason {
        let logged = served.reason.map_or("", Reason::as_str);
        return of("Reason", logged.to_owned(), decision.reason.to_string());
    }
    of("Bucket", bucket(served.bucket), bucket(decision.bucket))
}

/// Whether the id looks hashed: such exposures have no bucket.
fn is_hashed(served: &LoggedDecision<'_>) -> bool {
    let id = served.instance.as_str().as_bytes();
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    served.bucket.is_none() && id.len() == HASHED_LENGTH && id.iter().all(is_digit)
}

/// Whether any instance could have been served this.
fn check_hashed(
    revision: &CompiledRevision,
    served: &LoggedDecision<'_>,
    ids: &KnownIds,
) -> Comparison {
    let differs = |column, logged: &str, decided: &str| {
        Comparison::Differs(Difference {
            column,
            logged: logged.to_owned(),
            decided: decided.to_owned(),
        })
    };
    let Some((treatment, value)) = revision.group(served.group) else {
        return differs("AssignedGroup", served.group, "no such group");
    };
    if value != served.value {
        let (logged, decided) = (served.value.to_string(), value.to_string());
        return differs("AssignedValue", &logged, &decided);
    }
    let is_overridden = served.reason == Some(Reason::Override);
    if is_overridden && ids.has_key() {
        return differs("Reason", "override", "no override list has the id");
    }
    let is_possible = match served.reason {
        Some(Reason::Control) => treatment.is_none(),
        Some(Reason::Rollout | Reason::Override) => treatment.is_some(),
        Some(Reason::Delivered) | None => true,
    };
    if is_possible {
        return Comparison::Hashed;
    }
    let logged = served.reason.map_or("", Reason::as_str);
    differs("Reason", logged, "another reason for this group")
}

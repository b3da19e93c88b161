//! Mutants that survive because they behave like the original, each with the reason.
//!
//! A mutant that survives twice in a function is listed twice.

/// The name of a mutant without line and column, and why it is equivalent.
pub(super) const EQUIVALENT: &[(&str, &str)] = &[
    (
        "crates/flag-keys/src/fingerprint.rs: replace | with ^ in Fingerprint::parse",
        "the two digits of a byte have no bit in common",
    ),
    (
        "crates/flag-model/src/bucket.rs: replace - with + in Bucket::of_position",
        "a quotient below the number of buckets always fits, so the fallback is never used",
    ),
    (
        "crates/flag-model/src/bucket.rs: replace - with / in Bucket::of_position",
        "a quotient below the number of buckets always fits, so the fallback is never used",
    ),
    (
        "crates/flag-keys/src/on_disk.rs: replace | with ^ in lock",
        "the two flags have no bit in common",
    ),
    (
        "crates/flag-store/src/append/steps.rs: replace < with <= in Append<'_>::pending",
        "where both are equal the row is found by the comparison that comes first",
    ),
    (
        "crates/flag-store/src/append/steps.rs: replace match guard attempt == 0 with false in Append<'_>::claim",
        "the head row is read once more, and cannot hold the claim of the first attempt, which was not carried out",
    ),
    (
        "crates/flag-store/src/append/steps.rs: replace match guard now.as_deref() != head with false in Append<'_>::claim",
        "the next attempt compares the same cell, and ends in the same way",
    ),
    (
        "crates/flag-store/src/append/steps.rs: replace < with <= in Append<'_>::claim",
        "differs at one instant, five seconds after the claim, at which either way is right",
    ),
    (
        "crates/flag-store/src/append/steps.rs: replace > with >= in Append<'_>::insert",
        "differs at one instant, 15 s after the claim and 15 s before it may be taken over: either way is right",
    ),
];

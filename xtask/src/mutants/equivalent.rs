//! Mutants that survive because nobody can tell them from the original, each with its reason.
//!
//! A mutant that survives twice in a function stands here twice.

/// The name of a mutant without line and column, and why it is equivalent.
pub(super) const EQUIVALENT: &[(&str, &str)] = &[
    (
        "crates/flag-keys/src/fingerprint.rs: replace | with ^ in Fingerprint::parse",
        "the two digits of a byte have no bit in common",
    ),
    (
        "crates/flag-keys/src/on_disk.rs: replace | with ^ in lock",
        "the two flags have no bit in common",
    ),
];

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
        "crates/flag-model/src/bucket.rs: replace - with + in Bucket::of_hash_point",
        "a quotient below the number of buckets always fits, so the fallback is never used",
    ),
    (
        "crates/flag-model/src/bucket.rs: replace - with / in Bucket::of_hash_point",
        "a quotient below the number of buckets always fits, so the fallback is never used",
    ),
    (
        "crates/flag-keys/src/on_disk.rs: replace | with ^ in lock",
        "the two flags have no bit in common",
    ),
    (
        "crates/flag-store/src/append/steps.rs: replace < with <= in Append<'_>::unwritten_claim",
        "where both are equal the row is found by the comparison that comes first",
    ),
    (
        "crates/flag-store/src/row_key/exposure.rs: replace + with * in check_exposure_key",
        "an estimate that is too high only has the key written to see how long it is",
    ),
    (
        "crates/flag-store/src/row_key/exposure.rs: replace + with * in check_exposure_key",
        "an estimate that is too high only has the key written to see how long it is",
    ),
    (
        "crates/flag-store/src/row_key/exposure.rs: replace + with * in check_exposure_key",
        "an estimate that is too high only has the key written to see how long it is",
    ),
    (
        "crates/flag-store/src/literal/dict.rs: replace are_distinct -> bool with false",
        "few keys are then compared by their hashes, with the same result",
    ),
    (
        "crates/flag-store/src/literal/error.rs: replace + with * in token",
        "no character behind those that are shown changes what is shown",
    ),
    (
        "crates/flag-runtime/src/flags/cache.rs: replace match guard entry.is_fresh(now) with false in FlagCache::get_or_read",
        "a fresh flag is then served by the function for those that are due, from memory and without a read",
    ),
    (
        "crates/flag-runtime/src/flags/watched_projects.rs: replace && with || in WatchedProjects::watch_for_a_while",
        "projects whose time is over may be dropped earlier; there is room for the others either way",
    ),
    (
        "crates/flag-runtime/src/flags/watcher.rs: replace < with <= in watch",
        "at that very instant a subscription may be handled before the poll or after it",
    ),
    (
        "crates/flag-runtime/src/exposures/chunk.rs: replace * with +",
        "a constant says how much memory a chunk begins with, and it grows if that is too little",
    ),
    (
        "crates/flag-runtime/src/exposures/chunk.rs: replace * with /",
        "a constant says how much memory a chunk begins with, and it grows if that is too little",
    ),
];

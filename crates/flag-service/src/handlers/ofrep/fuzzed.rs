//! Runs the checks of the fuzz target on the requests that are kept for it; see `fuzz/README.md`.

use std::fs;

use super::{context, key};

#[path = "../../../../../fuzz/fuzz_targets/ofrep_checks.rs"]
mod ofrep_checks;

#[test]
fn the_corpus_holds_no_surprise() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/ofrep");
    let mut requests = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        println!("{}", path.display());
        ofrep_checks::check(&fs::read(path).unwrap());
        requests += 1;
    }
    assert!(requests > 20, "only {requests} requests");
}

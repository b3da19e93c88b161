//! Runs the checks of the fuzz target on the texts that are kept for it; see `fuzz/README.md`.

use std::fs;

#[path = "../../../../fuzz/fuzz_targets/literal_checks.rs"]
mod literal_checks;

#[test]
fn the_corpus_holds_no_surprise() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/literal");
    let mut texts = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        println!("{}", path.display());
        literal_checks::check(&fs::read_to_string(path).unwrap());
        texts += 1;
    }
    assert!(texts > 60, "only {texts} texts");
}

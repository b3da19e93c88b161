//! Hands whatever the fuzzer makes up to the readers of plain values.
#![no_main]

mod literal_checks;

use libfuzzer_sys::{Corpus, fuzz_target};

fuzz_target!(|data: &[u8]| -> Corpus {
    match std::str::from_utf8(data) {
        Ok(text) => {
            literal_checks::check(text);
            Corpus::Keep
        }
        Err(_) => Corpus::Reject,
    }
});

//! Hands whatever the fuzzer makes up to the readers of requests of OFREP.
#![no_main]

#[path = "../../crates/flag-service/src/handlers/ofrep/context.rs"]
mod context;
#[path = "../../crates/flag-service/src/handlers/ofrep/key.rs"]
mod key;
mod ofrep_checks;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|request: &[u8]| ofrep_checks::check(request));

//! What serde alone allows, for `cargo xtask bench`: reads a bulk answer of OFREP from a file, writes it again and again into
//! memory that is there, and prints how often a second.
#![expect(clippy::print_stdout, reason = "an example for measurements")]

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};
use std::{env, fs};

use flag_api::OfrepFlags;

/// How long it writes for.
const WRITTEN_FOR: Duration = Duration::from_secs(1);

fn main() -> Result<(), Box<dyn Error>> {
    let path = env::args_os().nth(1).ok_or("expected a file")?;
    let bytes = fs::read(path)?;
    let answer: OfrepFlags<'_> = serde_json::from_slice(&bytes)?;
    let mut into = Vec::with_capacity(bytes.len());
    let (began, mut written) = (Instant::now(), 0_u32);
    while began.elapsed() < WRITTEN_FOR {
        into.clear();
        serde_json::to_writer(&mut into, black_box(&answer))?;
        black_box(&into);
        written += 1;
    }
    let rate = f64::from(written) / began.elapsed().as_secs_f64();
    if into != bytes {
        return Err("other bytes are written".into());
    }
    println!("{rate:.0}");
    Ok(())
}

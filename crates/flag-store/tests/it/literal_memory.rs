//! What a text can take of the memory while it is read, whatever it holds.

use allocation_counter::measure;
use flag_store::literal::{MAX_BYTES, MAX_VALUES, parse};

/// The most bytes that a value may take: its own, and those that its list or dict keeps free for more of them.
const OF_A_VALUE: usize = 150;

#[test]
fn the_densest_texts_take_bounded_memory() {
    for (unit, values) in [("[0,0]", 3), ("{\"\":0,\"a\":0}", 3), ("'\\n'", 1)] {
        let units = vec![unit; (MAX_VALUES - 1) / values];
        check(&format!("[{}]", units.join(",")));
    }
    let keys: Vec<String> = (0..MAX_VALUES - 1)
        .map(|key| format!("'{key:x}':0"))
        .collect();
    check(&format!("{{{}}}", keys.join(",")));
    check(&format!("'{}'", "\\n".repeat(MAX_BYTES / 2 - 1)));
}

#[track_caller]
fn check(text: &str) {
    let mut is_read = false;
    let taken = measure(|| is_read = parse(text).is_ok()).bytes_max;
    let shown: String = text.chars().take(20).collect();
    println!("{} MiB for {shown}…", taken >> 20);
    assert!(is_read, "{shown}");
    let max = OF_A_VALUE * MAX_VALUES;
    assert!(
        taken <= u64::try_from(max).unwrap(),
        "{taken} bytes for {shown}…"
    );
}

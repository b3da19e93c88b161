//! Measures how long texts take to read: `cargo bench -p flag-store --bench literal [PART OF A NAME]`.
//!
//! Prints the quickest and the middle one of several rounds, in milliseconds per MiB of text, freeing the value
//! included; small texts are read again and again. From `zeros` on, the texts are as dense as they can be: a value
//! for every few bytes, so that memory is what takes the time.
#![expect(clippy::print_stdout, reason = "the figures are its output")]

use std::fmt::Write;
use std::hint::black_box;
use std::time::{Duration, Instant};

use flag_store::literal::parse;

const MIB: usize = 1024 * 1024;

const ROUNDS: usize = 31;

/// A name, and what builds the text.
type Case = (&'static str, fn() -> String);

const CASES: [Case; 21] = [
    ("run configuration, Python", || RUN_CONFIGURATION.to_owned()),
    ("run configuration, JSON", || as_json(RUN_CONFIGURATION)),
    ("treatments, Python", || {
        repeated("[", TREATMENT, ", ", "]", 3)
    }),
    ("treatments, JSON", || {
        as_json(&repeated("[", TREATMENT, ", ", "]", 3))
    }),
    ("100,000 overrides, Python", || overrides('\'', "True")),
    ("100,000 overrides, JSON", || overrides('"', "true")),
    ("100,000 overrides, mixed", || overrides('"', "True")),
    ("a mistake at the end", || overrides('"', "?")),
    ("one text", || repeated("'", "a", "", "'", MIB)),
    ("escapes, Python", || repeated("'", "\\n", "", "'", MIB)),
    ("escapes, JSON", || {
        repeated("\"", "\\ud83d\\ude00", "", "\"", MIB)
    }),
    ("12,000 treatments, Python", || {
        repeated("[", TREATMENT, ", ", "]", 12_000)
    }),
    ("12,000 treatments, JSON", || {
        as_json(&repeated("[", TREATMENT, ", ", "]", 12_000))
    }),
    ("zeros", || dense("0")),
    ("decimals", || dense("33.5")),
    ("decimals of 17 digits", || dense("0.12345678901234567")),
    ("hexadecimal numbers", || dense("0xff")),
    ("empty texts", || dense("''")),
    ("lists in a list", || dense("[0]")),
    ("dicts in a list", || dense("{'a': 0}")),
    ("distinct keys", distinct_keys),
];

const RUN_CONFIGURATION: &str = "{'Name': 'multi_step_api_router', 'Type': 'FEATURE', 'FormatVersion': 1, \
    'ControlValue': False, 'Comment': 'Rollout to 40%', 'OwnerID': 'John Smith', 'Treatments': \
    [{'OverrideList': ['A12345'], 'PercentRollout':40, 'Value': True}]}";

const TREATMENT: &str =
    "{'OverrideList': ['A12345', 'B67890', 'C00001'], 'PercentRollout': 40, 'Value': True}";

fn main() {
    let wanted = std::env::args().skip(1).find(|word| !word.starts_with('-'));
    println!("quickest  middle  ms/MiB");
    for (name, text) in CASES {
        if wanted.as_ref().is_none_or(|wanted| name.contains(wanted)) {
            measure(name, &text());
        }
    }
}

fn measure(name: &str, text: &str) {
    let times = (MIB / text.len()).max(1);
    let mut rounds: Vec<Duration> = (0..ROUNDS).map(|_| time(text, times)).collect();
    rounds.sort_unstable();
    #[expect(clippy::cast_precision_loss, reason = "a few MiB")]
    let mib = (text.len() * times) as f64 / MIB as f64;
    let per_mib =
        |round: Option<&Duration>| round.map_or(0.0, |time| time.as_secs_f64() * 1e3 / mib);
    let quickest = per_mib(rounds.first());
    let middle = per_mib(rounds.get(ROUNDS / 2));
    println!("{quickest:8.2} {middle:7.2}  {name}");
}

fn time(text: &str, times: usize) -> Duration {
    let start = Instant::now();
    for _ in 0..times {
        drop(black_box(parse(black_box(text))));
    }
    start.elapsed()
}

/// A text of so many units, but of no more than a MiB.
fn repeated(first: &str, unit: &str, between: &str, last: &str, most: usize) -> String {
    let count = (MIB / (unit.len() + between.len())).min(most);
    [first, &vec![unit; count].join(between), last].concat()
}

/// A list of as many values as a MiB holds, but of no more than half as many as are read.
fn dense(unit: &str) -> String {
    repeated("[", unit, ",", "]", 200_000)
}

fn as_json(python: &str) -> String {
    let json = python.replace('\'', "\"").replace("True", "true");
    json.replace("False", "false")
}

fn overrides(quote: char, value: &str) -> String {
    let ids: Vec<String> = (0..100_000)
        .map(|id| format!("{quote}A{id:05}{quote}"))
        .collect();
    let ids = ids.join(", ");
    format!("[{{{quote}OverrideList{quote}: [{ids}], {quote}Value{quote}: {value}}}]")
}

fn distinct_keys() -> String {
    let mut text = String::from("{");
    for key in 0..80_000 {
        let _ = write!(text, "'{key:x}': 0, ");
    }
    text + "}"
}

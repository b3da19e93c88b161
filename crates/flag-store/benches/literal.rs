//! Measures how long texts take to read: `cargo bench -p flag-store --bench literal [PART OF A NAME]`.
//!
//! Prints the quickest and the middle one of several rounds, in milliseconds per MiB of text, freeing the value
//! included; small texts are read again and again. From `zeros` on, most texts are as dense as they can be: a value
//! for every few bytes.
#![expect(clippy::print_stdout, reason = "the figures are its output")]

use std::fmt::Write;
use std::hint::black_box;
use std::time::{Duration, Instant};

use flag_store::literal::{MAX_DEPTH, parse};

const MIB: usize = 1024 * 1024;

const ROUNDS: usize = 31;

/// A name, and what builds the text.
type Case = (&'static str, fn() -> String);

const CASES: &[Case] = &[
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
    ("a mistake at the end, Python", || overrides('\'', "?")),
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
    ("zeros, a mistake at the end", || dense("0") + "?"),
    ("zeros before blanks", || dense("0 ")),
    ("zeros with underscores", || dense("0_0")),
    ("negative numbers", || dense("-1")),
    ("signs before blanks", || dense("- 1")),
    ("long numbers", || dense("12345678901234567890")),
    ("booleans, Python", || dense("True")),
    ("booleans, JSON", || dense("true")),
    ("points", || dense(".5")),
    ("exponents", || dense("1e9")),
    ("exponents with zeros", || dense("1e00030")),
    ("decimals with underscores", || dense("1_0.5")),
    ("decimals between two floats", || {
        dense("9007199254740993.00000000000000000001")
    }),
    ("small decimals between two floats", || {
        dense("2.2250738585072011360574097967091319759348195463516456e-308")
    }),
    ("decimals", || dense("33.5")),
    ("decimals of 17 digits", || dense("0.12345678901234567")),
    ("hexadecimal numbers", || dense("0xff")),
    ("binary numbers", || dense("0b1")),
    ("empty texts", || dense("''")),
    ("empty texts, JSON", || dense("\"\"")),
    ("short texts, Python", || dense("'abc'")),
    ("short texts, JSON", || dense("\"abc\"")),
    ("texts before blanks", || dense("'a' ")),
    ("raw texts", || dense("r''")),
    ("raw texts with a backslash", || dense("r'\\a'")),
    ("escapes in short texts, Python", || dense("'\\n'")),
    ("escapes in short texts, JSON", || dense("\"\\n\"")),
    (
        "escapes that both read otherwise, a mistake at the end",
        || dense("\"\\/\"") + "?",
    ),
    ("escapes that both read otherwise, then Python", || {
        dense("\"\\/\"") + ",''"
    }),
    ("texts in threes of quotes", || dense("\"\"\"\"\"\"")),
    ("texts in a row", || repeated("[", "''", "", "]", MIB)),
    ("empty lists in a list", || dense("[]")),
    ("lists in a list", || dense("[0]")),
    ("lists in a list, a mistake at the end", || {
        dense("[0]") + "?"
    }),
    ("tuples in a list", || dense("(0,)")),
    ("values in brackets", || dense("(0)")),
    ("deep lists", || {
        let depth = MAX_DEPTH - 1;
        repeated(
            "[",
            &["[".repeat(depth), "]".repeat(depth)].concat(),
            ",",
            "]",
            3_000,
        )
    }),
    ("empty dicts in a list", || dense("{}")),
    ("dicts in a list", || dense("{'a': 0}")),
    ("dicts in a list, JSON", || dense("{\"\":0}")),
    ("dicts of 8 in a list", || dicts(8)),
    ("dicts of 9 in a list", || dicts(9)),
    ("distinct keys", || keys(80_000)),
    ("distinct short keys", || keys(4_096)),
    ("one key again and again", || {
        repeated("{", "'':0", ",", "}", 200_000)
    }),
    ("line ends", || repeated("[", "\n", "", "0]", MIB)),
    ("comments", || repeated("[", "#\n", "", "0]", MIB)),
    ("joined lines", || repeated("[", "\\\n", "", "0]", MIB)),
    ("lines, a mistake at the end", || {
        repeated("[", "0,\r\n", "", "?]", 200_000)
    }),
];

const RUN_CONFIGURATION: &str = "{'Name': 'multi_step_api_router', 'Type': 'FEATURE', 'FormatVersion': 1, \
    'ControlValue': False, 'Comment': 'Rollout to 40%', 'OwnerID': 'John Smith', 'Treatments': \
    [{'OverrideList': ['A12345'], 'PercentRollout':40, 'Value': True}]}";

const TREATMENT: &str =
    "{'OverrideList': ['A12345', 'B67890', 'C00001'], 'PercentRollout': 40, 'Value': True}";

fn main() {
    let wanted = std::env::args().skip(1).find(|word| !word.starts_with('-'));
    println!("quickest  middle  ms/MiB");
    for &(name, text) in CASES {
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
        let _ = black_box(parse(black_box(text)));
    }
    start.elapsed()
}

/// A text of `max` units, but of no more than a MiB.
fn repeated(first: &str, unit: &str, between: &str, last: &str, max: usize) -> String {
    let count = (MIB / (unit.len() + between.len())).min(max);
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

/// A dict of `count` keys, as dense as those keys can be.
fn keys(count: usize) -> String {
    let mut text = String::from("{");
    for key in 0..count {
        let _ = write!(text, "'{key:x}':0,");
    }
    text + "}"
}

/// A list of dicts of `keys_of_each` keys each.
fn dicts(keys_of_each: usize) -> String {
    let dict = keys(keys_of_each);
    repeated("[", &dict, ",", "]", 200_000 / keys_of_each)
}

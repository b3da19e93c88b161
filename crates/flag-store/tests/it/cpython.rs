//! Compares our reader of Python literals with the machine's `python3`, by 100,000 generated run configurations.
//!
//! What `ast.literal_eval` accepts must be read equally, and what it refuses must be refused; `judge.py` sorts out by
//! rule what we refuse by design. The texts are the same on every run.
mod spelling;
mod texts;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, BufWriter, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;

use flag_store::literal::{Literal, parse, parse_python};

use self::texts::Texts;

const TEXTS: u32 = 100_000;
const SEED: u64 = 3;

/// The first Python that bounds the digits of integers, as we do.
const OLDEST: [u32; 2] = [3, 11];

#[test]
fn a_run_configuration_is_read_as_cpython_reads_it() {
    let texts: Vec<String> = {
        let mut texts = Texts::new(SEED);
        (0..TEXTS).map(|_| texts.next_text()).collect()
    };
    let mut tally = Tally::default();
    judge("judge.py", &texts, |text, judgement| {
        tally.add(text, judgement);
    });
    println!("{tally:#?}");
    assert!(
        tally.differences.is_empty(),
        "{}",
        tally.differences.join("\n\n")
    );
    // Generated otherwise, the texts might be all alike, and the comparison say little.
    assert!(percent(tally.dicts) >= 40, "too few dicts that both read");
    assert!(
        percent(tally.refused) >= 20,
        "too few texts that both refuse"
    );
    let beyond = tally.beyond.values().sum();
    assert!(percent(beyond) <= 10, "too much that we refuse by design");
}

/// What became of the texts.
#[derive(Debug, Default)]
struct Tally {
    dicts: u32,
    other_values: u32,
    refused: u32,
    /// Refused by us by design.
    beyond: BTreeMap<String, u32>,
    differences: Vec<String>,
}

impl Tally {
    fn add(&mut self, text: &str, judgement: &str) {
        let ours = parse_python(text);
        let agree = match (judgement.split_once(' '), &ours) {
            (Some(("value", theirs)), Ok(value)) => {
                match value.literal {
                    Literal::Dict(_) => self.dicts += 1,
                    _ => self.other_values += 1,
                }
                theirs == canonical(value) && parse(text).is_ok()
            }
            (Some(("beyond", what)), Err(_)) => {
                *self.beyond.entry(what.to_owned()).or_default() += 1;
                true
            }
            (None, Err(_)) if judgement == "refused" => {
                self.refused += 1;
                true
            }
            _ => false,
        };
        if !agree && self.differences.len() < 10 {
            let ours = ours.map_or_else(|error| error.to_string(), |value| canonical(&value));
            self.differences
                .push(format!("text: {text:?}\nPython: {judgement}\nours: {ours}"));
        }
    }
}

/// How many percent of all texts these are.
fn percent(count: u32) -> u32 {
    count * 100 / TEXTS
}

/// Lets a script in Python judge all texts, one after the other.
fn judge(script: &str, texts: &[String], mut judged: impl FnMut(&str, &str)) {
    let mut python = start_python(script);
    let input = python.stdin.take().unwrap();
    let mut lines = BufReader::new(python.stdout.take().unwrap()).lines();
    thread::scope(|scope| {
        scope.spawn(|| send(texts, input));
        let version = lines.next().expect("the script says its version").unwrap();
        assert!(
            is_new_enough(&version),
            "Python {version} is older than {OLDEST:?}"
        );
        println!("Python {version}");
        for text in texts {
            let judgement = lines.next().expect("the script judges every text");
            judged(text, &judgement.unwrap());
        }
    });
    assert!(python.wait().unwrap().success());
}

fn start_python(script: &str) -> Child {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/cpython/");
    let mut command = Command::new("python3");
    command.args(["-I", "-S", &format!("{folder}{script}")]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command.spawn().unwrap_or_else(|error| {
        panic!("this test compares with CPython, and needs python3 on the PATH: {error}")
    })
}

/// Sends each text after its length.
fn send(texts: &[String], input: ChildStdin) {
    let mut input = BufWriter::new(input);
    for text in texts {
        let length = u32::try_from(text.len()).unwrap();
        input.write_all(&length.to_be_bytes()).unwrap();
        input.write_all(text.as_bytes()).unwrap();
    }
    input.flush().unwrap();
}

fn is_new_enough(version: &str) -> bool {
    let numbers = version
        .split('.')
        .map(|number| number.parse::<u32>().unwrap());
    numbers.take(2).ge(OLDEST)
}

/// Spells a value as `canonical` in `judge.py` does.
fn canonical(value: &Literal<'_>) -> String {
    let mut text = String::new();
    spell(value, &mut text);
    text
}

fn spell(value: &Literal<'_>, text: &mut String) {
    match value {
        Literal::Null => text.push('N'),
        Literal::Boolean(true) => text.push('T'),
        Literal::Boolean(false) => text.push('F'),
        Literal::Number(number) => {
            text.push(if number.is_integer() { 'i' } else { 'f' });
            text.push_str(&number.as_str());
        }
        Literal::Text(value) => spell_text(value, text),
        Literal::List(items) => {
            text.push('[');
            for item in items {
                spell(item, text);
                text.push(',');
            }
            text.push(']');
        }
        Literal::Dict(entries) => {
            text.push('{');
            for (key, value) in entries {
                spell_text(key, text);
                text.push(':');
                spell(value, text);
                text.push(',');
            }
            text.push('}');
        }
    }
}

fn spell_text(value: &str, text: &mut String) {
    text.push('s');
    for byte in value.bytes() {
        write!(text, "{byte:02x}").unwrap();
    }
}

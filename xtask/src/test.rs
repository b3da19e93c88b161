//! Every test, on any machine: gets an emulator, builds what the tests start, runs the runner.
use std::env;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::available_parallelism;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::airflow;
use crate::emulator::{self, Emulator};
use crate::foreground::{Foreground, cargo, has_cargo_plugin};
use crate::ofrep::Clients;

/// The crates and features that every command builds: the same, so that nothing is built twice.
const SELECTION: [&str; 2] = ["--workspace", "--all-features"];

/// A part of the path of every test that needs an emulator.
const ON_BIGTABLE: &str = "on_bigtable";

/// A part of the path of every test with a client of OpenFeature.
const ON_CLIENTS: &str = "ofrep_clients";

/// A part of the path of every test that needs root and mount namespaces.
const WITH_NAMESPACES: &str = "a_metadata_server_gives_tokens";

/// The binaries that the tests start as processes; they lie beside each other.
const STARTED: [&str; 2] = ["flag-service", "flagctl"];

/// How many tests nextest runs at once, and how many a processor is for: most wait longer than they compute.
const THREADS: &str = "NEXTEST_TEST_THREADS";
const TESTS_PER_PROCESSOR: usize = 2;

/// Which tests to run, and how.
#[derive(clap::Args, Default)]
pub(crate) struct Args {
    /// Leaves out the tests whose path contains `on_bigtable`, and needs no emulator
    #[arg(long)]
    without_bigtable: bool,
    /// Runs the DAG of deploy/composer too, in every Airflow it is made for: minutes, and the network at first
    #[arg(long, conflicts_with = "without_bigtable")]
    with_airflow: bool,
    /// Runs only tests whose path contains this
    filter: Option<String>,
    /// Handed to the runner: cargo-nextest if installed, else `cargo test`
    #[arg(last = true)]
    extra: Vec<String>,
}

/// Runs the tests. Fails if any fails.
pub(crate) fn run(args: &Args, foreground: &mut Foreground) -> Result<()> {
    let binary = if args.without_bigtable {
        None
    } else {
        Some(emulator::obtain(foreground)?)
    };
    let folder = build(foreground)?;
    let emulator = binary
        .as_deref()
        .map(|binary| Emulator::start(binary, 0))
        .transpose()?;
    let wants_clients =
        |filter: &String| ON_CLIENTS.contains(&**filter) || filter.contains(ON_CLIENTS);
    let clients = match &args.filter {
        Some(filter) if !wants_clients(filter) => None,
        _ => Some(Clients::obtain(foreground)?),
    };
    let runner = Runner {
        args,
        folder,
        clients: clients.as_ref(),
        emulator: emulator.as_ref().map(Emulator::address),
        emulator_binary: binary.as_deref(),
        has_namespaces: has_namespaces(),
    };
    runner.run(foreground)?;
    if let (true, Some(emulator)) = (args.with_airflow, &emulator) {
        airflow::run(&runner.folder, emulator.address(), foreground)?;
    }
    drop(emulator);
    for (test, why) in clients.iter().flat_map(Clients::missing) {
        println!("{test}… was LEFT OUT: {why}");
    }
    match binary {
        Some(binary) => println!("tests passed, Bigtable emulator: {}", binary.display()),
        None => println!("tests passed, but those against Bigtable were left out"),
    }
    if !has_namespaces() {
        println!("{WITH_NAMESPACES}… was left out: it needs root and mount namespaces");
    }
    if !runs("chromium") {
        println!("the stories of the dashboard in a browser were left out: there is no chromium");
    } else if !runs("npm") {
        println!("the accessibility of the dashboard was not checked: there is no npm");
    }
    Ok(())
}

/// Whether there is a program.
fn runs(program: &str) -> bool {
    let version = Command::new(program).arg("--version").output();
    version.is_ok_and(|version| version.status.success())
}

/// Whether a test may listen on port 80, and give a process files of its own.
fn has_namespaces() -> bool {
    let unshared = Command::new("unshare").args(["--mount", "true"]).output();
    let listening = TcpListener::bind("127.0.0.80:80");
    unshared.is_ok_and(|output| output.status.success())
        && !listening.is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
}

/// Runs a test with the folder of the binaries and the address of an emulator.
pub(crate) fn run_on_emulator(
    test: fn(&Path, &str, &mut Foreground) -> Result<()>,
    foreground: &mut Foreground,
) -> Result<()> {
    let binary = emulator::obtain(foreground)?;
    let folder = build(foreground)?;
    let emulator = Emulator::start(&binary, 0)?;
    test(&folder, emulator.address(), foreground)
}

/// Builds all that the runner will run, and tells where the binaries are.
///
/// Tests and binaries are built by one command, as the tests' dependencies switch on features: built alone,
/// the binaries' dependencies would be compiled a second time without them.
pub(crate) fn build(foreground: &mut Foreground) -> Result<PathBuf> {
    let mut folder = None;
    foreground.run_reading(
        cargo()
            .arg("build")
            .args(SELECTION)
            .args(STARTED.map(|binary| format!("--bin={binary}")))
            .args([
                "--examples",
                "--tests",
                "--message-format=json-render-diagnostics",
            ]),
        |message| folder = folder.take().or_else(|| folder_of_binary(message)),
    )?;
    folder.context("cargo does not say where it put the binaries")
}

/// Reads the binary's folder from the message that cargo prints when it is built.
fn folder_of_binary(message: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(message).ok()?;
    let started = STARTED.contains(&message.pointer("/target/name")?.as_str()?)
        && message.pointer("/target/kind/0")? == "bin"
        && message.pointer("/profile/test")? == false;
    let executable = message.pointer("/executable")?.as_str()?;
    started.then(|| PathBuf::from(executable).parent().map(PathBuf::from))?
}

/// The arguments for the test runner.
struct Runner<'a> {
    args: &'a Args,
    folder: PathBuf,
    /// The clients of OpenFeature; `None` if the filter leaves their tests out.
    clients: Option<&'a Clients>,
    emulator: Option<&'a str>,
    emulator_binary: Option<&'a Path>,
    has_namespaces: bool,
}

impl Runner<'_> {
    fn run(&self, foreground: &mut Foreground) -> Result<()> {
        if !has_cargo_plugin("nextest") {
            return self.run_cargo_test(foreground);
        }
        // Nextest runs no documentation tests. They go first, so that its summary comes last.
        let documentation = if self.args.filter.is_none() && self.args.extra.is_empty() {
            foreground.run(self.cargo(["test", "--doc"]).args(SELECTION))
        } else {
            Ok(())
        };
        foreground.check()?;
        let mut nextest = self.cargo(["nextest", "run"]);
        nextest
            .args(SELECTION)
            .arg("--no-fail-fast")
            .args(self.arguments());
        if env::var_os(THREADS).is_none() {
            let processors = available_parallelism().map_or(1, NonZero::get);
            nextest.env(THREADS, (TESTS_PER_PROCESSOR * processors).to_string());
        }
        foreground.run(&mut nextest)?;
        documentation
    }

    fn run_cargo_test(&self, foreground: &mut Foreground) -> Result<()> {
        let mut tally = Tally::default();
        let tested = foreground.run_reading(
            self.cargo(["test", "--no-fail-fast"])
                .args(SELECTION)
                .args(self.arguments()),
            |line| {
                println!("{line}");
                tally.add(line);
            },
        );
        println!("{} passed, {} failed", tally.passed, tally.failed);
        tested
    }

    fn cargo(&self, subcommand: [&str; 2]) -> Command {
        let mut command = cargo();
        command
            .args(subcommand)
            .env("FLAG_TEST_BIN_DIR", &self.folder)
            // Set by hand for other purposes, it would redirect every client.
            .env_remove("BIGTABLE_EMULATOR_HOST");
        match self.emulator {
            Some(address) => command.env("FLAG_TEST_EMULATOR", address),
            None => command.env_remove("FLAG_TEST_EMULATOR"),
        };
        match self.emulator_binary {
            // For the tests that kill or freeze one of their own.
            Some(binary) => command.env("FLAG_TEST_EMULATOR_BINARY", binary),
            None => command.env_remove("FLAG_TEST_EMULATOR_BINARY"),
        };
        command.envs(self.clients.iter().flat_map(|clients| clients.variables()));
        command
    }

    /// The caller's arguments and ours. Both runners know `--skip`, and apply it whatever else selects tests.
    fn arguments(&self) -> Vec<&str> {
        let mut words: Vec<&str> = self.args.filter.as_deref().into_iter().collect();
        words.extend(self.args.extra.iter().map(String::as_str));
        let skipped = [
            (self.args.without_bigtable, ON_BIGTABLE),
            (!self.has_namespaces, WITH_NAMESPACES),
        ];
        let skipped = skipped.into_iter().filter(|(is_skipped, _)| *is_skipped);
        let skipped = skipped.map(|(_, skipped)| skipped);
        let clients = match self.clients {
            Some(clients) => clients
                .missing()
                .into_iter()
                .map(|(test, _)| test)
                .collect(),
            None => vec![ON_CLIENTS],
        };
        for skipped in skipped.chain(clients) {
            if !words.contains(&"--") {
                words.push("--");
            }
            words.extend(["--skip", skipped]);
        }
        words
    }
}

/// How many tests passed and failed, summed over all that `cargo test` ran.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    passed: u32,
    failed: u32,
}

impl Tally {
    /// Adds up lines like `test result: ok. 3 passed; 0 failed; 1 ignored; …`.
    fn add(&mut self, line: &str) {
        let Some((_, result)) = line.split_once("test result: ") else {
            return;
        };
        let mut words = result.split_whitespace().peekable();
        while let Some(word) = words.next() {
            let number = word.parse().unwrap_or(0);
            match words.peek() {
                Some(&"passed;") => self.passed += number,
                Some(&"failed;") => self.failed += number,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(args: &Args, has_namespaces: bool, expected: &[&str]) {
        let runner = Runner {
            args,
            folder: PathBuf::new(),
            clients: None,
            emulator: None,
            emulator_binary: None,
            has_namespaces,
        };
        assert_eq!(runner.arguments(), expected);
    }

    #[test]
    fn tests_on_bigtable_are_skipped_whatever_else_is_asked() {
        let mut args = Args {
            without_bigtable: true,
            ..Args::default()
        };
        check(
            &args,
            true,
            &["--", "--skip", "on_bigtable", "--skip", "ofrep_clients"],
        );
        args.filter = Some("bucket".to_owned());
        check(
            &args,
            true,
            &[
                "bucket",
                "--",
                "--skip",
                "on_bigtable",
                "--skip",
                "ofrep_clients",
            ],
        );
        args.extra = vec!["--".to_owned(), "--exact".to_owned()];
        check(
            &args,
            true,
            &[
                "bucket",
                "--",
                "--exact",
                "--skip",
                "on_bigtable",
                "--skip",
                "ofrep_clients",
            ],
        );
    }

    #[test]
    fn a_test_that_needs_root_is_skipped_without_it() {
        let args = Args::default();
        check(&args, true, &["--", "--skip", "ofrep_clients"]);
        check(
            &args,
            false,
            &["--", "--skip", WITH_NAMESPACES, "--skip", "ofrep_clients"],
        );
    }

    #[test]
    fn results_add_up() {
        let mut tally = Tally::default();
        tally.add("running 4 tests");
        tally.add("test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out");
        tally.add("test result: FAILED. 2 passed; 5 failed; 0 ignored; 0 measured; 0 filtered out");
        assert_eq!(
            tally,
            Tally {
                passed: 5,
                failed: 5
            }
        );
    }

    #[test]
    fn the_folder_is_the_binarys_and_not_its_tests() {
        let message = |test: bool| {
            format!(
                r#"{{"target":{{"kind":["bin"],"name":"flag-service"}},"profile":{{"test":{test}}},
                    "executable":"/target/debug/flag-service"}}"#
            )
        };
        assert_eq!(
            folder_of_binary(&message(false)),
            Some("/target/debug".into())
        );
        assert_eq!(folder_of_binary(&message(true)), None);
        assert_eq!(folder_of_binary("not a message"), None);
    }
}

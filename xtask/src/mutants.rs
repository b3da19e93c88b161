//! Mutation testing: whether a crate's own tests notice when its code is changed.
//!
//! `cargo-mutants` changes the code, one place at a time; a mutant that no test catches is a test that is missing, or
//! one that changes nothing that anybody can see. Those stand in the list of equivalent mutants, each with its reason.
mod equivalent;
mod outcomes;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use self::equivalent::EQUIVALENT;
use self::outcomes::Outcomes;
use crate::foreground::{Foreground, cargo, has_cargo_plugin};
use crate::metadata::Metadata;

/// The least share of viable mutants that a crate's tests must catch.
const LEAST_CAUGHT: f64 = 0.97;

/// A crate, and its files that are mutated; without any, all of them.
type Subject = (&'static str, &'static [&'static str]);

const SUBJECTS: [Subject; 5] = [
    ("flag-model", &[]),
    ("flag-rollout", &[]),
    ("flag-keys", &[]),
    (
        "flag-store",
        &[
            "append",
            "append/*",
            "head",
            "literal",
            "literal/*",
            "row_key",
            "row_key/*",
            "stored",
            "stored/*",
        ],
    ),
    (
        "flag-runtime",
        &[
            "exposures",
            "exposures/**/*",
            "flags",
            "flags/**/*",
            "store/circuit",
        ],
    ),
];

/// What to mutate.
#[derive(clap::Args)]
#[command(
    after_help = "Needs cargo-mutants: cargo install cargo-mutants. Takes hours for all crates."
)]
pub(crate) struct Args {
    /// Mutates only these crates
    #[arg(value_parser = SUBJECTS.map(|(package, _)| package))]
    packages: Vec<String>,
}

/// Mutates, prints the share that was caught. Fails if it is too small, or a mutant survives that is not listed.
pub(crate) fn run(args: &Args, foreground: &mut Foreground) -> Result<()> {
    ensure!(
        has_cargo_plugin("mutants"),
        "cargo-mutants is not installed (cargo install cargo-mutants)"
    );
    let metadata = Metadata::read()?;
    let chosen = |package| args.packages.is_empty() || args.packages.iter().any(|it| it == package);
    let mut complaints = Vec::new();
    for (package, files) in SUBJECTS {
        if chosen(package) {
            let folder = metadata.target_directory.join("mutants").join(package);
            let outcomes = mutate(&metadata, package, files, &folder, foreground)?;
            println!("{}", outcomes.summary(package));
            complaints.extend(judge(package, &outcomes, EQUIVALENT));
        }
    }
    if complaints.is_empty() {
        return Ok(());
    }
    bail!("{}", complaints.join("\n"))
}

/// Runs cargo-mutants on a crate, with its own tests and all features.
fn mutate(
    metadata: &Metadata,
    package: &str,
    files: &[&str],
    folder: &Path,
    foreground: &mut Foreground,
) -> Result<Outcomes> {
    // What an earlier run left would be taken for the outcome.
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder)?;
    let mut command = cargo();
    command
        .current_dir(&metadata.workspace_root)
        .args([
            "mutants",
            "--all-features",
            "--no-shuffle",
            "--package",
            package,
        ])
        .arg("--output")
        .arg(folder);
    if has_cargo_plugin("nextest") {
        command.arg("--test-tool=nextest");
    }
    for file in files {
        command
            .arg("--file")
            .arg(format!("crates/{package}/src/{file}.rs"));
    }
    // It fails when a mutant survives, which is judged below.
    let mutated = foreground.run(&mut command);
    foreground.check()?;
    let outcomes = fs::read_to_string(folder.join("mutants.out/outcomes.json"));
    match (outcomes, mutated) {
        (Ok(outcomes), _) => Outcomes::parse(&outcomes).with_context(|| package.to_owned()),
        (Err(_), Err(error)) => Err(error),
        (Err(error), Ok(())) => Err(error).context("cargo-mutants left no outcomes"),
    }
}

/// What is wrong with the outcomes of a crate, given the mutants that are known to be equivalent.
fn judge(package: &str, outcomes: &Outcomes, equivalent: &[(&str, &str)]) -> Vec<String> {
    let mut complaints = Vec::new();
    let caught = outcomes.share_caught();
    if caught < LEAST_CAUGHT {
        complaints.push(format!(
            "{package}: {:.1} % of the mutants are caught, expected {:.0} % at least",
            caught * 100.0,
            LEAST_CAUGHT * 100.0
        ));
    }
    let folder = format!("crates/{package}/");
    let mut listed = BTreeMap::<&str, i64>::new();
    for (mutant, _) in equivalent {
        if mutant.starts_with(&folder) {
            *listed.entry(mutant).or_default() += 1;
        }
    }
    for survivor in &outcomes.survivors {
        let left = listed.entry(survivor).or_default();
        *left -= 1;
        if *left < 0 {
            complaints.push(format!("{package}: no test catches {survivor}"));
        }
    }
    let stale = listed.into_iter().filter(|(_, left)| *left > 0);
    complaints.extend(stale.map(|(mutant, _)| {
        format!("{package}: listed as equivalent, but does not survive: {mutant}")
    }));
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(survivors: &[&str], caught: usize, expected: &[&str]) {
        let outcomes = Outcomes {
            caught,
            unviable: 0,
            survivors: survivors.iter().map(|it| (*it).to_owned()).collect(),
        };
        let equivalent = [
            ("crates/a/src/x.rs: one", "why"),
            ("crates/b/src/x.rs: two", "why"),
        ];
        assert_eq!(judge("a", &outcomes, &equivalent), expected);
    }

    #[test]
    fn survivors_must_be_listed_and_listed_ones_survive() {
        let one = "crates/a/src/x.rs: one";
        check(&[one], 99, &[]);
        check(
            &[one, one],
            99,
            &["a: no test catches crates/a/src/x.rs: one"],
        );
        check(
            &["crates/a/src/x.rs: new"],
            99,
            &[
                "a: no test catches crates/a/src/x.rs: new",
                "a: listed as equivalent, but does not survive: crates/a/src/x.rs: one",
            ],
        );
    }

    #[test]
    fn most_mutants_must_be_caught() {
        let one = "crates/a/src/x.rs: one";
        check(
            &[one],
            9,
            &["a: 90.0 % of the mutants are caught, expected 97 % at least"],
        );
    }

    #[test]
    fn every_equivalent_mutant_is_of_a_subject_and_has_a_reason() {
        for (mutant, reason) in EQUIVALENT {
            let mut subjects = SUBJECTS.iter();
            assert!(subjects.any(|(package, _)| mutant.starts_with(&format!("crates/{package}/"))));
            assert!(reason.len() > 10, "{mutant}");
        }
    }
}

//! The test of the DAG in `deploy/composer`, run by real Airflows.
//!
//! Each version of Airflow lies in a virtual environment of its own in the cache folder, installed by pip from the
//! index that this machine uses, and installed anew when the files that pin it change. What is tested is the business
//! of `deploy/composer/test`.
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};

use crate::cache;
use crate::foreground::Foreground;
use crate::metadata::Metadata;

/// Where the tests are, and the files that pin each Airflow.
const TESTS: &str = "deploy/composer/test";

/// The major versions, each of which has its requirements and constraints there.
const VERSIONS: [u8; 2] = [2, 3];

/// Where to look for an interpreter, and its versions that every pinned package has wheels for.
const PYTHONS: [&str; 3] = ["python3.11", "python3.12", "python3"];
const PYTHON_VERSIONS: [&str; 2] = ["3.11", "3.12"];

/// Prints an interpreter's version, then what tells it from others of that version.
const WHO: &str =
    "import sys; print('%d.%d' % sys.version_info[:2]); print(sys.version, sys.base_prefix)";

/// How long pip may take; on a slow machine it takes two minutes.
const INSTALL_LIMIT: Duration = Duration::from_mins(8);

/// How long the tests of one version may take; on a slow machine they take two minutes.
const TEST_LIMIT: Duration = Duration::from_mins(8);

/// The file in an environment that says what is installed in it, written last.
const INSTALLED: &str = "installed";

/// Runs the tests in each Airflow, with the binaries in this folder and the emulator at this address.
pub(crate) fn run(binaries: &Path, emulator: &str, foreground: &mut Foreground) -> Result<()> {
    let tests = Metadata::read()?.workspace_root.join(TESTS);
    for version in VERSIONS {
        let python = obtain(version, &tests, foreground)
            .with_context(|| format!("cannot install Airflow {version}"))?;
        foreground
            .run_within(
                TEST_LIMIT,
                Command::new(python)
                    // Leaves no bytecode beside the sources.
                    .args(["-B", "test_add_row.py"])
                    .current_dir(&tests)
                    .env("FLAG_TEST_BIN_DIR", binaries)
                    .env("FLAG_TEST_EMULATOR", emulator),
            )
            .with_context(|| format!("the DAG fails in Airflow {version}"))?;
    }
    println!("the DAG passed in Airflow 2 and 3");
    Ok(())
}

/// Gives the interpreter of an environment that has what the files pin, made first where there is none.
fn obtain(version: u8, tests: &Path, foreground: &mut Foreground) -> Result<PathBuf> {
    let base = find_python()?;
    let pins = Pins::read(version, tests)?;
    let wanted = format!(
        "{}\n{}{}",
        base.identity, pins.requirements.1, pins.constraints.1
    );
    let cache = cache::folder("flag-airflow")?;
    let _lock = cache::lock(&cache, foreground)?;
    let environment = cache.join(format!("airflow-{version}"));
    let python = environment.join("bin/python");
    let marker = environment.join(INSTALLED);
    if python.exists() && fs::read_to_string(&marker).is_ok_and(|is| is == wanted) {
        return Ok(python);
    }
    eprintln!(
        "xtask: installing Airflow {version} into {}: about a minute, 0.5 GB of disk",
        environment.display()
    );
    let start = Instant::now();
    if environment.exists() {
        fs::remove_dir_all(&environment)?;
    }
    install(base.program, &environment, &pins, foreground)?;
    fs::write(marker, wanted)?;
    eprintln!("xtask: installed in {} s", start.elapsed().as_secs());
    Ok(python)
}

fn install(base: &str, environment: &Path, pins: &Pins, foreground: &mut Foreground) -> Result<()> {
    foreground
        .run(Command::new(base).args(["-m", "venv"]).arg(environment))
        .context("Debian has the module venv in the package python3-venv")?;
    foreground
        .run_within(
            INSTALL_LIMIT,
            Command::new(environment.join("bin/python"))
                .args(["-m", "pip", "install", "--quiet", "--no-input"])
                .arg("--requirement")
                .arg(&pins.requirements.0)
                .arg("--constraint")
                .arg(&pins.constraints.0),
        )
        .context("pip needs a package index that it can reach")
}

/// The files that pin an Airflow, with their contents.
struct Pins {
    requirements: (PathBuf, String),
    constraints: (PathBuf, String),
}

impl Pins {
    fn read(version: u8, tests: &Path) -> Result<Self> {
        let read = |kind: &str| {
            let path = tests.join(format!("{kind}-airflow-{version}.txt"));
            let text = fs::read_to_string(&path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            anyhow::Ok((path, text))
        };
        Ok(Self {
            requirements: read("requirements")?,
            constraints: read("constraints")?,
        })
    }
}

/// An interpreter to make environments with.
struct Python {
    program: &'static str,
    identity: String,
}

/// Finds an interpreter of a version that the pins are for.
fn find_python() -> Result<Python> {
    PYTHONS
        .into_iter()
        .find_map(|program| {
            let output = Command::new(program)
                .args(["-c", WHO])
                .stdin(Stdio::null())
                .stderr(Stdio::null())
                .output()
                .ok()?;
            let said = String::from_utf8(output.stdout).ok()?;
            let identity = identity(&said)?.to_owned();
            Some(Python { program, identity })
        })
        .ok_or_else(|| anyhow!("it needs Python {}", PYTHON_VERSIONS.join(" or ")))
}

/// Picks what tells an interpreter from others, if it is of a version that the pins are for.
fn identity(said: &str) -> Option<&str> {
    let (version, identity) = said.split_once('\n')?;
    PYTHON_VERSIONS
        .contains(&version)
        .then_some(identity.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_python_that_the_pins_are_not_for_is_passed_over() {
        assert_eq!(identity("3.11\n3.11.7 /usr\n"), Some("3.11.7 /usr"));
        assert_eq!(identity("3.9\n3.9.2 /usr\n"), None);
        assert_eq!(identity("3.110\n3.110 /usr\n"), None);
        assert_eq!(identity(""), None);
    }

    #[test]
    fn every_version_is_pinned_to_the_last_package() {
        let tests = Metadata::read().unwrap().workspace_root.join(TESTS);
        for version in VERSIONS {
            let pins = Pins::read(version, &tests).unwrap();
            for (path, text) in [pins.requirements, pins.constraints] {
                let mut lines = text.lines().filter(|line| !line.starts_with('#'));
                assert!(lines.all(|line| line.contains("==")), "{}", path.display());
            }
        }
    }
}

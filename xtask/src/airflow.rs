//! The test of the DAG in `deploy/composer`, run by real Airflows.
//!
//! Each version of Airflow lies in a virtual environment of its own. What is tested is the business of
//! `deploy/composer/test`.
use std::path::Path;

use anyhow::{Context, Result};

use crate::foreground::Foreground;
use crate::metadata::Metadata;
use crate::python;
use crate::venv::Venv;

/// Where the tests are, and the files that pin each Airflow.
const TESTS: &str = "deploy/composer/test";

/// The major versions, each of which has its requirements and constraints there.
const VERSIONS: [u8; 2] = [2, 3];

/// Runs the tests in each Airflow, with the binaries in this folder and the emulator at this address.
pub(crate) fn run(binaries: &Path, emulator: &str, foreground: &mut Foreground) -> Result<()> {
    let tests = Metadata::read()?.workspace_root.join(TESTS);
    for version in VERSIONS {
        let python = venv(version, &tests)
            .obtain(foreground)
            .with_context(|| format!("cannot install Airflow {version}"))?;
        let variables = python::variables(binaries, emulator);
        let test = format!("{TESTS}/test_add_row.py");
        python::run(&python, &test, &variables, foreground)
            .with_context(|| format!("the DAG fails in Airflow {version}"))?;
    }
    println!("the DAG passed in Airflow 2 and 3");
    Ok(())
}

fn venv(version: u8, tests: &Path) -> Venv {
    Venv {
        what: format!("Airflow {version}"),
        cost: "about a minute, 0.5 GB of disk",
        cache: "flag-airflow",
        folder: format!("airflow-{version}"),
        requirements: tests.join(format!("requirements-airflow-{version}.txt")),
        constraints: tests.join(format!("constraints-airflow-{version}.txt")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_is_pinned_to_the_last_package() {
        let tests = Metadata::read().unwrap().workspace_root.join(TESTS);
        for version in VERSIONS {
            venv(version, &tests).check_pins();
        }
    }
}

//! The test of `docs/migrating.md`: its commands in order, beside the Python service, on the emulator.
//!
//! What the Python service needs lies in a virtual environment; what is tested is the business of `tests/migration`.
use std::path::Path;

use anyhow::{Context, Result};

use crate::foreground::Foreground;
use crate::metadata::Metadata;
use crate::python;
use crate::venv::Venv;

/// Where the test is, and the files that pin what it needs.
const FOLDER: &str = "tests/migration";

/// Follows the page, with the binaries in this folder and the emulator at this address.
pub(crate) fn run(binaries: &Path, emulator: &str, foreground: &mut Foreground) -> Result<()> {
    follow(&python::variables(binaries, emulator), foreground)
}

/// Follows the page with these variables; those of images put the service in one in place of the binary.
pub(crate) fn follow(variables: &[(&str, &Path)], foreground: &mut Foreground) -> Result<()> {
    let folder = Metadata::read()?.workspace_root.join(FOLDER);
    let python = venv(&folder)
        .obtain(foreground)
        .context("cannot install Google's client of Bigtable")?;
    let quiet = [("PYTHONWARNINGS", Path::new("ignore::RuntimeWarning"))];
    let test = format!("{FOLDER}/test_migrating.py");
    python::run(&python, &test, &[variables, &quiet].concat(), foreground)
        .context("docs/migrating.md cannot be followed")?;
    println!("docs/migrating.md was followed");
    Ok(())
}

fn venv(folder: &Path) -> Venv {
    Venv {
        what: "Google's client of Bigtable".to_owned(),
        cost: "half a minute, 0.1 GB of disk",
        cache: "flag-migration",
        folder: "google-cloud-bigtable".to_owned(),
        requirements: folder.join("requirements.txt"),
        constraints: folder.join("constraints.txt"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_needs_is_pinned_to_the_last_package() {
        let folder = Metadata::read().unwrap().workspace_root.join(FOLDER);
        venv(&folder).check_pins();
    }
}

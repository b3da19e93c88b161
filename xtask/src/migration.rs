//! The test of `docs/migrating.md`: its commands in order, beside the Python service, on the emulator.
//!
//! What the Python service needs lies in a virtual environment; what is tested is the business of `tests/migration`.
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::foreground::Foreground;
use crate::metadata::Metadata;
use crate::venv::Venv;

/// Where the test is, and the files that pin what it needs.
const FOLDER: &str = "tests/migration";

/// How long it may take; on a slow machine it takes a minute.
const LIMIT: Duration = Duration::from_mins(5);

/// Follows the page, with the binaries in this folder and the emulator at this address.
pub(crate) fn run(binaries: &Path, emulator: &str, foreground: &mut Foreground) -> Result<()> {
    let folder = Metadata::read()?.workspace_root.join(FOLDER);
    let python = venv(&folder)
        .obtain(foreground)
        .context("cannot install Google's client of Bigtable")?;
    foreground
        .run_within(
            LIMIT,
            Command::new(python)
                // Leaves no bytecode beside the sources.
                .args(["-B", "-W", "ignore::RuntimeWarning", "test_migrating.py"])
                .current_dir(&folder)
                .env("FLAG_TEST_BIN_DIR", binaries)
                .env("FLAG_TEST_EMULATOR", emulator),
        )
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

//! The tests of the manifests in `deploy/kubernetes`, as kubectl puts them together, and of `deploy/bigtable`.
//!
//! What is tested is the business of their folders `test`.
use std::path::Path;

use anyhow::{Context, Result};

use crate::foreground::{Foreground, has_program};
use crate::metadata::Metadata;
use crate::python;
use crate::venv::Venv;

/// Where the test is, and the files that pin what it needs.
const FOLDER: &str = "deploy/kubernetes/test";

/// The test of what makes the tables that they name.
const BIGTABLE: &str = "deploy/bigtable/test/test_bigtable.py";

/// What the test lacks on this machine.
pub(crate) fn missing() -> Option<&'static str> {
    (!has_program("kubectl")).then_some("skipped, as kubectl is not installed")
}

/// Checks every overlay and the tables, with the binaries in this folder and the emulator at this address.
pub(crate) fn check(binaries: &Path, emulator: &str, foreground: &mut Foreground) -> Result<()> {
    let metadata = Metadata::read()?;
    let folder = metadata.workspace_root.join(FOLDER);
    let python = venv(&folder)
        .obtain(foreground)
        .context("cannot install the validator")?;
    let variables = [
        ("FLAG_TEST_BIN_DIR", binaries),
        ("FLAG_TEST_EMULATOR", Path::new(emulator)),
    ];
    python::run(
        &python,
        &folder.join("test_manifests.py"),
        &variables,
        foreground,
    )?;
    let bigtable = metadata.workspace_root.join(BIGTABLE);
    python::run(Path::new("python3"), &bigtable, &variables, foreground)
}

fn venv(folder: &Path) -> Venv {
    Venv {
        what: "the validator of manifests".to_owned(),
        cost: "ten seconds, 0.15 GB of disk",
        cache: "flag-manifests",
        folder: "kubernetes-validate".to_owned(),
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

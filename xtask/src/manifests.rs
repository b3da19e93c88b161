//! The test of the manifests in `deploy/kubernetes`, as kubectl puts them together.
//!
//! What is tested is the business of `deploy/kubernetes/test`.
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::foreground::{Foreground, has_program};
use crate::metadata::Metadata;
use crate::venv::Venv;

/// Where the test is, and the files that pin what it needs.
const FOLDER: &str = "deploy/kubernetes/test";

/// How long it may take; on a slow machine it takes ten seconds.
const LIMIT: Duration = Duration::from_mins(2);

/// What the test lacks on this machine.
pub(crate) fn missing() -> Option<&'static str> {
    (!has_program("kubectl")).then_some("skipped, as kubectl is not installed")
}

/// Checks every overlay, with the binaries in this folder and the emulator at this address.
pub(crate) fn check(binaries: &Path, emulator: &str, foreground: &mut Foreground) -> Result<()> {
    let folder = Metadata::read()?.workspace_root.join(FOLDER);
    let python = venv(&folder)
        .obtain(foreground)
        .context("cannot install the validator")?;
    foreground
        .run_within(
            LIMIT,
            Command::new(python)
                // Leaves no bytecode beside the sources.
                .args(["-B", "test_manifests.py"])
                .current_dir(&folder)
                .env("FLAG_TEST_BIN_DIR", binaries)
                .env("FLAG_TEST_EMULATOR", emulator),
        )
        .context("the manifests are wrong")
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

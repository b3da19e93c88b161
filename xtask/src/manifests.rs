//! The test of the manifests in `deploy/kubernetes`, as kubectl puts them together.
//!
//! What is tested is the business of its folder `test`.
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::foreground::{Foreground, has_program};
use crate::metadata::Metadata;
use crate::python;
use crate::venv::Venv;

/// Where the test is, and the files that pin what it needs.
const FOLDER: &str = "deploy/kubernetes/test";

/// The first `kubectl` whose Kustomize knows all that the manifests use, by its minor version: 1.27 has Kustomize 5.
const OLDEST: u32 = 27;

/// What the test lacks on this machine.
pub(crate) fn missing() -> Option<&'static str> {
    if !has_program("kubectl") {
        return Some("skipped, as kubectl is not installed");
    }
    let said = Command::new("kubectl")
        .args(["version", "--client", "--output=json"])
        .output();
    let minor = said.ok().and_then(|said| minor_version(&said.stdout));
    match minor {
        Some(OLDEST..) => None,
        Some(_) => Some("skipped, as kubectl is older than 1.27"),
        None => Some("skipped, as kubectl does not tell its version"),
    }
}

/// Reads `1.32.4` and the like from what `kubectl version` says.
fn minor_version(said: &[u8]) -> Option<u32> {
    let said: Value = serde_json::from_slice(said).ok()?;
    let version = said.pointer("/clientVersion/gitVersion")?.as_str()?;
    version.strip_prefix("v1.")?.split('.').next()?.parse().ok()
}

/// Checks every overlay, with the binaries in this folder and the emulator at this address.
pub(crate) fn check(binaries: &Path, emulator: &str, foreground: &mut Foreground) -> Result<()> {
    let folder = Metadata::read()?.workspace_root.join(FOLDER);
    let python = venv(&folder)
        .obtain(foreground)
        .context("cannot install the validator")?;
    let variables = python::variables(binaries, emulator);
    let test = format!("{FOLDER}/test_manifests.py");
    python::run(&python, &test, &variables, foreground)
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

    #[test]
    fn the_version_of_kubectl_is_read() {
        let said = |version: &str| format!(r#"{{"clientVersion":{{"gitVersion":"{version}"}}}}"#);
        for (version, minor) in [
            ("v1.32.4-dispatcher", Some(32)),
            ("v1.20.2", Some(20)),
            ("", None),
        ] {
            assert_eq!(minor_version(said(version).as_bytes()), minor, "{version}");
        }
        assert_eq!(minor_version(b"Client Version: v1.20.2"), None);
    }
}

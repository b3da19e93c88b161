//! OpenFeature's own clients, with which the stories of OFREP ask the service: in Python, in Node.js, in Chromium, and in Rust.
//!
//! `tests/ofrep` pins them; they lie in the cache folder. A client that this machine cannot have is left out, and named.
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::cache;
use crate::foreground::{Foreground, cargo, has_program};
use crate::metadata::Metadata;
use crate::venv::Venv;

/// Where the clients are pinned, and how they are asked.
const FOLDER: &str = "tests/ofrep";

/// The folder among the user's caches.
const CACHE: &str = "flag-ofrep";

/// What Chromium is called.
const CHROMIUMS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// How long npm may take.
const INSTALL_LIMIT: Duration = Duration::from_mins(4);

/// How long cargo may take; for all packages, on two processors, it takes a minute.
const BUILD_LIMIT: Duration = Duration::from_mins(8);

/// The program that asks in Rust.
const RUST_CLIENT: &str = "flag-ofrep-client";

/// The clients, or why there are none.
pub(crate) struct Clients {
    /// The interpreter with the provider.
    python: Result<PathBuf>,
    /// The folder with the scripts and their packages.
    node: Result<PathBuf>,
    chromium: Option<&'static str>,
    /// The program.
    rust: Result<PathBuf>,
}

impl Clients {
    /// Gets them, installed first where they are not.
    pub(crate) fn obtain(foreground: &mut Foreground) -> Result<Self> {
        let folder = Metadata::read()?.workspace_root.join(FOLDER);
        let clients = Self {
            python: venv(&folder.join("python")).obtain(foreground),
            node: install_node(&folder.join("node"), foreground),
            chromium: CHROMIUMS.into_iter().find(|name| has_program(name)),
            rust: build_rust(&folder.join("rust"), foreground),
        };
        foreground.check()?;
        Ok(clients)
    }

    /// The variables that tell the tests where they are.
    pub(crate) fn variables(&self) -> Vec<(&'static str, &Path)> {
        let python = self.python.as_ref().ok();
        let node = self.node.as_ref().ok();
        let rust = self.rust.as_ref().ok();
        let found = [
            ("FLAG_TEST_OFREP_PYTHON", python.map(PathBuf::as_path)),
            ("FLAG_TEST_OFREP_NODE", node.map(PathBuf::as_path)),
            ("FLAG_TEST_CHROMIUM", self.chromium.map(Path::new)),
            ("FLAG_TEST_OFREP_RUST", rust.map(PathBuf::as_path)),
        ];
        let found = found.into_iter();
        found
            .filter_map(|(name, path)| Some((name, path?)))
            .collect()
    }

    /// A part of the path of each test whose client is missing, and what is missing.
    pub(crate) fn missing(&self) -> Vec<(&'static str, String)> {
        let mut missing = Vec::new();
        if let Err(error) = &self.python {
            missing.push(("ofrep_clients::python", format!("{error:#}")));
        }
        if let Err(error) = &self.rust {
            missing.push(("ofrep_clients::rust", format!("{error:#}")));
        }
        match (&self.node, self.chromium) {
            (Err(error), _) => {
                missing.push(("ofrep_clients::node", format!("{error:#}")));
                missing.push(("ofrep_clients::browser", format!("{error:#}")));
            }
            (Ok(_), None) => missing.push(("ofrep_clients::browser", "it needs chromium".into())),
            (Ok(_), Some(_)) => {}
        }
        missing
    }
}

fn venv(folder: &Path) -> Venv {
    Venv {
        what: "OpenFeature for Python".to_owned(),
        cost: "some seconds, 0.05 GB of disk",
        cache: CACHE,
        folder: "python".to_owned(),
        requirements: folder.join("requirements.txt"),
        constraints: folder.join("constraints.txt"),
    }
}

/// Puts the scripts beside their packages, which npm installs anew when the file that pins them has changed.
fn install_node(source: &Path, foreground: &mut Foreground) -> Result<PathBuf> {
    anyhow::ensure!(
        has_program("node") && has_program("npm"),
        "it needs node and npm"
    );
    let cache = cache::folder(CACHE)?;
    let _lock = cache::lock(&cache, foreground)?;
    let folder = cache.join("node");
    let installed = folder.join("installed");
    let pins = fs::read_to_string(source.join("package-lock.json"))?;
    let is_installed = fs::read_to_string(&installed).is_ok_and(|before| before == pins);
    if !is_installed && folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    for file in fs::read_dir(source)? {
        let file = file?;
        if file.file_type()?.is_file() {
            fs::copy(file.path(), folder.join(file.file_name()))?;
        }
    }
    if !is_installed {
        eprintln!(
            "xtask: installing OpenFeature for Node.js into {}",
            folder.display()
        );
        let mut npm = Command::new("npm");
        npm.args(["ci", "--silent", "--no-audit", "--no-fund"])
            .current_dir(&folder);
        foreground
            .run_within(INSTALL_LIMIT, &mut npm)
            .context("npm needs a registry that it can reach")?;
        fs::write(installed, pins)?;
    }
    Ok(folder)
}

/// Builds the client in Rust among the caches: its packages are not those of the workspace, and are built once for every clone.
fn build_rust(source: &Path, foreground: &mut Foreground) -> Result<PathBuf> {
    let cache = cache::folder(CACHE)?;
    let _lock = cache::lock(&cache, foreground)?;
    let target = cache.join("rust");
    if !target.exists() {
        eprintln!(
            "xtask: building OpenFeature for Rust in {}: a minute, 0.4 GB of disk",
            target.display()
        );
    }
    let mut build = cargo();
    build
        .args(["build", "--locked", "--quiet", "--manifest-path"])
        .arg(source.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&target);
    foreground
        .run_within(BUILD_LIMIT, &mut build)
        .context("cargo needs a registry that it can reach")?;
    Ok(target.join("debug").join(RUST_CLIENT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_packages_of_python_are_pinned_to_the_last() {
        let folder = Metadata::read().unwrap().workspace_root.join(FOLDER);
        venv(&folder.join("python")).check_pins();
    }

    #[test]
    fn a_missing_client_is_named() {
        let clients = Clients {
            python: Ok("python".into()),
            node: Ok("node".into()),
            chromium: None,
            rust: Ok("rust".into()),
        };
        let missing: Vec<_> = clients
            .missing()
            .into_iter()
            .map(|(test, _)| test)
            .collect();
        assert_eq!(missing, ["ofrep_clients::browser"]);
        assert_eq!(clients.variables().len(), 3);
        let clients = Clients {
            node: Err(anyhow::anyhow!("no node")),
            chromium: Some("chromium"),
            rust: Err(anyhow::anyhow!("no registry")),
            ..clients
        };
        let missing: Vec<_> = clients
            .missing()
            .into_iter()
            .map(|(test, _)| test)
            .collect();
        let expected = ["rust", "node", "browser"].map(|name| format!("ofrep_clients::{name}"));
        assert_eq!(missing, expected);
    }
}

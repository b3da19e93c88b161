//! What cargo knows of this workspace: its crates, what they depend on, where things lie.
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::foreground::cargo;

/// The part of `cargo metadata --no-deps` that our checks need.
#[derive(Deserialize)]
pub(crate) struct Metadata {
    /// Our crates, and no others.
    pub(crate) packages: Vec<Package>,
    /// The repository's top.
    pub(crate) workspace_root: PathBuf,
    /// Where cargo puts what it builds.
    #[serde(default)]
    pub(crate) target_directory: PathBuf,
}

/// A crate of ours.
#[derive(Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) manifest_path: PathBuf,
    #[serde(default)]
    pub(crate) version: String,
    #[serde(default)]
    pub(crate) description: String,
    #[serde(default)]
    pub(crate) license: String,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) targets: Vec<Target>,
}

/// What a crate of ours declares to use.
#[derive(Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) kind: Option<DependencyKind>,
}

/// What a dependency is for, if not for the crate itself.
#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DependencyKind {
    Build,
    Dev,
}

/// A library, a binary, a test, …
#[derive(Deserialize)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) kind: Vec<String>,
    pub(crate) src_path: PathBuf,
    #[serde(default, rename = "required-features")]
    pub(crate) required_features: Vec<String>,
}

impl Metadata {
    /// Asks cargo.
    pub(crate) fn read() -> Result<Self> {
        let output = cargo()
            .args(["metadata", "--no-deps", "--format-version", "1"])
            .output()
            .context("cannot start cargo")?;
        if !output.status.success() {
            bail!(
                "`cargo metadata` failed: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        Self::parse(&output.stdout)
    }

    /// Decodes cargo's answer.
    pub(crate) fn parse(json: &[u8]) -> Result<Self> {
        serde_json::from_slice(json).context("cannot read what `cargo metadata` says")
    }

    /// Our crates of these names, in this order.
    pub(crate) fn packages_of<'a>(&'a self, names: &[&str]) -> Vec<&'a Package> {
        let find = |name: &&str| self.packages.iter().find(|package| package.name == *name);
        names.iter().filter_map(find).collect()
    }

    /// Spells a path from the repository's top.
    pub(crate) fn relative<'a>(&self, path: &'a Path) -> &'a Path {
        path.strip_prefix(&self.workspace_root).unwrap_or(path)
    }
}

/// Reports what a check found: nothing, or an error that lists it all.
pub(crate) fn report<V: std::fmt::Display>(check: &str, violations: &[V]) -> Result<()> {
    if violations.is_empty() {
        println!("{check}: nothing to complain about");
        return Ok(());
    }
    for violation in violations {
        eprintln!("{violation}");
    }
    bail!("{check}: {} to mend", violations.len());
}

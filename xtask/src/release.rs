//! What is handed out, as far as packages and images agree: a version, an age, and binaries that depend on no folder.
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::foreground::{Foreground, cargo};
use crate::metadata::Metadata;

/// The binaries that are handed out.
pub(crate) const BINARIES: [&str; 2] = ["flag-service", "flagctl"];

/// What is released, and from which commit.
pub(crate) struct Release {
    /// The version of `Cargo.toml`, with `-dev.…` behind it unless the commit bears its tag.
    pub(crate) version: String,
    /// The commit, in full.
    pub(crate) commit: String,
    /// Seconds since 1970: `SOURCE_DATE_EPOCH`, or when the commit was made. Every file is as old.
    pub(crate) epoch: u64,
}

impl Release {
    /// Asks git. Fails if `Cargo.toml` still has the version of an earlier release.
    pub(crate) fn read(metadata: &Metadata) -> Result<Self> {
        let packages = metadata.packages_of(&BINARIES);
        let package = packages.first().context("no package is handed out")?;
        let git = |arguments: &[&str]| git(&metadata.workspace_root, arguments);
        let epoch = match env::var("SOURCE_DATE_EPOCH") {
            Ok(epoch) => epoch,
            Err(_) => git(&["log", "-1", "--format=%ct"])?,
        };
        let commit = git(&["rev-parse", "HEAD"])?;
        let tagged = git(&["tag", "--list", &format!("v{}", package.version)])?;
        let here = git(&["tag", "--points-at", "HEAD"])?;
        let commits = git(&["rev-list", "--count", "HEAD"])?;
        let changed = !git(&["status", "--porcelain", "--untracked-files=no"])?.is_empty();
        Ok(Self {
            version: version(&package.version, &tagged, &here, &commits, &commit, changed)?,
            commit,
            epoch: epoch.trim().parse().context("SOURCE_DATE_EPOCH")?,
        })
    }

    /// The version as Debian orders it: what is on its way to a release comes before that.
    pub(crate) fn debian(&self) -> String {
        self.version.replacen('-', "~", 1)
    }

    /// Its age as RFC 3339 spells it.
    pub(crate) fn created(&self) -> Result<String> {
        let at = format!("--date=@{}", self.epoch);
        output(Command::new("date").args(["--utc", &at, "+%Y-%m-%dT%H:%M:%SZ"]))
    }

    /// Makes all files of a folder as old, and lets everybody read them.
    pub(crate) fn age(&self, folder: &Path) -> Result<()> {
        let at = format!("--date=@{}", self.epoch);
        output(
            Command::new("chmod")
                .args(["-R", "u=rwX,go=rX"])
                .arg(folder),
        )?;
        let touch = ["-exec", "touch", "--no-dereference", &at, "{}", "+"];
        output(Command::new("find").arg(folder).args(touch)).map(drop)
    }
}

/// Spells a version. `tagged` is its tag if there is one, `here` are the tags of the commit.
fn version(
    of_cargo: &str,
    tagged: &str,
    here: &str,
    commits: &str,
    commit: &str,
    changed: bool,
) -> Result<String> {
    let is_here = !tagged.is_empty() && here.lines().any(|tag| tag == tagged);
    if is_here && !changed {
        return Ok(of_cargo.to_owned());
    }
    if !tagged.is_empty() {
        bail!("{tagged} is released: raise `version` in Cargo.toml");
    }
    let short = commit.get(..9).unwrap_or(commit);
    let suffix = if changed { ".changed" } else { "" };
    Ok(format!("{of_cargo}-dev.{commits}.g{short}{suffix}"))
}

/// Builds the binaries for release, and tells where they are.
///
/// Folders of this machine are not written into them, so that they are the same wherever they are built.
pub(crate) fn build(
    metadata: &Metadata,
    release: &Release,
    foreground: &mut Foreground,
) -> Result<PathBuf> {
    let packages = BINARIES.iter().flat_map(|binary| ["-p", binary]);
    foreground.run(
        cargo()
            .args(["build", "--release", "--locked"])
            .args(packages)
            .env("FLAG_BUILD_COMMIT", &release.commit)
            .env("SOURCE_DATE_EPOCH", release.epoch.to_string())
            .env("CARGO_ENCODED_RUSTFLAGS", remapped(metadata)?.join("\x1f")),
    )?;
    Ok(metadata.target_directory.join("release"))
}

/// Copies the binaries without what debuggers read, so that packing them takes seconds in tests too.
pub(crate) fn strip(binaries: &Path, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    for binary in BINARIES {
        let mut strip = Command::new("strip");
        output(
            strip
                .arg("-o")
                .arg(folder.join(binary))
                .arg(binaries.join(binary)),
        )?;
    }
    Ok(())
}

/// What tells the compiler to write `/registry` and `/source` for the folders of this machine.
fn remapped(metadata: &Metadata) -> Result<Vec<String>> {
    let home = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| env::home_dir().map(|home| home.join(".cargo")))
        .context("neither CARGO_HOME nor HOME says where cargo keeps sources")?;
    let mut flags = vec![remap(&metadata.workspace_root, "/source")];
    // One folder for each registry, named after it; the first start of all makes it.
    for folder in fs::read_dir(home.join("registry/src"))
        .into_iter()
        .flatten()
    {
        flags.push(remap(&folder?.path(), "/registry"));
    }
    flags.sort();
    Ok(flags)
}

fn remap(from: &Path, to: &str) -> String {
    format!("--remap-path-prefix={}={to}", from.display())
}

fn git(folder: &Path, arguments: &[&str]) -> Result<String> {
    output(Command::new("git").current_dir(folder).args(arguments))
}

/// What a command says, without the line break at its end. Fails if it fails.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .output()
        .with_context(|| format!("cannot start {}", command.get_program().display()))?;
    if !output.status.success() {
        bail!(
            "{} failed: {}",
            command.get_program().display(),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "0123456789abcdef";

    #[track_caller]
    fn check(tagged: &str, here: &str, changed: bool, expected: &str) {
        let version = version("1.2.0", tagged, here, "42", COMMIT, changed);
        assert_eq!(version.unwrap(), expected);
    }

    #[test]
    fn a_commit_with_its_tag_is_the_release() {
        check("v1.2.0", "latest\nv1.2.0", false, "1.2.0");
    }

    #[test]
    fn every_other_commit_is_on_its_way() {
        check("", "", false, "1.2.0-dev.42.g012345678");
        check("", "v1.1.0", true, "1.2.0-dev.42.g012345678.changed");
    }

    #[test]
    fn a_released_version_is_not_given_to_another_commit() {
        for (here, changed) in [("", false), ("v1.2.0", true)] {
            let refused = version("1.2.0", "v1.2.0", here, "42", COMMIT, changed);
            assert_eq!(
                refused.unwrap_err().to_string(),
                "v1.2.0 is released: raise `version` in Cargo.toml"
            );
        }
    }

    #[test]
    fn what_is_on_its_way_comes_first_in_debian() {
        let release = Release {
            version: "1.2.0-dev.42.g012345678".to_owned(),
            commit: COMMIT.to_owned(),
            epoch: 0,
        };
        assert_eq!(release.debian(), "1.2.0~dev.42.g012345678");
        assert_eq!(release.created().unwrap(), "1970-01-01T00:00:00Z");
    }
}

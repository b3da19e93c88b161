//! Virtual environments of Python, each with what its files pin.
//!
//! They lie in the cache folder, installed by pip from the index that this machine uses, and installed anew when the
//! files that pin them change. Knows nothing of what is installed.
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};

use crate::cache;
use crate::foreground::Foreground;

/// Where to look for an interpreter, and its versions that every pinned package has wheels for.
const PYTHONS: [&str; 3] = ["python3.11", "python3.12", "python3"];
const PYTHON_VERSIONS: [&str; 2] = ["3.11", "3.12"];

/// Prints an interpreter's version, then what tells it from others of that version.
const WHO: &str =
    "import sys; print('%d.%d' % sys.version_info[:2]); print(sys.version, sys.base_prefix)";

/// How long pip may take; on a slow machine it takes two minutes.
const INSTALL_LIMIT: Duration = Duration::from_mins(8);

/// The file in an environment that says what is installed in it, written last.
const INSTALLED: &str = "installed";

/// An environment, made or not.
pub(crate) struct Venv {
    /// What it holds, for people.
    pub(crate) what: String,
    /// What installing it costs, for people.
    pub(crate) cost: &'static str,
    /// The folder among the user's caches.
    pub(crate) cache: &'static str,
    /// The folder of the environment in it.
    pub(crate) folder: String,
    /// The file that names what is wanted.
    pub(crate) requirements: PathBuf,
    /// The file that pins everything that this needs.
    pub(crate) constraints: PathBuf,
}

impl Venv {
    /// Gives the interpreter of the environment, made first where there is none.
    pub(crate) fn obtain(&self, foreground: &mut Foreground) -> Result<PathBuf> {
        let base = find_python()?;
        let wanted = format!(
            "{}\n{}{}",
            base.identity,
            read(&self.requirements)?,
            read(&self.constraints)?
        );
        let cache = cache::folder(self.cache)?;
        let _lock = cache::lock(&cache, foreground)?;
        let environment = cache.join(&self.folder);
        let python = environment.join("bin/python");
        let marker = environment.join(INSTALLED);
        if python.exists() && fs::read_to_string(&marker).is_ok_and(|is| is == wanted) {
            return Ok(python);
        }
        eprintln!(
            "xtask: installing {} into {}: {}",
            self.what,
            environment.display(),
            self.cost
        );
        let start = Instant::now();
        if environment.exists() {
            fs::remove_dir_all(&environment)?;
        }
        self.install(base.program, &environment, foreground)?;
        fs::write(marker, wanted)?;
        eprintln!("xtask: installed in {} s", start.elapsed().as_secs());
        Ok(python)
    }

    fn install(&self, base: &str, environment: &Path, foreground: &mut Foreground) -> Result<()> {
        foreground
            .run(Command::new(base).args(["-m", "venv"]).arg(environment))
            .context("Debian has the module venv in the package python3-venv")?;
        foreground
            .run_within(
                INSTALL_LIMIT,
                Command::new(environment.join("bin/python"))
                    .args(["-m", "pip", "install", "--quiet", "--no-input"])
                    .arg("--requirement")
                    .arg(&self.requirements)
                    .arg("--constraint")
                    .arg(&self.constraints),
            )
            .context("pip needs a package index that it can reach")
    }

    /// Every package is pinned to one version.
    #[cfg(test)]
    pub(crate) fn check_pins(&self) {
        for path in [&self.requirements, &self.constraints] {
            let text = read(path).unwrap();
            let mut lines = text.lines().filter(|line| !line.starts_with('#'));
            assert!(lines.all(|line| line.contains("==")), "{}", path.display());
        }
    }
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
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
}

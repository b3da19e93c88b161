//! Builds an emulator from Debian's packages: nothing is installed, no root is needed.
//!
//! The packages come into a private apt root in the cache folder, verified as apt verifies everything, from
//! the mirror that this machine uses anyway; nothing else of the system is read or touched. Debian's unstable
//! suite has them new enough: older versions ignore reverse scans silently, and crash on a family without an
//! expiry rule.
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, anyhow};

use super::find::BINARY;
use super::mirror::Mirror;
use super::running::Emulator;
use crate::cache;
use crate::foreground::Foreground;

/// The suites to take packages from; the first is preferred.
const SUITES: [&str; 2] = ["sid", "trixie"];

/// The library that the emulator is part of, and the compiler.
const PACKAGES: [&str; 2] = ["golang-google-cloud-dev", "golang-go"];

const SOURCE: &str = include_str!("emulator.go");

/// Builds one, or takes the one that another process has built in the meantime.
pub(super) fn build_unless_built(cache: &Path, foreground: &mut Foreground) -> Result<PathBuf> {
    let _lock = cache::lock(cache, foreground)?;
    let built = cache.join(BINARY);
    if built.exists() {
        return Ok(built);
    }
    build_alone(cache, foreground)
}

/// Builds one, and puts it in the place of any that is there.
pub(super) fn build(cache: &Path, foreground: &mut Foreground) -> Result<PathBuf> {
    let _lock = cache::lock(cache, foreground)?;
    build_alone(cache, foreground)
}

fn build_alone(cache: &Path, foreground: &mut Foreground) -> Result<PathBuf> {
    eprintln!(
        "xtask: building a Bigtable emulator from Debian's packages, once, into {}: about two minutes, \
         300 MB to download, 3 GB of disk for the while",
        cache.display()
    );
    let start = Instant::now();
    let workshop = Workshop::new(cache)?;
    let binary = workshop
        .build(foreground)
        .map_err(|error| anyhow!("{error:#} (log: {})", workshop.log.display()))?;
    let built = cache.join(BINARY);
    fs::rename(binary, &built)?;
    eprintln!("xtask: built in {} s", start.elapsed().as_secs());
    Ok(built)
}

/// A folder to work in; gone when dropped. Only the log stays.
struct Workshop {
    folder: PathBuf,
    log: PathBuf,
}

impl Drop for Workshop {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            eprintln!("xtask: cannot remove {}: {error}", self.folder.display());
        }
    }
}

impl Workshop {
    fn new(cache: &Path) -> Result<Self> {
        let folder = cache.join("build");
        if folder.exists() {
            // Left by one that was killed: we hold the lock.
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir(&folder)?;
        let log = cache.join("build.log");
        File::create(&log)?;
        Ok(Self { folder, log })
    }

    fn build(&self, foreground: &mut Foreground) -> Result<PathBuf> {
        self.write_apt_settings()?;
        eprintln!("xtask: asking apt what there is");
        self.run(self.apt().arg("update"), foreground)?;
        eprintln!("xtask: downloading");
        let suite = SUITES.first().context("no suite")?;
        self.run(
            self.apt()
                .args(["install", "--download-only", "-t", suite])
                .args(PACKAGES),
            foreground,
        )?;
        eprintln!("xtask: unpacking");
        self.unpack(foreground)?;
        eprintln!("xtask: compiling");
        self.compile(foreground)
    }

    /// Sets apt up to know of this folder only. The machine's proxies and keys stay in force; its hooks don't,
    /// as they may tidy the machine's own cache.
    fn write_apt_settings(&self) -> Result<()> {
        for folder in ["state/lists/partial", "cache/archives/partial", "root"] {
            fs::create_dir_all(self.folder.join(folder))?;
        }
        let sources = Mirror::of_this_machine()?.source(&SUITES);
        fs::write(self.folder.join("debian.sources"), sources)?;
        fs::write(self.folder.join("state/status"), "")?;
        let settings = format!(
            r#"
Dir::State "{folder}/state";
Dir::State::status "{folder}/state/status";
Dir::Cache "{folder}/cache";
Dir::Log "{folder}";
Dir::Etc::sourcelist "{folder}/debian.sources";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Acquire::Languages "none";
Acquire::Retries "3";
APT::Get::Assume-Yes "true";
APT::Install-Recommends "false";
APT::Update::Error-Mode "any";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
"#,
            folder = self.folder.display()
        );
        Ok(fs::write(self.folder.join("apt.conf"), settings)?)
    }

    fn apt(&self) -> Command {
        let mut command = Command::new("apt-get");
        command.arg("-c").arg(self.folder.join("apt.conf"));
        command
    }

    fn unpack(&self, foreground: &mut Foreground) -> Result<()> {
        for entry in fs::read_dir(self.folder.join("cache/archives"))? {
            let package = entry?.path();
            if package.extension().is_some_and(|name| name == "deb") {
                let mut command = Command::new("dpkg-deb");
                command
                    .arg("-x")
                    .arg(&package)
                    .arg(self.folder.join("root"));
                self.run(&mut command, foreground)?;
                fs::remove_file(package)?;
            }
        }
        Ok(())
    }

    fn compile(&self, foreground: &mut Foreground) -> Result<PathBuf> {
        let source = self.folder.join("emulator.go");
        fs::write(&source, SOURCE)?;
        let binary = self.folder.join(BINARY);
        let root = self.folder.join("root/usr");
        let mut command = Command::new(root.join("lib/go/bin/go"));
        command
            .args(["build", "-trimpath", "-ldflags=-s -w", "-o"])
            .args([&binary, &source])
            .env("GOPATH", root.join("share/gocode"))
            .env("GOCACHE", self.folder.join("gocache"))
            .envs([("GO111MODULE", "off"), ("GOTOOLCHAIN", "local")])
            .envs([("GOENV", "off"), ("GOFLAGS", ""), ("CGO_ENABLED", "0")])
            .env_remove("GOROOT")
            // Go counts its runs in the home folder.
            .env("HOME", &self.folder)
            .env("XDG_CONFIG_HOME", &self.folder);
        self.run(&mut command, foreground)?;
        Emulator::start(&binary, 0)?;
        Ok(binary)
    }

    /// Runs a command whose output goes to the log.
    fn run(&self, command: &mut Command, foreground: &mut Foreground) -> Result<()> {
        let log = File::options().append(true).open(&self.log)?;
        foreground.run(
            command
                .env("LC_ALL", "C")
                .stdout(log.try_clone()?)
                .stderr(log),
        )
    }
}

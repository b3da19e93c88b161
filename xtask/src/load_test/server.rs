//! The services that a load test starts, and what they cost.
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::args::{Args, Store};
use crate::emulator::{self, Emulator};
use crate::foreground::{Foreground, cargo};
use crate::metadata::Metadata;

/// Clock ticks a second, in which Linux counts a process's time on every platform that we build for.
const TICKS: f64 = 100.0;

const PAGE: u64 = 4_096;

/// Services over one store; killed when dropped, and the store gone with them.
pub(super) struct Servers {
    processes: Vec<Child>,
    pub(super) addresses: Vec<SocketAddr>,
    /// How long it took from the start of the first to its being ready.
    pub(super) started_in: Duration,
    folder: PathBuf,
    _emulator: Option<Emulator>,
}

/// What the processes of a service have used.
#[derive(Clone, Copy, Debug)]
pub(super) struct Usage {
    /// Processor time since their start, in seconds.
    pub(super) cpu_seconds: f64,
    /// Resident memory, in bytes.
    pub(super) resident: u64,
}

impl Servers {
    /// Builds the service, starts it with its store, and puts flags into that.
    pub(super) fn start(args: &Args, foreground: &mut Foreground) -> Result<Self> {
        let emulator = match args.store {
            Store::Emulator => Some(Emulator::start(&emulator::obtain(foreground)?, 0)?),
            Store::Embedded | Store::Bigtable => None,
        };
        foreground.run(cargo().args([
            "build",
            "--release",
            "-p",
            "flag-service",
            "-p",
            "flagctl",
        ]))?;
        let target = Metadata::read()?.target_directory;
        let folder = target.join(format!("load-test-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let setup = Setup {
            binaries: target.join("release"),
            folder: folder.clone(),
            store: args.store,
            emulator: emulator
                .as_ref()
                .map(|emulator| emulator.address().to_owned()),
        };
        let mut servers = Self {
            processes: Vec::new(),
            addresses: Vec::new(),
            started_in: Duration::ZERO,
            folder,
            _emulator: emulator,
        };
        if args.flags > 0 {
            setup.fill(&args.project, args.flags, foreground)?;
        }
        for replica in 0..args.replicas {
            let began = Instant::now();
            let (process, address) = setup.serve()?;
            servers.processes.push(process);
            servers.addresses.push(address);
            if replica == 0 {
                servers.started_in = began.elapsed();
            }
        }
        Ok(servers)
    }

    /// What they have used, together.
    pub(super) fn usage(&self) -> Option<Usage> {
        let usages = self.processes.iter().map(|process| usage(process.id()));
        usages.sum()
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        for process in &mut self.processes {
            let _ = process.kill();
            let _ = process.wait();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl std::iter::Sum for Usage {
    fn sum<I: Iterator<Item = Self>>(usages: I) -> Self {
        let none = Self {
            cpu_seconds: 0.0,
            resident: 0,
        };
        usages.fold(none, |sum, usage| Self {
            cpu_seconds: sum.cpu_seconds + usage.cpu_seconds,
            resident: sum.resident + usage.resident,
        })
    }
}

/// What every process is started with.
struct Setup {
    binaries: PathBuf,
    folder: PathBuf,
    store: Store,
    emulator: Option<String>,
}

impl Setup {
    fn serve(&self) -> Result<(Child, SocketAddr)> {
        let mut process = self
            .command("flag-service")
            .arg("--demo")
            .env("FLAG_LISTEN", "127.0.0.1:0")
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start flag-service")?;
        let stdout = process.stdout.take().context("no standard output")?;
        let mut stdout = BufReader::new(stdout);
        let address = stdout
            .by_ref()
            .lines()
            .map_while(Result::ok)
            .find_map(|line| {
                let url = line
                    .split_whitespace()
                    .find_map(|word| word.strip_prefix("http://"))?;
                url.parse().ok()
            });
        // Whoever writes to a closed pipe may die of it.
        process.stdout = Some(stdout.into_inner());
        if let Some(address) = address {
            return Ok((process, address));
        }
        let _ = process.kill();
        let _ = process.wait();
        bail!("flag-service did not start")
    }

    /// Adds flags named `load_1`, `load_2`, … with a treatment of 40 %.
    fn fill(&self, project: &str, flags: u32, foreground: &mut Foreground) -> Result<()> {
        let file = self.folder.join("flags.yaml");
        fs::write(&file, flag_file(project, flags))?;
        let mut apply = self.command("flagctl");
        apply
            .args(["apply", "--yes", "-f"])
            .arg(&file)
            .stdout(Stdio::null());
        foreground.run(&mut apply)
    }

    fn command(&self, binary: &str) -> Command {
        let mut command = Command::new(self.binaries.join(binary));
        match self.store {
            Store::Embedded => command
                .env("FLAG_STORE", "embedded")
                .env("FLAG_DATA_DIR", &self.folder),
            Store::Emulator | Store::Bigtable => command.env("FLAG_STORE", "bigtable"),
        };
        if let Some(emulator) = &self.emulator {
            command.env("BIGTABLE_EMULATOR_HOST", emulator);
        }
        command
    }
}

/// The flags as `flagctl apply` takes them.
fn flag_file(project: &str, flags: u32) -> String {
    let mut file = format!("file_version: 1\nproject: {project}\nflags:\n");
    for flag in 1..=flags {
        // Writing to a text cannot fail.
        let _ = write!(
            file,
            "- flag_type: feature\n  name: load_{flag}\n  metadata: {{description: Load test}}\n  revision:\n    control: false\n    treatments: [{{percent: 40, value: true}}]\n"
        );
    }
    file
}

/// What a process has used, as `/proc` tells.
fn usage(id: u32) -> Option<Usage> {
    let folder = Path::new("/proc").join(id.to_string());
    let stat = fs::read_to_string(folder.join("stat")).ok()?;
    let statm = fs::read_to_string(folder.join("statm")).ok()?;
    // The name, in parentheses, may hold spaces; the fields after it are counted from the third.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut times = fields
        .split(' ')
        .skip(11)
        .map_while(|field| field.parse::<f64>().ok());
    let ticks = times.next()? + times.next()?;
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    Some(Usage {
        cpu_seconds: ticks / TICKS,
        resident: pages * PAGE,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_used_something() {
        let usage = usage(std::process::id()).unwrap();
        assert!(usage.resident > PAGE && usage.cpu_seconds >= 0.0);
    }
}

//! The services that a load test starts, and what they cost.
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use super::usage::Usage;
use crate::emulator::{self, Emulator};
use crate::foreground::{Foreground, cargo};
use crate::metadata::Metadata;

/// Tells the folders of services apart that run side by side.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// Services over one store; killed when dropped, and the store gone with them.
pub(crate) struct Servers {
    processes: Vec<Child>,
    pub(crate) addresses: Vec<SocketAddr>,
    /// When the first of them was started.
    pub(crate) began: Instant,
    /// How long it took from the start of the first to its being ready.
    pub(crate) started_in: Duration,
    folder: PathBuf,
    emulator: Option<Emulator>,
    /// Stands in front of the emulator, and ends before it.
    sink: Option<Emulator>,
}

/// Which services to start.
#[derive(Clone, Debug)]
pub(crate) struct ServerOptions {
    /// What is started.
    pub(crate) program: Program,
    /// Over which store.
    pub(crate) store: Store,
    /// How many.
    pub(crate) replicas: u16,
    /// The project that gets flags, besides the sample flags.
    pub(crate) project: String,
    /// How many flags it gets.
    pub(crate) flags: u32,
    /// What else their environment holds.
    pub(crate) variables: Vec<(&'static str, &'static str)>,
    /// The program, with its arguments, that each of them runs under, if any.
    pub(crate) wrapper: Vec<String>,
    /// The processor that the emulator may use; without it all.
    pub(crate) store_processor: Option<usize>,
    /// Where the embedded store lies already; without it a new one is made, which goes with the services.
    pub(crate) folder: Option<PathBuf>,
}

/// What has a program run on one processor.
pub(crate) fn on_processor(processor: usize) -> Vec<String> {
    ["taskset", "-c", &processor.to_string()]
        .map(str::to_owned)
        .into()
}

/// What is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    /// The service.
    Service,
    /// The same HTTP server with the same decision and nothing else.
    Bare,
}

/// The store of a service that is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Store {
    /// Local files.
    Embedded,
    /// The Bigtable emulator, started too.
    Emulator,
    /// The same for flags; exposures are acknowledged and dropped by `examples/sink.rs` of the adapter.
    Sink,
    /// Bigtable, as the environment says.
    Bigtable,
}

impl Servers {
    /// Starts what [`build`] has built, with its store, and puts flags into that.
    pub(crate) fn start(options: &ServerOptions, foreground: &mut Foreground) -> Result<Self> {
        let target = Metadata::read()?.target_directory;
        let emulator = match options.store {
            Store::Emulator | Store::Sink => Some(Emulator::start_on(
                &emulator::obtain(foreground)?,
                0,
                options.store_processor,
            )?),
            Store::Embedded | Store::Bigtable => None,
        };
        let sink = match (&emulator, options.store) {
            (Some(emulator), Store::Sink) => Some(Emulator::start_before(
                emulator,
                &target.join("release/examples/sink"),
                options.store_processor,
            )?),
            _ => None,
        };
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = target.join(format!("load-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let setup = Setup {
            options,
            binaries: target.join("release"),
            folder: folder.clone(),
            emulator: sink.as_ref().or(emulator.as_ref()).map(Emulator::address),
        };
        let mut servers = Self {
            processes: Vec::new(),
            addresses: Vec::new(),
            began: Instant::now(),
            started_in: Duration::ZERO,
            folder: folder.clone(),
            emulator: None,
            sink: None,
        };
        for replica in 0..options.replicas {
            let began = Instant::now();
            let (process, address) = setup.serve()?;
            servers.processes.push(process);
            servers.addresses.push(address);
            if replica == 0 {
                servers.began = began;
                servers.started_in = began.elapsed();
                // After the sample flags, which come only into an empty store.
                if options.flags > 0 {
                    setup.fill(foreground)?;
                }
            }
        }
        servers.emulator = emulator;
        servers.sink = sink;
        Ok(servers)
    }

    /// The process of the first.
    pub(crate) fn id(&self) -> Option<u32> {
        self.processes.first().map(Child::id)
    }

    /// Stops them, so that what they do in the background costs others nothing.
    pub(crate) fn pause(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets them go on.
    pub(crate) fn resume(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        for process in &self.processes {
            kill_process(Pid::from_child(process), signal)?;
        }
        Ok(())
    }

    /// What they have used, together.
    pub(crate) fn usage(&self) -> Option<Usage> {
        let usages = self.processes.iter();
        usages.map(|process| Usage::of(process.id())).sum()
    }

    /// How many bytes the files of the embedded store have, if it was made with them.
    pub(crate) fn stored_bytes(&self) -> Result<u64> {
        let mut bytes = 0;
        for file in fs::read_dir(&self.folder)? {
            let metadata = file?.metadata()?;
            bytes += if metadata.is_file() {
                metadata.len()
            } else {
                0
            };
        }
        Ok(bytes)
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        for process in &mut self.processes {
            let _ = process.kill();
            let _ = process.wait();
        }
        drop(self.sink.take());
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// What every process is started with.
struct Setup<'a> {
    options: &'a ServerOptions,
    binaries: PathBuf,
    folder: PathBuf,
    emulator: Option<&'a str>,
}

impl Setup<'_> {
    fn serve(&self) -> Result<(Child, SocketAddr)> {
        let mut process = match self.options.program {
            Program::Service => self.command("flag-service").arg("--demo").spawn(),
            Program::Bare => self.command("examples/bare").spawn(),
        }
        .context("cannot start the service")?;
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
        // A process that writes to a closed pipe may die of it.
        process.stdout = Some(stdout.into_inner());
        if let Some(address) = address {
            return Ok((process, address));
        }
        let _ = process.kill();
        let _ = process.wait();
        bail!("the service did not start")
    }

    /// Adds flags named `load_1`, `load_2`, … with a treatment of 40 %.
    fn fill(&self, foreground: &mut Foreground) -> Result<()> {
        let file = self.folder.join("flags.yaml");
        fs::write(&file, flag_file(&self.options.project, self.options.flags))?;
        let mut apply = self.command("flagctl");
        apply
            .args(["apply", "--yes", "-f"])
            .arg(&file)
            .stdout(Stdio::null());
        foreground.run(&mut apply)
    }

    fn command(&self, binary: &str) -> Command {
        let path = self.binaries.join(binary);
        let mut command = match self.options.wrapper.split_first() {
            Some((program, words)) => {
                let mut command = Command::new(program);
                command.args(words).arg(path);
                command
            }
            None => Command::new(path),
        };
        match self.options.store {
            Store::Embedded => command.env("FLAG_STORE", "embedded").env(
                "FLAG_DATA_DIR",
                self.options.folder.as_ref().unwrap_or(&self.folder),
            ),
            Store::Emulator | Store::Sink | Store::Bigtable => {
                command.env("FLAG_STORE", "bigtable")
            }
        };
        if let Some(emulator) = self.emulator {
            command.env("BIGTABLE_EMULATOR_HOST", emulator);
        }
        command
            .env("FLAG_LISTEN", "127.0.0.1:0")
            .envs(self.options.variables.iter().copied())
            .stdout(Stdio::piped());
        command
    }
}

/// Builds all that can be started: the binaries as they are handed out, then what measures them, whose dependencies
/// have other features. Returns the folder of the binaries.
pub(crate) fn build(foreground: &mut Foreground) -> Result<PathBuf> {
    let folder = build_service(foreground)?;
    let release = ["build", "--release"];
    let bare = ["--example", "bare", "-p", "flag-service"];
    let fill = ["--example", "fill", "-p", "flag-store-embedded"];
    let sink = ["--example", "sink", "-p", "flag-store-bigtable"];
    let write = ["--example", "write_flags", "-p", "flag-api"];
    let examples = [bare, fill, sink, write];
    foreground.run(cargo().args(release).args(examples.as_flattened()))?;
    Ok(folder)
}

/// Builds the binaries as they are handed out. Returns their folder.
pub(crate) fn build_service(foreground: &mut Foreground) -> Result<PathBuf> {
    let binaries = ["--release", "--bins", "-p", "flag-service", "-p", "flagctl"];
    foreground.run(cargo().arg("build").args(binaries))?;
    Ok(Metadata::read()?.target_directory.join("release"))
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

//! Schemathesis against the real service: asks it whatever its own description allows, and much that it doesn't.
//!
//! Then with what the description of OFREP allows. Schemathesis lies in a virtual environment of its own; `tests/schemathesis` pins it and says what it is to know of
//! flags. A failure is a 5xx, a status, header or body that `/openapi.json` doesn't describe, or a question that is
//! answered though it cannot be, or refused though it can.
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;
use std::{env, fs, process};

use anyhow::{Context, Result};

use crate::foreground::Foreground;
use crate::metadata::Metadata;
use crate::test;
use crate::venv::Venv;

/// What it is to know, and the files that pin it.
const FOLDER: &str = "tests/schemathesis";

/// The description of OFREP there.
const OFREP: &str = "ofrep.yaml";

/// The project of the sample flags.
const PROJECT: &str = "csr-assistant";

/// How many operations take so much that their cases don't run out: questions and events, by GET and by HEAD, and OFREP.
const RICH_OPERATIONS: u32 = 8;

/// Questions that can be, and questions that cannot: together, most would be of the second kind.
const MODES: [&str; 2] = ["positive", "negative"];

/// How long it may take for each thousand cases, and at all.
const LIMIT_OF_A_THOUSAND: Duration = Duration::from_mins(3);
const LIMIT: Duration = Duration::from_mins(3);

/// How many cases, and which.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How many cases, about
    #[arg(long, default_value_t = 10_000)]
    cases: u32,
    /// Repeats the cases of a run that named this number
    #[arg(long)]
    seed: Option<u64>,
}

/// As many as a change must pass.
pub(crate) const OF_A_CHANGE: Args = Args {
    cases: 800,
    // The same cases for every change: what chance finds belongs into the long run.
    seed: Some(1),
};

/// Runs it. Fails if it finds anything.
pub(crate) fn run(args: &Args, foreground: &mut Foreground) -> Result<()> {
    let folder = Metadata::read()?.workspace_root.join(FOLDER);
    let python = venv(&folder)
        .obtain(foreground)
        .context("cannot install Schemathesis")?;
    let binaries = test::build(foreground)?;
    let service = Service::start(&binaries)?;
    let ours = vec![format!("{}/openapi.json", service.url)];
    let project = format!("{}/projects/{PROJECT}", service.url);
    let ofrep = folder.join(OFREP).display().to_string();
    let ofrep = vec![ofrep, "--url".to_owned(), project];
    for description in [ours, ofrep] {
        for mode in MODES {
            ask(
                &service,
                &description,
                mode,
                args,
                (&folder, &python),
                foreground,
            )?;
        }
    }
    Ok(())
}

fn ask(
    service: &Service,
    description: &[String],
    mode: &str,
    args: &Args,
    (folder, python): (&Path, &Path),
    foreground: &mut Foreground,
) -> Result<()> {
    let share = RICH_OPERATIONS * u32::try_from(MODES.len())?;
    let cases = args.cases.div_ceil(share).max(1).to_string();
    let mut command = Command::new(python.with_file_name("schemathesis"));
    command
        .arg("--config-file")
        .arg(folder.join("schemathesis.toml"))
        .arg("run")
        .args(description)
        .args(["--mode", mode, "--max-examples", &cases])
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("SCHEMATHESIS_HOOKS", "hooks")
        .env("PYTHONPATH", folder)
        // It leaves its examples where it runs.
        .current_dir(service.folder.path());
    if let Some(seed) = args.seed {
        command.args(["--seed", &seed.to_string()]);
    }
    let limit = LIMIT + LIMIT_OF_A_THOUSAND * args.cases.div_ceil(1_000);
    foreground.run_within(limit, &mut command)
}

fn venv(folder: &Path) -> Venv {
    Venv {
        what: "Schemathesis".to_owned(),
        cost: "half a minute, 0.1 GB of disk",
        cache: "flag-schemathesis",
        folder: "schemathesis".to_owned(),
        requirements: folder.join("requirements.txt"),
        constraints: folder.join("constraints.txt"),
    }
}

/// The service with the sample flags in a folder of its own; both are gone when this is dropped.
struct Service {
    child: Child,
    url: String,
    folder: Folder,
    /// Open until the end: the service has more to say than where it is.
    _stdout: BufReader<ChildStdout>,
}

impl Service {
    fn start(binaries: &Path) -> Result<Self> {
        let folder = Folder::new()?;
        let mut child = Command::new(binaries.join("flag-service"))
            .arg("--demo")
            .env("FLAG_LISTEN", "127.0.0.1:0")
            .env("FLAG_DATA_DIR", folder.path().join("data"))
            .env("FLAG_LOG", "warn,actix_http=off")
            // It reads each answer to its end, and an event stream has none for minutes: these are 404, or refused.
            .env("FLAG_PUSH", "off")
            .env("FLAG_DEFAULT_PROJECT", PROJECT)
            // As the description of OFREP has them.
            .env("FLAG_OFREP_STRICT_REASONS", "true")
            // A busy machine may take longer than the default for a first read.
            .env("FLAG_STORE_DEADLINE_MS", "5000")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the service")?;
        let stdout = child.stdout.take().context("no standard output to read")?;
        let mut stdout = BufReader::new(stdout);
        let url = (&mut stdout)
            .lines()
            .map_while(Result::ok)
            .find_map(|line| Some(line.split_once("serves ")?.1.split(' ').next()?.to_owned()));
        let mut service = Self {
            child,
            url: String::new(),
            folder,
            _stdout: stdout,
        };
        service.url = url.context("the service does not say where it is")?;
        Ok(service)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder that is gone when this is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self> {
        let path = env::temp_dir().join(format!("flag-schemathesis-{}", process::id()));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_pinned_to_the_last_package() {
        venv(&Metadata::read().unwrap().workspace_root.join(FOLDER)).check_pins();
    }
}

//! Runs commands one at a time, and ends the running one when this process gets a signal.
//!
//! Each command leads a process group of its own, and every signal that would end us is passed on to that
//! group: so it arrives exactly once, whether a terminal signalled everything it started or a supervisor us
//! alone. Knows nothing of what it runs.
use std::env;
use std::io::{BufRead, BufReader};
use std::iter;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// How long a signal, or the end of a command, may go unnoticed.
const GLANCE: Duration = Duration::from_millis(10);

/// How long a command whose time is up may take to tidy up.
const GRACE: Duration = Duration::from_secs(5);

/// The place where one command runs at a time.
pub(crate) struct Foreground {
    signals: Signals,
    told_to_end: bool,
}

impl Foreground {
    /// Takes over the signals that would end us. Made once per process.
    pub(crate) fn new() -> Result<Self> {
        let signals =
            Signals::new([SIGHUP, SIGINT, SIGTERM]).context("cannot watch for signals")?;
        Ok(Self {
            signals,
            told_to_end: false,
        })
    }

    /// Fails if a signal has come.
    pub(crate) fn check(&mut self) -> Result<()> {
        self.told_to_end |= self.signals.pending().next().is_some();
        if self.told_to_end {
            bail!("interrupted");
        }
        Ok(())
    }

    /// Waits for a moment. Fails if a signal has come.
    pub(crate) fn rest(&mut self) -> Result<()> {
        thread::sleep(GLANCE);
        self.check()
    }

    /// Runs a command to its end. Fails if it fails.
    pub(crate) fn run(&mut self, command: &mut Command) -> Result<()> {
        let mut child = self.spawn(command)?;
        let status = self.wait(&mut child, None)?;
        self.judge(command, status)
    }

    /// Runs a command to its end, or ends it when the time is up. Fails if it fails.
    pub(crate) fn run_within(&mut self, limit: Duration, command: &mut Command) -> Result<()> {
        let deadline = Instant::now() + limit;
        let mut child = self.spawn(command)?;
        let status = self.wait(&mut child, Some(deadline))?;
        if !status.success() && Instant::now() >= deadline {
            self.check()?;
            bail!("`{}` took longer than {limit:?}", line(command));
        }
        self.judge(command, status)
    }

    /// Runs a command to its end, handing each line of its standard output to `read`. Fails if it fails.
    pub(crate) fn run_reading(
        &mut self,
        command: &mut Command,
        mut read: impl FnMut(&str) + Send,
    ) -> Result<()> {
        let mut child = self.spawn(command.stdout(Stdio::piped()))?;
        let stdout = child.stdout.take().context("no standard output to read")?;
        let status = thread::scope(|scope| {
            scope.spawn(move || {
                for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
                    read(&String::from_utf8_lossy(&line));
                }
            });
            self.wait(&mut child, None)
        })?;
        self.judge(command, status)
    }

    fn spawn(&mut self, command: &mut Command) -> Result<Child> {
        self.check()?;
        command
            .stdin(Stdio::null())
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start `{}`", line(command)))
    }

    fn wait(&mut self, child: &mut Child, deadline: Option<Instant>) -> Result<ExitStatus> {
        let group = Pid::from_child(child);
        let mut asked = false;
        loop {
            for signal in self.signals.pending() {
                self.told_to_end = true;
                if let Some(signal) = Signal::from_named_raw(signal) {
                    // Fails when the command has just ended, which is what was wanted.
                    let _ = kill_process_group(group, signal);
                }
            }
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            if let Some(late) = deadline.and_then(|it| Instant::now().checked_duration_since(it)) {
                let signal = if asked { Signal::KILL } else { Signal::TERM };
                if !asked || late >= GRACE {
                    let _ = kill_process_group(group, signal);
                }
                asked = true;
            }
            thread::sleep(GLANCE);
        }
    }

    fn judge(&mut self, command: &Command, status: ExitStatus) -> Result<()> {
        self.check()?;
        if !status.success() {
            bail!("`{}` failed ({status})", line(command));
        }
        Ok(())
    }
}

/// Cargo, the very one that runs us, as if called by hand.
///
/// What `cargo run` tells us of our own package would make ring's build script, and all that needs ring, run
/// again each time.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in env::vars_os() {
        let told = name.to_string_lossy();
        if told.starts_with("CARGO_PKG_") || told.starts_with("CARGO_MANIFEST_") {
            command.env_remove(name);
        }
    }
    command
}

/// Tells whether `cargo <plugin>` is installed.
pub(crate) fn has_cargo_plugin(plugin: &str) -> bool {
    cargo()
        .args([plugin, "--version"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Spells a command as it would be typed, but for quotes.
fn line(command: &Command) -> String {
    let program = Path::new(command.get_program());
    iter::once(program.file_name().unwrap_or(command.get_program()))
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_failure_names_the_command() {
        let failed = Foreground::new().unwrap().run(&mut sh("exit 3"));
        assert_eq!(
            failed.unwrap_err().to_string(),
            "`sh -c exit 3` failed (exit status: 3)"
        );
    }

    #[test]
    fn output_is_read_line_by_line() {
        let mut lines = Vec::new();
        Foreground::new()
            .unwrap()
            .run_reading(&mut sh("echo one; echo two"), |line| {
                lines.push(line.to_owned());
            })
            .unwrap();
        assert_eq!(lines, ["one", "two"]);
    }

    #[test]
    fn what_takes_too_long_is_ended() {
        let limit = Duration::from_millis(20);
        let failed = Foreground::new()
            .unwrap()
            .run_within(limit, &mut sh("sleep 60 & wait"));
        assert_eq!(
            failed.unwrap_err().to_string(),
            "`sh -c sleep 60 & wait` took longer than 20ms"
        );
    }

    #[test]
    fn a_missing_program_is_named() {
        let failed = Foreground::new()
            .unwrap()
            .run(&mut Command::new("no-such-program"));
        assert_eq!(
            failed.unwrap_err().to_string(),
            "cannot start `no-such-program`"
        );
    }
}

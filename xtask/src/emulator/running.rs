//! An emulator that runs, for as long as the value that stands for it.
use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// How long an emulator may take to say its address; the real one takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// Ends the emulator as soon as our end of the pipe closes: when we drop it, and also when we are killed.
/// Our copy of the output is closed so that its end is the emulator's end.
const GUARD: &str = r#""$@" &
exec >&-
read -r _
{ kill "$!"; wait "$!"; } 2>/dev/null"#;

/// A running emulator; dropping it ends it.
pub(crate) struct Emulator {
    guard: Child,
    address: String,
    reader: JoinHandle<()>,
}

impl Emulator {
    /// Starts a binary on 127.0.0.1, and waits until it listens. Port 0 takes any that is free.
    pub(crate) fn start(binary: &Path, port: u16) -> Result<Self> {
        Self::start_on(binary, port, None)
    }

    /// Starts it likewise, on one processor if one is given, where it steps back for whatever else runs there.
    pub(crate) fn start_on(binary: &Path, port: u16, processor: Option<usize>) -> Result<Self> {
        let port = port.to_string();
        let [host, on, port_is] = ["-host", "127.0.0.1", "-port"].map(OsStr::new);
        let words = [binary.as_os_str(), host, on, port_is, OsStr::new(&port)];
        Self::start_pinned(&["nice", "-n", "19"], processor, &words)
            .with_context(|| format!("cannot start the emulator {}", binary.display()))
    }

    /// Starts a program in front of another emulator, on one processor like the emulator itself. It shares that with whatever
    /// else runs there: behind a load generator that waits in a loop, a program that steps back would hardly run.
    pub(crate) fn start_before(
        other: &Self,
        program: &Path,
        processor: Option<usize>,
    ) -> Result<Self> {
        let words = [program.as_os_str(), OsStr::new(other.address())];
        Self::start_pinned(&[], processor, &words)
            .with_context(|| format!("cannot start {}", program.display()))
    }

    /// Starts these words, and on one processor if one is given, with this priority there.
    fn start_pinned(priority: &[&str], processor: Option<usize>, words: &[&OsStr]) -> Result<Self> {
        let processor = processor.map(|it| it.to_string());
        let pinned = processor
            .iter()
            .flat_map(|it| priority.iter().copied().chain(["taskset", "-c", it]));
        let pinned: Vec<&OsStr> = pinned.map(OsStr::new).collect();
        Self::start_words(pinned.into_iter().chain(words.iter().copied()))
    }

    fn start_words<'a>(words: impl Iterator<Item = &'a OsStr>) -> Result<Self> {
        let mut guard = Command::new("sh")
            .args(["-c", GUARD, "sh"])
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .context("cannot start sh")?;
        let stdout = guard.stdout.take().context("no output to read")?;
        let (say, said) = channel();
        let mut emulator = Self {
            guard,
            address: String::new(),
            reader: thread::spawn(move || listen(stdout, &say)),
        };
        emulator.address = await_address(&said)?;
        Ok(emulator)
    }

    /// Where it listens, as host and port.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Fails if it has ended by itself.
    pub(crate) fn check(&self) -> Result<()> {
        if self.reader.is_finished() {
            bail!("the emulator has ended by itself");
        }
        Ok(())
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        if let Err(error) = self.guard.wait() {
            eprintln!("xtask: cannot wait for the emulator to end: {error}");
        }
    }
}

fn await_address(said: &Receiver<String>) -> Result<String> {
    match said.recv_timeout(PATIENCE) {
        Ok(address) => Ok(address),
        Err(RecvTimeoutError::Timeout) => bail!("it did not say its address within {PATIENCE:?}"),
        Err(RecvTimeoutError::Disconnected) => bail!("it ended before it said its address"),
    }
}

/// Reads all that an emulator prints, so that it never blocks, and passes its address on.
fn listen(stdout: ChildStdout, say: &Sender<String>) {
    for line in BufReader::new(stdout).lines().map_while(Result::ok) {
        if let Some(address) = address_in(&line) {
            // Nobody listens any more when the address comes too late.
            let _ = say.send(address.to_owned());
        }
    }
}

/// Picks the address out of `Cloud Bigtable emulator running on 127.0.0.1:40399`.
fn address_in(line: &str) -> Option<&str> {
    line.split_once(" running on ")
        .map(|(_, address)| address.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(script: &str) -> Result<Emulator> {
        Emulator::start_words(["sh", "-c", script].map(OsStr::new).into_iter())
    }

    #[test]
    fn the_address_is_what_it_prints() {
        let emulator = start("echo Emulator running on 127.0.0.1:7; exec sleep 60").unwrap();
        assert_eq!(emulator.address(), "127.0.0.1:7");
        emulator.check().unwrap();
    }

    #[test]
    fn dropping_ends_it() {
        let emulator = start("echo Emulator running on $$; exec sleep 60").unwrap();
        let process = Path::new("/proc").join(emulator.address());
        assert!(process.exists());
        drop(emulator);
        assert!(!process.exists());
    }

    #[test]
    fn one_that_ends_at_once_is_an_error() {
        let failed = start("exit 1").err().unwrap();
        assert_eq!(failed.to_string(), "it ended before it said its address");
    }
}

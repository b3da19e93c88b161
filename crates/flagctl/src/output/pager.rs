//! Text that is longer than the terminal goes through a pager.

use std::ffi::OsStr;
use std::io::{self, ErrorKind, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::SIGINT;

/// The exit code of a shell that found no such program.
const NO_SUCH_PROGRAM: i32 = 127;

/// What became of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paged {
    /// A person has seen it.
    Seen,
    /// There is no pager; nothing was shown.
    NoPager,
}

/// Shows a text in the pager that is wished for, else in `less`, until the person has seen enough. `less` takes its
/// options from the environment too.
pub(super) fn page(
    text: &str,
    wished: Option<&OsStr>,
    less_options: Option<&str>,
) -> io::Result<Paged> {
    let mut command = if let Some(pager) = wished {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(pager);
        shell
    } else {
        let mut less = Command::new("less");
        less.arg("-FRX");
        less
    };
    if let Some(options) = less_options {
        command.env("LESS", options);
    }
    match command.stdin(Stdio::piped()).spawn() {
        Ok(pager) => feed(pager, text),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Paged::NoPager),
        Err(error) => Err(error),
    }
}

/// Hands the text over and waits; an interrupt meanwhile is the pager's alone.
fn feed(mut pager: Child, text: &str) -> io::Result<Paged> {
    let ignored = signal_hook::flag::register(SIGINT, Arc::new(AtomicBool::new(false)))?;
    let written = match pager.stdin.take() {
        Some(mut stdin) => stdin.write_all(text.as_bytes()),
        None => Ok(()),
    };
    let status = pager.wait();
    signal_hook::low_level::unregister(ignored);
    match written {
        _ if status?.code() == Some(NO_SUCH_PROGRAM) => Ok(Paged::NoPager),
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error),
        _ => Ok(Paged::Seen),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paged(pager: &str, text: &str) -> Paged {
        page(text, Some(OsStr::new(pager)), Some("FRX")).unwrap()
    }

    #[test]
    fn a_pager_is_a_command_of_the_shell_that_reads_the_text() {
        let dir = tempfile::tempdir().unwrap();
        let seen = dir.path().join("seen");
        let pager = format!("(cat; echo $LESS) > '{}'", seen.display());
        assert_eq!(paged(&pager, "text\n"), Paged::Seen);
        assert_eq!(std::fs::read_to_string(seen).unwrap(), "text\nFRX\n");
    }

    #[test]
    fn a_pager_that_is_left_early_has_been_seen() {
        assert_eq!(paged("true", &"text\n".repeat(100_000)), Paged::Seen);
    }

    #[test]
    fn a_pager_that_is_not_there_shows_nothing() {
        let pager = "no-such-pager 2>/dev/null";
        assert_eq!(paged(pager, "text\n"), Paged::NoPager);
    }
}

//! Failures of a command: the message on standard error, and the exit code.
//!
//! Knows no command. Each module has an error of its own; `?` turns it into a [`Failure`].
mod store;

use std::error::Error;
use std::fmt::Write as _;
use std::io;
use std::iter::successors;

pub(crate) use self::store::{StoreFailure, append_exit_code, read_exit_code};
use crate::exit_code::ExitCode;

/// An error that ends the program.
pub(crate) trait CommandError: Error {
    /// The exit code of the program.
    fn exit_code(&self) -> ExitCode;

    /// The problems, each of which is reported on a line that begins with `error:`.
    fn problems(&self) -> Vec<String> {
        vec![self.to_string()]
    }
}

/// Why a command failed, ready to be reported.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The exit code of the program.
    pub(crate) exit_code: ExitCode,
    /// What is printed about it.
    pub(crate) report: Report,
}

/// What is printed about a failure.
#[derive(Debug)]
pub(crate) enum Report {
    /// Lines for standard error; none if the output of the command explains the failure.
    Message(String),
    /// Help or the version, for standard output.
    Help(clap::Error),
}

/// The operating system did not provide what the program needs to start.
#[derive(Debug, thiserror::Error)]
#[error("cannot start")]
pub(crate) struct CannotStart(#[from] pub(crate) io::Error);

impl Failure {
    /// A failure that the output of the command has explained already.
    pub(crate) fn explained_by_output(exit_code: ExitCode) -> Self {
        Self {
            exit_code,
            report: Report::Message(String::new()),
        }
    }

    /// Whether other arguments could have helped.
    pub(crate) fn is_caused_by_arguments(&self) -> bool {
        matches!(self.exit_code, ExitCode::Usage | ExitCode::NotFound)
    }
}

impl<E: CommandError> From<E> for Failure {
    fn from(error: E) -> Self {
        Self {
            exit_code: error.exit_code(),
            report: Report::Message(message(&error)),
        }
    }
}

impl From<clap::Error> for Failure {
    fn from(error: clap::Error) -> Self {
        if error.use_stderr() {
            Self {
                exit_code: ExitCode::Usage,
                report: Report::Message(error.render().to_string()),
            }
        } else {
            Self {
                exit_code: ExitCode::Done,
                report: Report::Help(error),
            }
        }
    }
}

impl CommandError for CannotStart {
    fn exit_code(&self) -> ExitCode {
        ExitCode::Failed
    }
}

impl CommandError for flag_settings::SettingErrors {
    fn exit_code(&self) -> ExitCode {
        ExitCode::Usage
    }

    fn problems(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }
}

/// An error with its causes, on one line.
pub(crate) fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    add_causes(&mut text, error, |cause| format!(": {cause}"));
    text
}

/// The problems, then the causes, each on a line of its own.
fn message(error: &dyn CommandError) -> String {
    let mut message = String::new();
    for problem in error.problems() {
        let _ = writeln!(message, "error: {problem}");
    }
    add_causes(&mut message, error, |cause| format!("caused by: {cause}\n"));
    message
}

/// Adds the causes of an error, outermost first, except those whose message the text contains already.
fn add_causes(text: &mut String, error: &dyn Error, shown: impl Fn(&str) -> String) {
    let causes = successors(error.source(), |&cause| cause.source());
    for cause in causes.map(ToString::to_string) {
        if !text.contains(&cause) {
            text.push_str(&shown(&cause));
        }
    }
}

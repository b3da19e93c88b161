//! `--check-config`: shows every setting and everything that is wrong with them. Starts nothing and opens no store.

use std::io::{self, Write as _};

use super::Input;

/// What is printed, and whether the service would start.
#[derive(Debug)]
pub(crate) struct Checked {
    /// The settings, for standard output.
    pub(crate) settings: String,
    /// Warnings and errors, for standard error.
    pub(crate) problems: Vec<String>,
    /// Whether there is no error.
    pub(crate) is_valid: bool,
}

/// Checks the configuration.
pub(crate) fn check_config(input: Input) -> Checked {
    let settings = input.settings();
    let unknown = input.unknown_variables();
    let warnings = unknown
        .iter()
        .map(|variable| format!("warning: {}: {variable}", variable.name));
    let mut problems: Vec<String> = warnings.collect();
    let errors = input.config().err();
    let is_valid = errors.is_none();
    let errors = errors.into_iter().flat_map(|errors| errors.0);
    problems.extend(errors.map(|error| format!("error: {error}")));
    Checked {
        settings,
        problems,
        is_valid,
    }
}

impl Checked {
    /// Prints the settings.
    pub(crate) fn print(&self) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(self.settings.as_bytes())?;
        if self.is_valid {
            stdout.write_all(b"the configuration is valid\n")?;
        }
        stdout.flush()
    }
}

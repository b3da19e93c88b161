//! `--generate`: the options for the manual page, and completions of shells, for packages.

use std::io::{self, Write};

use clap::Command;
use clap::builder::PossibleValue;
use clap_complete::Shell;
use clap_mangen::Man;

/// What a package gets from the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Generated {
    /// The section of the manual page about options.
    ManualOptions,
    /// What this shell needs to complete command lines.
    Completions(Shell),
}

const ALL: &[Generated] = &[
    Generated::ManualOptions,
    Generated::Completions(Shell::Bash),
    Generated::Completions(Shell::Fish),
    Generated::Completions(Shell::Zsh),
];

impl clap::ValueEnum for Generated {
    fn value_variants<'a>() -> &'a [Self] {
        ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        match self {
            Self::ManualOptions => Some(PossibleValue::new("manual-options")),
            Self::Completions(shell) => shell.to_possible_value(),
        }
    }
}

/// Writes it.
pub(crate) fn generate(
    what: Generated,
    mut command: Command,
    to: &mut impl Write,
) -> io::Result<()> {
    match what {
        Generated::ManualOptions => Man::new(command).render_options_section(to),
        Generated::Completions(shell) => {
            clap_complete::generate(shell, &mut command, "flag-service", to);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::command;

    fn generated(what: Generated) -> String {
        let mut text = Vec::new();
        generate(what, command(), &mut text).unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn options_are_in_the_manual_and_in_completions() {
        for what in ALL {
            let text = generated(*what).replace("\\-", "-");
            for option in ["check-config", "tls-certificate-file", "rate-limit"] {
                assert!(text.contains(option), "no {option} for {what:?}");
            }
        }
        let manual = generated(Generated::ManualOptions);
        assert!(!manual.contains("generate"), "it names what is hidden");
    }
}

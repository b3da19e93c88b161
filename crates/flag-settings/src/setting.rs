//! What a setting is.

use std::fmt;
use std::path::PathBuf;

use clap::{Arg, ArgAction};

/// One setting, as it is typed, put into the environment, and written into a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its key in a configuration file, and its option: `data_dir` is `--data-dir`.
    pub key: &'static str,
    /// Its variables; the first one that is set and not empty counts.
    pub variables: &'static [&'static str],
    /// What it is, with its unit and its range.
    pub about: &'static str,
    /// What it is if nobody says anything, as it would be typed; empty for nothing.
    pub default: &'static str,
}

impl Setting {
    /// The option of the command line, without its dashes.
    pub fn option(&self) -> String {
        self.key.replace('_', "-")
    }

    /// The option for clap, whose help names variable and default.
    pub fn arg(&self) -> Arg {
        let default = if self.default.is_empty() {
            String::new()
        } else {
            format!(" [default: {}]", self.default)
        };
        Arg::new(self.key)
            .long(self.option())
            .value_name("VALUE")
            .action(ArgAction::Set)
            .help(format!(
                "{} [env: {}]{default}",
                self.about,
                self.variables.join(", ")
            ))
    }
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The command line.
    Option,
    /// This variable of the environment.
    Variable(&'static str),
    /// This configuration file.
    File(PathBuf),
    /// Nobody said anything, but of another setting.
    Implied {
        /// The option of that one, without its dashes.
        by: String,
        /// Where its value came from.
        origin: Box<Self>,
    },
    /// Nobody said anything.
    Default,
}

impl Origin {
    /// The greater, the more it counts.
    pub(crate) fn strength(&self) -> u8 {
        match self {
            Self::Option => 3,
            Self::Variable(_) => 2,
            Self::File(_) => 1,
            Self::Implied { .. } | Self::Default => 0,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Option => f.write_str("command line"),
            Self::Variable(variable) => write!(f, "variable {variable}"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Implied { by, origin } => write!(f, "because {by} is set: {origin}"),
            Self::Default => f.write_str("default"),
        }
    }
}

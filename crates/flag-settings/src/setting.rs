//! What a setting is.

use std::fmt;
use std::path::PathBuf;

use clap::{Arg, ArgAction};

use crate::kind::Kind;

/// One setting, as it is typed, put into the environment, and written into a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its key in a configuration file, and its option: `data_dir` is `--data-dir`.
    pub key: &'static str,
    /// Its variables; the first one that is set and not empty counts.
    pub variables: &'static [&'static str],
    /// Which values it takes.
    pub kind: Kind,
    /// What it means; `{range}` and `{choices}` stand for what `kind` says.
    pub(crate) about: &'static str,
    /// Its value if no source sets it, as it would be typed; empty for none.
    pub default: &'static str,
}

impl Setting {
    /// The option of the command line, without its dashes.
    pub fn option(&self) -> String {
        self.key.replace('_', "-")
    }

    /// What it means, with its unit and its range.
    pub fn about(&self) -> String {
        self.kind.fill_in(self.about)
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
                self.about(),
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
    /// No source sets it, but another setting implies it.
    Implied {
        /// The option of the other setting, without its dashes.
        by: String,
        /// Where its value came from.
        origin: Box<Self>,
    },
    /// No source sets it.
    Default,
}

impl Origin {
    /// The source with the greatest precedence wins.
    pub(crate) fn precedence(&self) -> u8 {
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

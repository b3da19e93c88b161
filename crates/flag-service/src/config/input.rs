//! The command line and the environment, before they are checked.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;

use flag_settings::similar::without_far_suggestion;
use flag_settings::{EffectiveSetting, SettingErrors, Sources, UnknownVariable, table};

use super::{Config, Demo, Generated, command};

/// The command line and the environment of a process.
#[derive(Debug)]
pub(crate) struct Input {
    pub(super) sources: Sources,
    pub(super) demo: Demo,
    pub(super) notify_socket: Option<OsString>,
    pub(super) host_name: Option<String>,
    task: Task,
}

/// The variable with which systemd names the socket that it listens on.
const NOTIFY_SOCKET: &str = "NOTIFY_SOCKET";

/// The variable with the name of the pod or the host.
const HOSTNAME: &str = "HOSTNAME";

/// What the process is started for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// To serve.
    Serve,
    /// To show the settings and what is wrong with them.
    CheckConfig,
    /// To write a file of a package.
    Generate(Generated),
}

impl Input {
    /// Reads the command line and the environment of this process; `--help` and `--version` end it.
    pub(crate) fn from_process() -> Self {
        Self::read(std::env::args_os(), std::env::vars_os())
    }

    pub(super) fn read(
        args: impl IntoIterator<Item = OsString>,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Self {
        let matches = command().try_get_matches_from(args);
        let matches = matches.unwrap_or_else(|error| without_far_suggestion(error).exit());
        let environment: BTreeMap<_, _> = environment.into_iter().collect();
        let notify_socket = environment.get(OsStr::new(NOTIFY_SOCKET)).cloned();
        let host_name = environment.get(OsStr::new(HOSTNAME));
        let host_name = host_name.map(|name| name.to_string_lossy().into_owned());
        let mut sources = Sources::new(&matches, environment);
        let demo = if matches.get_flag("demo") {
            sources = sources.with_fallback(&table::STORE, "embedded");
            Demo::On
        } else {
            Demo::Off
        };
        let task = match matches.get_one("generate") {
            Some(what) => Task::Generate(*what),
            None if matches.get_flag("check_config") => Task::CheckConfig,
            None => Task::Serve,
        };
        Self {
            sources,
            demo,
            notify_socket,
            host_name,
            task,
        }
    }

    /// What the process is started for.
    pub(crate) fn task(&self) -> Task {
        self.task
    }

    /// The configuration, or every error in it.
    pub(crate) fn config(self) -> Result<Config, SettingErrors> {
        Config::build(self)
    }

    /// Every setting with its value and its origin, a line for each.
    pub(crate) fn settings(&self) -> String {
        let settings = self.sources.effective(table::ALL);
        let longest = settings.iter().map(|setting| setting.option.len()).max();
        let mut lines = String::new();
        for EffectiveSetting {
            option,
            value,
            origin,
        } in settings
        {
            let value = if value.is_empty() { "none" } else { &value };
            let value = value.replace(char::is_control, "\u{fffd}");
            let width = longest.unwrap_or_default();
            let _ = writeln!(lines, "{option:width$} = {value} ({origin})");
        }
        lines
    }

    /// Variables with a prefix of settings that belong to no setting.
    pub(crate) fn unknown_variables(&self) -> Vec<UnknownVariable> {
        self.sources.unknown_variables()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(args: &[&str], environment: &[(&str, &str)], line: &str) {
        let args = ["flag-service"].iter().chain(args).map(OsString::from);
        let environment = environment.iter();
        let environment = environment.map(|(name, value)| (name.into(), value.into()));
        let input = Input::read(args, environment);
        let squeezed = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        let settings: Vec<String> = input.settings().lines().map(squeezed).collect();
        assert_eq!(settings.len(), table::ALL.len());
        assert!(settings.iter().any(|found| found == line), "{settings:#?}");
    }

    #[test]
    fn a_setting_is_shown_with_its_origin() {
        check(&[], &[], "listen = 127.0.0.1:8080 (default)");
        check(&[], &[], "workers = none (default)");
        check(
            &["--workers=2"],
            &[("FLAG_WORKERS", "3")],
            "workers = 2 (command line)",
        );
        check(
            &[],
            &[("FLAG_WORKERS", "a\nb")],
            "workers = a\u{fffd}b (variable FLAG_WORKERS)",
        );
        check(
            &[],
            &[("FLAG_LOG_INSTANCE_ID_KEY", "hunter2-hunter2-")],
            "log-instance-id-key = (hidden) (variable FLAG_LOG_INSTANCE_ID_KEY)",
        );
    }

    #[test]
    fn every_setting_has_an_option() {
        let command = command();
        let known = |key: &str| command.get_arguments().any(|arg| arg.get_id() == key);
        for setting in table::ALL {
            assert!(known(setting.key), "{setting:?}");
        }
    }
}

//! The command line: every command with its arguments, its help and its examples.
mod examples;
#[cfg(test)]
mod habits;
mod tips;

use std::ffi::OsString;

use clap::{ColorChoice, CommandFactory, FromArgMatches, Parser, Subcommand};
use flag_settings::{Setting, Sources, table};

use self::examples::with_short_examples;
use self::tips::{tip_for_missing_equals, with_tip};
use crate::args::{AddArgs, ReviseArgs};
use crate::commands::{
    ApplyArgs, BackupArgs, CompareArgs, CompleteArgs, CompletionsArgs, CopyArgs, DiffArgs,
    DoctorArgs, EditArgs, ExplainArgs, ExportArgs, ExposuresArgs, ForgetArgs, GetArgs, HistoryArgs,
    ImportArgs, InitArgs, KeysArgs, KillArgs, LatestArgs, ListArgs, ManualArgs, ProjectsArgs,
    ReplicasArgs, RestoreArgs, RestoreBackupArgs, RetireArgs, RollbackArgs, RunConfigArgs, SqlArgs,
    TagsArgs, UpdateArgs, UseArgs, VerifyArgs, WatchArgs,
};
use crate::environment::Variables;
use crate::exit_code::ExitCode;

/// Adds, revises and reads feature flags
#[derive(Debug, Parser)]
#[command(name = "flagctl", version, arg_required_else_help = true)]
struct CommandLine {
    /// When to show colours; they never say anything alone
    #[arg(
        long,
        value_name = "WHEN",
        global = true,
        default_value = "auto",
        hide_short_help = true
    )]
    color: ColorChoice,
    #[command(subcommand)]
    command: Command,
}

/// A command line that was read.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) command: Command,
    pub(crate) sources: Sources,
    pub(crate) colours: ColorChoice,
}

/// A command with its arguments.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Add a flag with its description
    #[command(after_help = "Example:
  flagctl add csr-assistant feature multi_step_api_router \\
      --description 'Multi-step API router' --expires-on 2027-01-31 \\
      --ticket https://tickets.example.com/CSR-12")]
    Add(AddArgs),
    /// Add a revision that changes who receives what; what is left out stays as it is
    #[command(
        override_usage = "flagctl revise [OPTIONS] <FLAG> [PERCENT%|on|off]",
        after_help = "Examples:
  flagctl revise csr-assistant feature multi_step_api_router \\
      --control false --comment 'Off for everyone'
  flagctl revise csr-assistant feature multi_step_api_router \\
      --percent 40 --override A12345 --comment 'Rollout to 40 %'
  flagctl revise csr-assistant/multi_step_api_router 50%
  flagctl revise csr-assistant data greeting \\
      --treatment new --value 'Hello!' --percent 12.5 --comment 'Try a greeting'"
    )]
    Revise(Box<ReviseArgs>),
    /// Edit a flag as a file in $VISUAL or $EDITOR, and apply what was changed
    #[command(after_help = "Example:
  flagctl edit csr-assistant/multi_step_api_router -m 'CSR-12'  # needs an editor")]
    Edit(EditArgs),
    /// Give everybody the control value, in one step
    #[command(after_help = "Examples:
  flagctl kill csr-assistant/multi_step_api_router
  flagctl kill csr-assistant/multi_step_api_router --overrides -m 'INC-7'")]
    Kill(KillArgs),
    /// Update the metadata of a flag; what is left out stays as it is
    #[command(after_help = "Example:
  flagctl update csr-assistant feature multi_step_api_router \\
      --ticket https://tickets.example.com/CSR-13 --expires-on 2027-03-31")]
    Update(UpdateArgs),
    /// Freeze the value of a flag that the code will soon no longer ask for; nothing is removed
    #[command(after_help = "Examples:
  flagctl retire csr-assistant/multi_step_api_router --value true \\
      -m 'Here to stay: CSR-12'
  flagctl retire csr-assistant/multi_step_api_router --undo")]
    Retire(RetireArgs),
    /// Roll a flag back to an older revision
    #[command(after_help = "Examples:
  flagctl rollback csr-assistant feature multi_step_api_router
  flagctl rollback csr-assistant feature multi_step_api_router \\
      --to '2024-09-25 19:15:28.248896'")]
    Rollback(RollbackArgs),
    /// Put the revisions of a project that were in force at an instant into force again; removes nothing
    #[command(after_help = "Examples:
  flagctl restore csr-assistant --at 2h --dry-run
  flagctl restore csr-assistant --at '2024-10-01 08:00:00' --only multi_step_api_router")]
    Restore(RestoreArgs),
    /// Write the row that a run configuration of the Python framework's DAG describes
    #[command(after_help = "Example:
  flagctl run-config --file run-config.json")]
    RunConfig(RunConfigArgs),
    /// Write the manual pages into a folder
    #[command(hide = true)]
    Manual(ManualArgs),
    /// Refused: nothing is ever removed
    #[command(hide = true, alias = "delete")]
    Remove {
        /// Any arguments.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        what: Vec<String>,
    },
    /// Show the metadata of a flag and its revision in force
    #[command(
        visible_alias = "show",
        after_help = "Example:
  flagctl get csr-assistant feature multi_step_api_router -o json"
    )]
    Get(GetArgs),
    /// Show only the revision in force
    #[command(
        visible_alias = "st",
        after_help = "Example:
  flagctl latest csr-assistant feature multi_step_api_router -o yaml"
    )]
    Latest(LatestArgs),
    /// Show the revisions of a flag, the newest first
    #[command(
        visible_alias = "log",
        after_help = "Examples:
  flagctl history csr-assistant feature multi_step_api_router --limit 5
  flagctl history csr-assistant feature multi_step_api_router --metadata
  flagctl history csr-assistant/multi_step_api_router --follow  # needs Ctrl-C"
    )]
    History(HistoryArgs),
    /// Watch the revisions of a flag and the counts of its answers, until Ctrl-C
    ///
    /// A terminal shows them in place, and again every second; elsewhere a line is appended for each change. Services write
    /// their counts once a minute.
    #[command(after_help = "Example:
  flagctl watch csr-assistant/multi_step_api_router  # needs Ctrl-C")]
    Watch(WatchArgs),
    /// Show the flags of a project
    #[command(
        visible_alias = "ls",
        after_help = "Examples:
  flagctl list csr-assistant
  flagctl list csr-assistant --with-latest
  flagctl list csr-assistant --search router --type feature
  flagctl list csr-assistant -o name"
    )]
    List(ListArgs),
    /// Show the projects of the store
    #[command(after_help = "Example:
  flagctl projects")]
    Projects(ProjectsArgs),
    /// Show the tags of the flags of a project
    #[command(after_help = "Example:
  flagctl tags csr-assistant")]
    Tags(TagsArgs),
    /// Show the replicas of the service, and which of them serve the newest revisions of a project
    #[command(after_help = "Example:
  flagctl replicas csr-assistant")]
    Replicas(ReplicasArgs),
    /// Show two revisions side by side; ends with code 7 if they decide differently
    #[command(
        override_usage = "flagctl diff [OPTIONS] <FLAG> [REVISION [REVISION]]",
        after_help = "Example:
  flagctl diff csr-assistant feature multi_step_api_router \\
      '2024-09-25 19:15:28.248896' '2024-10-01 08:00:00'  # exits 7"
    )]
    Diff(DiffArgs),
    /// Explain what an instance receives, and why, now or at a past time
    #[command(
        override_usage = "flagctl explain [OPTIONS] <FLAG> <INSTANCE>",
        after_help = "Examples:
  flagctl explain csr-assistant feature multi_step_api_router A12345
  flagctl explain csr-assistant feature multi_step_api_router A12345 \\
      --at '2024-09-30 12:00:00'"
    )]
    Explain(ExplainArgs),
    /// Show the logged exposures of a flag
    #[command(after_help = "Examples:
  flagctl exposures csr-assistant/multi_step_api_router --since 2h --limit 10
  flagctl exposures csr-assistant/multi_step_api_router --since ~1 --summary
  flagctl exposures csr-assistant/multi_step_api_router --instance A12345
  flagctl exposures csr-assistant/multi_step_api_router -o ndjson > exposures.ndjson
  flagctl exposures csr-assistant/multi_step_api_router --follow  # needs Ctrl-C")]
    Exposures(ExposuresArgs),
    /// Decide the logged exposures of a project again; ends with code 7 if something is wrong
    ///
    /// Each exposure is decided again by the revision that it names. Also finds exposures that are logged twice, instances that
    /// got two values from one revision, how outdated answers were, and splits that do not fit. With --history the revisions
    /// themselves are checked.
    #[command(after_help = "Examples:
  flagctl verify csr-assistant  # exits 7
  flagctl verify csr-assistant --history
  flagctl verify csr-assistant feature/multi_step_api_router --since 7d
  flagctl verify csr-assistant --from-checkpoint verify.json -o json  # exits 7")]
    Verify(VerifyArgs),
    /// Delete the exposures of an instance id, and show which override lists name it; no flag is changed
    #[command(after_help = "Examples:
  flagctl forget A12345 -p csr-assistant --dry-run
  flagctl forget A12345 -p csr-assistant --yes")]
    Forget(ForgetArgs),
    /// Print a query as GoogleSQL for Bigtable Studio
    ///
    /// The store is opened only to find the type of a flag, if that is left out.
    #[command(after_help = "Examples:
  flagctl sql latest csr-assistant/multi_step_api_router
  flagctl sql exposures csr-assistant/feature/multi_step_api_router --instance A12345
  flagctl sql list-with-latest csr-assistant --flag-table flags_test")]
    Sql(SqlArgs),
    /// Write the flags of a project as a file that can be reviewed and applied
    #[command(after_help = "Examples:
  flagctl export csr-assistant > flags.yaml
  flagctl export csr-assistant -o json > flags.json")]
    Export(ExportArgs),
    /// Apply a file of `flagctl export`: append what differs from the store, remove nothing
    #[command(after_help = "Examples:
  flagctl apply -f flags.yaml --check
  flagctl apply -f flags.yaml --dry-run
  flagctl apply -f flags.yaml --yes --comment 'CSR-12: greet everybody'")]
    Apply(ApplyArgs),
    /// Add the flags that another system has exported, and list what cannot be carried over
    ///
    /// Reads LaunchDarkly, Unleash, Flagsmith, GrowthBook, Flipt and GO Feature Flag. Flags that the store has are not changed;
    /// `-o yaml` writes a file for `flagctl apply` instead. Ends with code 9 if something was left out.
    #[expect(clippy::doc_markdown, reason = "help shows backticks as they are")]
    #[command(after_help = "Examples:
  flagctl import launchdarkly.json -p csr-assistant \\
      --environment production --dry-run  # exits 9
  flagctl import launchdarkly.json -p csr-assistant \\
      --environment production -o yaml > flags.yaml  # exits 9")]
    Import(ImportArgs),
    /// Create missing tables or files of the store; changes no data
    #[command(after_help = "Examples:
  flagctl init
  flagctl init --log-retention-days 30
  flagctl init --upgrade")]
    Init(InitArgs),
    /// Check settings, store, tables and rows; changes nothing
    #[command(after_help = "Examples:
  flagctl doctor
  flagctl doctor csr-assistant -o json")]
    Doctor(DoctorArgs),
    /// Compare the answers of two services for all flags of a project; ends with code 7 if one differs
    ///
    /// Use it to move from one service to another. Both services are asked for every flag and every instance id, and log
    /// each answer as an exposure.
    #[command(after_help = "Example:
  flagctl compare csr-assistant \\
      --with http://python-flags:8000 --ids ids.txt  # needs both services")]
    Compare(CompareArgs),
    /// Copy the rows of a project unchanged from one store to another; overwrites none
    #[command(after_help = "Examples:
  flagctl copy csr-assistant --from embedded:./flag-data --to embedded:./copy
  flagctl copy csr-assistant --from embedded:./flag-data \\
      --to bigtable:anbc-hcb-dev/csr-va-db-hcb-dev --exposures  # needs Google Cloud")]
    Copy(CopyArgs),
    /// Back up the embedded store into a folder, even while it is in use; checks each file
    #[command(after_help = "Example:
  flagctl backup ./backup-of-today")]
    Backup(BackupArgs),
    /// Restore a backup of the embedded store, even while the store is in use
    #[command(after_help = "Examples:
  flagctl backup ./backup-of-today
  flagctl restore-backup ./backup-of-today --data-dir ./new-flag-data
  flagctl restore-backup ./backup-of-today --replace")]
    RestoreBackup(RestoreBackupArgs),
    /// Create, list and revoke API keys of the service; opens no store
    Keys(KeysArgs),
    /// Choose the project of flags that are named without one
    #[command(after_help = "Examples:
  flagctl use csr-assistant
  flagctl use")]
    Use(UseArgs),
    /// Print the completion script of a shell
    #[command(after_help = "Examples:
  flagctl completions bash > flagctl.bash
  flagctl completions zsh > _flagctl
  flagctl completions fish > flagctl.fish")]
    Completions(CompletionsArgs),
    /// Print what may stand at the cursor; for completion scripts
    #[command(name = "__complete", hide = true)]
    Complete(CompleteArgs),
}

/// Reads the command line: the command, and the settings that it names.
pub(crate) fn read(
    args: impl IntoIterator<Item = OsString>,
    variables: Variables,
) -> Result<Read, clap::Error> {
    let args: Vec<OsString> = args.into_iter().collect();
    let matches = command().try_get_matches_from(&args);
    let matches = matches.map_err(|error| with_tip(error, &args, &command()))?;
    let CommandLine { command, color } = CommandLine::from_arg_matches(&matches)?;
    Ok(Read {
        command,
        sources: Sources::new(&matches, variables),
        colours: color,
    })
}

/// A tip about the command line of a command that failed, if there is one.
pub(crate) fn tip(args: &[OsString]) -> Option<String> {
    tip_for_missing_equals(args, &command())
}

/// The whole command line, the settings of the store included.
pub(crate) fn command() -> clap::Command {
    let settings = table::OF_STORE.iter().map(Setting::arg);
    with_short_examples(CommandLine::command())
        .args(settings.map(|arg| arg.global(true).hide_short_help(true).help_heading("Store")))
        .after_long_help(ExitCode::help())
}

#[cfg(test)]
mod tests {
    use flag_settings::{Origin, Reader};

    use super::*;
    use crate::args::revise_args;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[track_caller]
    fn check_data_dir(args: &[&str]) {
        let read = read(args.iter().map(OsString::from), Variables::new()).unwrap();
        let mut reader = Reader::new(read.sources);
        assert_eq!(reader.text(&table::DATA_DIR).as_deref(), Some("x"));
        assert_eq!(reader.origin(&table::DATA_DIR), Origin::Option);
    }

    #[test]
    fn settings_stand_before_or_after_the_command() {
        check_data_dir(&["flagctl", "--data-dir", "x", "get", "p", "feature", "f"]);
        check_data_dir(&["flagctl", "get", "p", "feature", "f", "--data-dir=x"]);
        check_data_dir(&["flagctl", "get", "p", "--data-dir", "x", "feature", "f"]);
    }

    #[test]
    fn an_instance_id_may_be_a_negative_number() {
        let options = ["--override", "-5", "--remove-override", "-6.5"];
        let treatment = revise_args(&options).treatment;
        assert_eq!(
            (treatment.overrides, treatment.removed_overrides),
            (vec!["-5".to_owned()], vec!["-6.5".to_owned()])
        );
        for args in [
            "exposures p feature f --instance -5",
            "sql exposures p feature f --instance -5",
            "explain p feature f -5",
        ] {
            let args = ["flagctl"].into_iter().chain(args.split(' '));
            let read = read(args.map(OsString::from), Variables::new());
            assert!(read.is_ok(), "{read:?}");
        }
    }

    #[track_caller]
    fn check_tip(options: &str, expected: &str) {
        let args = "flagctl revise p feature f --comment why".split(' ');
        let args = args.chain(options.split(' ')).map(OsString::from);
        let error = read(args, Variables::new()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }

    /// What clap proposes is a `--` that takes the value for a further word.
    #[test]
    fn a_value_that_looks_like_an_option_is_reported_with_how_it_is_typed() {
        let tip = "tip: to pass '-A5' as the value of '--override', use '--override=-A5'\n";
        check_tip("--override -A5 --percent 1", tip);
        check_tip("--remove-override --x", "use '--remove-override=--x'\n");
        check_tip("--control -x", "use '--control=-x'\n");
        check_tip("-o -x", "use '-o=-x'\n");
        check_tip("-5", "after all options: '-- -5'\n");
        check_tip("--yes -5", "after all options: '-- -5'\n");
    }

    #[track_caller]
    fn check_help(option: &str, has_store_options: bool) {
        let help = read(
            ["flagctl", "get", option].map(OsString::from),
            Variables::new(),
        );
        let help = help.unwrap_err().to_string();
        assert_eq!(help.contains("--data-dir"), has_store_options, "{help}");
        assert!(help.contains("Example:"), "{help}");
    }

    #[test]
    fn a_short_help_leaves_out_the_options_of_the_store() {
        check_help("-h", false);
        check_help("--help", true);
    }

    #[test]
    fn a_salt_may_be_left_out() {
        assert_eq!(revise_args(&[]).scheme.resalt, None);
        assert_eq!(revise_args(&["--resalt"]).scheme.resalt, Some(None));
        for args in [["--resalt", "f.2"].as_slice(), &["--resalt=f.2"]] {
            let resalt = revise_args(args).scheme.resalt;
            assert_eq!(resalt, Some(Some("f.2".to_owned())));
        }
    }
}

//! Why a command failed: what a person reads on standard error, and the exit code that a script reads.

use std::error::Error;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use flag_keys::{ChangeError, KeyId, NoRandomness};
use flag_model::{FlagKey, FlagName, ProjectName, Timestamp};
use flag_settings::{Mistakes, OpenStoreError};
use flag_store::{AppendError, ReadError, StoreError, UnreadableRow};
use flag_store_bigtable::ConnectError;
use flag_store_embedded::BackupError;

use crate::exit_code::ExitCode;
use crate::flag_file::FileMistakes;
use crate::near::Near;
use crate::output::{self, Tone};
use crate::peer::PeerError;
use crate::plan::PlanError;
use crate::run_config::ConfigError;
use crate::shell;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The command line cannot be understood; or it asks for help, which is no failure.
    #[error(transparent)]
    CommandLine(#[from] clap::Error),
    /// Settings are wrong.
    #[error(transparent)]
    Settings(#[from] Mistakes),
    /// What was typed cannot be done.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The flag is not there.
    #[error("no flag {flag} in the {place}{advice}{}", suggestion(flag, near))]
    NotFound {
        /// The flag.
        flag: FlagKey,
        /// Where it was looked for.
        place: String,
        /// What to do about it.
        advice: &'static str,
        /// What was perhaps meant.
        near: Near,
    },
    /// The flag to add is there.
    #[error(
        "{flag} has been added already, its newest metadata is of {}; `flagctl update` changes it, `flagctl revise` adds a revision",
        time(*.since)
    )]
    AlreadyAdded {
        /// The flag.
        flag: FlagKey,
        /// When its metadata was written.
        since: Option<Timestamp>,
    },
    /// The newest row of a flag cannot be had.
    #[error("cannot read the {what} of {flag}")]
    Read {
        /// Metadata or newest revision.
        what: &'static str,
        /// The flag.
        flag: FlagKey,
        /// Why.
        source: Box<ReadError>,
    },
    /// A row was not appended, or not as intended.
    #[error(transparent)]
    Append(Box<AppendError>),
    /// The revision in force is not the one that was started from; both are shown.
    #[error("{conflict}\n{}", .shown.trim_end())]
    Conflict {
        /// Which ones.
        conflict: Box<AppendError>,
        /// Both of them, in columns.
        shown: String,
    },
    /// A row was perhaps appended.
    #[error("the store failed while {flag} was written; `{look}` shows what is there now")]
    Unknown {
        /// The flag.
        flag: FlagKey,
        /// The command to look with.
        look: String,
        /// What happened.
        source: Box<AppendError>,
    },
    /// The flag is there, but had no revision when one was asked for.
    #[error("{flag} {missing}")]
    NoneInForce {
        /// The flag.
        flag: FlagKey,
        /// What is missing, and what is there instead.
        missing: String,
    },
    /// Nothing failed: what was compared differs, and has been shown.
    #[error("what was compared differs")]
    Differs,
    /// Two services were compared, and neither served anything.
    #[error("neither service served a value, so nothing was compared: {cause}")]
    NothingServed {
        /// What they answered first.
        cause: String,
    },
    /// A service cannot be asked.
    #[error(transparent)]
    Peer(#[from] PeerError),
    /// The flag is there, but not that revision of it.
    #[error(
        "no revision of {wanted} among the {known} of {flag}{}; `flagctl history {}` shows them",
        nearest.map_or_else(String::new, |near| format!("; the nearest is that of {near}")),
        shell::flag(flag)
    )]
    NoRevision {
        /// The flag.
        flag: FlagKey,
        /// When the one that is wanted was made.
        wanted: Timestamp,
        /// When the one was made that is nearest.
        nearest: Option<Timestamp>,
        /// How many were looked at.
        known: usize,
    },
    /// There are not that many revisions to go back.
    #[error("{}", nothing_before(flag, *steps, *there, *known))]
    NothingBefore {
        /// The flag.
        flag: FlagKey,
        /// How many steps back were wanted.
        steps: usize,
        /// How many there are.
        there: usize,
        /// How many revisions were looked at.
        known: usize,
    },
    /// What should come into force again cannot be read.
    #[error(
        "{what} of {flag} cannot be read: `flagctl history {}` shows the others, of which `--to TIME` takes one; \
         `flagctl revise` makes a new one",
        shell::flag(flag)
    )]
    NotRolledBack {
        /// Which revision.
        what: String,
        /// The flag.
        flag: FlagKey,
        /// Why.
        source: Box<ReadError>,
    },
    /// A run configuration says what no row can hold.
    #[error(transparent)]
    RunConfig(#[from] ConfigError),
    /// A file cannot be read.
    #[error("cannot read {}", input_name(path))]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A flag or a revision was to be removed.
    #[error(
        "nothing is ever removed: `flagctl revise` gives everybody the control value, `flagctl rollback` goes back to \
         an older revision, `flagctl update` says when a flag should be gone"
    )]
    NothingIsRemoved,
    /// The newest revision cannot be read, so that the next one cannot be the same but for what was typed.
    #[error(
        "the newest revision of {flag} cannot be read, so nothing of it is kept: say all of the next one, --control \
         too, or take an older one with `flagctl rollback`"
    )]
    NotReplaced {
        flag: FlagKey,
        #[source]
        source: Box<ReadError>,
    },
    /// A person did not go on.
    #[error("not confirmed; nothing was written")]
    NotConfirmed,
    /// A script would do what cannot be taken back.
    #[error("this cannot be taken back, and nobody can be asked: if it is meant, say --yes")]
    NotSaid,
    /// A script would do what wants a confirmation by name.
    #[error("{risks}: if that is meant, say --yes-i-mean {name}")]
    NotMeant {
        /// The name that confirms it.
        name: FlagName,
        /// What would happen.
        risks: String,
    },
    /// A flag file says what cannot be.
    #[error("{}: {mistakes}", input_name(path))]
    FlagFile {
        /// The file.
        path: PathBuf,
        /// Everything in it that cannot be.
        mistakes: FileMistakes,
    },
    /// Rows that count cannot be read.
    #[error("rows that count cannot be read")]
    Unreadable(Vec<UnreadableRow>),
    /// There is no such store yet, and the command makes none.
    #[error("there is no {place} yet; `flagctl init` makes one")]
    NoStore {
        /// Where it should be.
        place: String,
    },
    /// Tables are missing.
    #[error("the {place} lacks tables: `flagctl init` creates them")]
    NoTables {
        /// Where they should be.
        place: String,
    },
    /// There is nothing of the project.
    #[error("project {project} has no rows in the {place}{}", did_you_mean(near.as_ref()))]
    NoRows {
        /// The project.
        project: ProjectName,
        /// The project that was perhaps meant.
        near: Option<ProjectName>,
        /// Where it was looked for.
        place: String,
    },
    /// Nobody said which file holds the API keys.
    #[error("which file of API keys? Say --file FILE, or set FLAG_API_KEYS_FILE")]
    NoKeyFile,
    /// The file of API keys cannot be read or changed.
    #[error("{}", path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: ChangeError,
    },
    /// There is no such API key.
    #[error("no key {id} in {}", path.display())]
    NoKey {
        /// Which one.
        id: KeyId,
        /// Where it was looked for.
        path: PathBuf,
    },
    /// No API key can be made.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// The answer has told everything; it ends so.
    #[error("the answer tells what failed")]
    Told(ExitCode),
    /// The store cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenStoreError),
    /// Bigtable cannot be used, and nobody has said that it is the store.
    #[error(
        "the store is Bigtable {because}; for local files say --store embedded, or set FLAG_STORE=embedded"
    )]
    NoBigtable {
        /// Why it is the store.
        because: String,
        /// Why it cannot be used.
        source: OpenStoreError,
    },
    /// There is a store where a copy of one shall be.
    #[error(
        "there is {} already; another folder is free, and `restore-backup --replace` keeps a copy of what it replaces",
        path.display()
    )]
    StoreExists {
        /// A file of it.
        path: PathBuf,
    },
    /// There is a store, or an older backup, where a backup shall be.
    #[error(
        "there is {} already: name another folder, or, if that is an old backup, remove it first",
        path.display()
    )]
    BackupExists {
        /// A file of it.
        path: PathBuf,
    },
    /// The store was not copied.
    #[error("the store was not copied")]
    NotCopied(#[source] BackupError),
    /// The store failed.
    #[error("cannot use the {place}")]
    Store {
        /// Where it is.
        place: String,
        /// Why.
        source: StoreError,
    },
    /// The command has been carried out, but its result could not be written.
    #[error("what was asked for is done, but standard output cannot be written to")]
    Output(#[source] io::Error),
    /// The runtime did not start.
    #[error("cannot start")]
    Start(#[source] io::Error),
}

/// What a file is called that was typed to be read.
pub(crate) fn input_name(path: &Path) -> String {
    if path == Path::new("-") {
        return "standard input".to_owned();
    }
    path.display().to_string()
}

fn time(time: Option<Timestamp>) -> String {
    time.map_or_else(|| "an unknown time".to_owned(), |time| time.to_string())
}

fn suggestion(typed: &FlagKey, near: &Near) -> String {
    let flags = match near {
        Near::Flags(flags) => flags,
        Near::Project(near) => return format!("; {}", no_flags(&typed.project, near.as_ref())),
    };
    let names: Vec<String> = flags
        .iter()
        .map(|flag| {
            if flag.flag_type == typed.flag_type {
                flag.name.to_string()
            } else {
                format!("{} {}", flag.flag_type, flag.name)
            }
        })
        .collect();
    if names.is_empty() {
        return String::new();
    }
    format!("; did you mean {}?", names.join(" or "))
}

/// Says that a project has no flags, and which one was perhaps meant.
pub(crate) fn no_flags(project: &ProjectName, near: Option<&ProjectName>) -> String {
    format!("project {project} has no flags{}", did_you_mean(near))
}

fn did_you_mean(near: Option<&ProjectName>) -> String {
    near.map_or_else(String::new, |near| format!(": did you mean {near}?"))
}

/// The same message with what a terminal shows in colour.
fn painted(message: &str) -> String {
    let lines = message
        .lines()
        .map(|line| match line.strip_prefix("error:") {
            Some(rest) => format!("{}{rest}\n", Tone::Problem.paint("error:")),
            None => format!("{line}\n"),
        });
    lines.collect()
}

impl From<BackupError> for Failure {
    fn from(error: BackupError) -> Self {
        match error {
            BackupError::Exists { path } => Self::StoreExists { path },
            error => Self::NotCopied(error),
        }
    }
}

impl Failure {
    /// What a failed append means; `look` is the command that shows what is there.
    pub(crate) fn of_append(error: AppendError, flag: &FlagKey, place: &str, look: &str) -> Self {
        match error {
            AppendError::Store(source) => Self::Store {
                place: place.to_owned(),
                source,
            },
            error @ AppendError::Unknown { .. } => Self::Unknown {
                flag: flag.clone(),
                look: format!("flagctl {look} {}", shell::flag(flag)),
                source: Box::new(error),
            },
            error => Self::Append(Box::new(error)),
        }
    }

    /// How the program ends because of this.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::CommandLine(error) if !error.use_stderr() => ExitCode::Done,
            Self::CommandLine(_)
            | Self::Settings(_)
            | Self::Plan(PlanError::Usage(_) | PlanError::NeedsVersion2 { .. })
            | Self::Peer(PeerError::Url(_) | PeerError::Key)
            | Self::NotMeant { .. }
            | Self::NotSaid
            | Self::NoKeyFile
            | Self::NothingIsRemoved => ExitCode::Usage,
            Self::Plan(_)
            | Self::RunConfig(_)
            | Self::FlagFile { .. }
            | Self::NotReplaced { .. }
            | Self::Unreadable(_)
            | Self::KeyFile {
                source: ChangeError::Invalid(_),
                ..
            } => ExitCode::Refused,
            Self::NotFound { .. }
            | Self::NoneInForce { .. }
            | Self::NoRevision { .. }
            | Self::NothingBefore { .. }
            | Self::NoRows { .. }
            | Self::NoKey { .. } => ExitCode::NotFound,
            // What it holds is no text.
            Self::File { source, .. } if source.kind() == io::ErrorKind::InvalidData => {
                ExitCode::Refused
            }
            Self::Differs => ExitCode::Differs,
            Self::NoStore { .. } | Self::NoTables { .. } | Self::NotCopied(_) => {
                ExitCode::StoreUnavailable
            }
            Self::Told(code) => *code,
            Self::AlreadyAdded { .. }
            | Self::Conflict { .. }
            | Self::StoreExists { .. }
            | Self::BackupExists { .. } => ExitCode::Conflict,
            Self::Read { source, .. } | Self::NotRolledBack { source, .. } => of_read(source),
            Self::Append(source) => of_append(source),
            Self::Open(source) | Self::NoBigtable { source, .. } => of_open(source),
            Self::Store { source, .. } => of_store(source),
            Self::Unknown { .. }
            | Self::Peer(_)
            | Self::NothingServed { .. }
            | Self::NotConfirmed
            | Self::File { .. }
            | Self::KeyFile { .. }
            | Self::NoRandomness(_)
            | Self::Output(_)
            | Self::Start(_) => ExitCode::Failed,
        }
    }

    /// Tells a person, on standard error; help goes to standard output. A reader who has gone is not waited for.
    pub(crate) fn tell(&self) {
        match self {
            Self::CommandLine(error) if !error.use_stderr() => {
                let _ = error.print();
            }
            Self::Differs | Self::Told(_) => {}
            failure => {
                // A foreign row, or an argument that a script took from one, may hold what a terminal would obey.
                let mut message = output::lines(&failure.message());
                if output::has_colours(&io::stderr()) {
                    message = painted(&message);
                }
                let _ = io::stderr().lock().write_all(message.as_bytes());
            }
        }
    }

    /// What is wrong, one line per mistake where there are several, and what caused it, nothing of it twice.
    fn message(&self) -> String {
        let mut message = String::new();
        if let Self::CommandLine(error) = self {
            return error.render().to_string();
        }
        if let Self::Settings(Mistakes(mistakes)) = self {
            for mistake in mistakes {
                let _ = writeln!(message, "error: {mistake}");
            }
            return message;
        }
        if let Self::FlagFile { path, mistakes } = self {
            for mistake in &mistakes.0 {
                let _ = writeln!(message, "error: {}, {mistake}", input_name(path));
            }
            return message;
        }
        if let Self::Unreadable(rows) = self {
            for row in rows {
                let _ = writeln!(message, "error: {row}");
            }
            return message;
        }
        let _ = writeln!(message, "error: {self}");
        let mut source = self.source();
        while let Some(cause) = source {
            let said = cause.to_string();
            if !message.contains(&said) {
                let _ = writeln!(message, "caused by: {said}");
            }
            source = cause.source();
        }
        message
    }
}

fn nothing_before(flag: &FlagKey, steps: usize, there: usize, known: usize) -> String {
    match (there, known) {
        (0, 1) => format!("{flag} has one revision only, so there is nothing to roll back to"),
        (0, _) => format!(
            "there is nothing to roll back to: {flag} is at its first revision; \
             `flagctl history {}` shows what was rolled back, `--to TIME` brings one of it into force again",
            shell::flag(flag)
        ),
        (1, _) => format!("{flag} has 1 revision to go back to, not {steps}"),
        _ => format!("{flag} has {there} revisions to go back to, not {steps}"),
    }
}

fn of_read(error: &ReadError) -> ExitCode {
    match error {
        ReadError::Unreadable(_) => ExitCode::Refused,
        ReadError::Store(error) => of_store(error),
        _ => ExitCode::Failed,
    }
}

fn of_append(error: &AppendError) -> ExitCode {
    match error {
        AppendError::Conflict { .. }
        | AppendError::Overtaken { .. }
        | AppendError::Ahead { .. }
        | AppendError::Claimed { .. } => ExitCode::Conflict,
        AppendError::Refused(_) | AppendError::Invalid(_) => ExitCode::Refused,
        AppendError::Store(error) => of_store(error),
        _ => ExitCode::Failed,
    }
}

fn of_open(error: &OpenStoreError) -> ExitCode {
    match error {
        OpenStoreError::Bigtable(ConnectError::Setting { .. } | ConnectError::CaFile { .. }) => {
            ExitCode::Usage
        }
        _ => ExitCode::StoreUnavailable,
    }
}

fn of_store(error: &StoreError) -> ExitCode {
    match error {
        StoreError::TimedOut { .. }
        | StoreError::Unavailable { .. }
        | StoreError::Refused { .. } => ExitCode::StoreUnavailable,
        _ => ExitCode::Failed,
    }
}

#[cfg(test)]
mod tests {

    use super::*;

    fn flag() -> FlagKey {
        "p/feature/f".parse().unwrap()
    }

    fn timed_out() -> StoreError {
        StoreError::TimedOut {
            after: std::time::Duration::from_secs(5),
        }
    }

    fn unknown() -> AppendError {
        AppendError::Unknown {
            flag: flag(),
            at: Timestamp::UNIX_EPOCH,
            source: timed_out(),
        }
    }

    #[track_caller]
    fn check(error: AppendError, code: ExitCode) {
        let failure = Failure::of_append(error, &flag(), "store", "history");
        assert_eq!(failure.exit_code(), code);
    }

    #[test]
    fn whoever_was_there_first_is_a_conflict() {
        let flag = flag();
        let (appended, other) = (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH);
        check(
            AppendError::Claimed { flag: flag.clone() },
            ExitCode::Conflict,
        );
        let overtaken = AppendError::Overtaken {
            flag,
            appended,
            other,
        };
        check(overtaken, ExitCode::Conflict);
    }

    #[test]
    fn a_store_that_failed_before_anything_was_written_is_unavailable() {
        check(AppendError::Store(timed_out()), ExitCode::StoreUnavailable);
    }

    #[test]
    fn a_store_that_failed_in_the_middle_is_a_failure_that_says_where_to_look() {
        check(unknown(), ExitCode::Failed);
        let failure = Failure::of_append(unknown(), &flag(), "store", "history");
        assert_eq!(
            failure.message(),
            "error: the store failed while p/feature/f was written; `flagctl history p feature f` shows what is there now\n\
             caused by: whether p/feature/f was appended at 1970-01-01 00:00:00.000000 is not known: look at its history\n\
             caused by: no answer within 5000 ms\n"
        );
    }
}

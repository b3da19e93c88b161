//! `flagctl keys`: API keys of the service, in a file that both read.

use std::path::{Path, PathBuf};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use flag_keys::{ChangeError, Key, KeyFile, KeyId, NoRandomness, Projects, Scope, Secret, change};
use flag_model::Date;
use flag_settings::{Reader, table};
use flag_store::{Clock as _, SystemClock};

use super::today;
use crate::args::{OutputArgs, OutputFormat, YesArgs};
use crate::confirm::{Unattended, confirm_action};
use crate::exit_code::ExitCode;
use crate::failure::{CommandError, Failure};
use crate::interpret::{self, ArgumentError};
use crate::output::{self, Keys, NewKey, RevokedKey, View as _};

#[derive(Debug, Args)]
pub(crate) struct KeysArgs {
    #[command(subcommand)]
    command: KeysCommand,
}

#[derive(Debug, Subcommand)]
enum KeysCommand {
    /// Create a key, and show it once: only its SHA-256 is kept
    #[command(after_help = "Examples:
  flagctl keys create --scope evaluate --scope log --project csr-assistant \\
      --comment 'Assistant in production' --file api-keys.json
  flagctl keys create --scope read --project '*' --expires-on 2027-01-31 \\
      --file api-keys.json -o name > key-of-prometheus")]
    Create(CreateArgs),
    /// List the keys of a file, without their secrets
    #[command(after_help = "Example:
  flagctl keys list --file api-keys.json")]
    List(ListArgs),
    /// Remove a key from a file; services notice within seconds
    #[command(after_help = "Example:
  flagctl keys revoke --file api-keys.json \\
      $(flagctl keys list --file api-keys.json -o name | tail -n 1)")]
    Revoke(RevokeArgs),
}

#[derive(Debug, Args)]
struct CreateArgs {
    /// Scope of the key; may be repeated, as no scope includes another
    #[arg(long = "scope", value_name = "SCOPE", required = true, value_parser = scope())]
    scopes: Vec<Scope>,
    /// Project of the key, or * for all projects; may be repeated
    #[arg(short = 'p', long = "project", value_name = "PROJECT", required = true)]
    projects: Vec<String>,
    /// Who will use the key
    #[arg(short = 'm', long, value_name = "TEXT", default_value = "")]
    comment: String,
    /// Last day on which the key is valid, in UTC
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = Date::parse)]
    expires_on: Option<Date>,
    #[command(flatten)]
    file: FileArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, Args)]
struct ListArgs {
    #[command(flatten)]
    file: FileArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, Args)]
struct RevokeArgs {
    /// Id of the key, as `flagctl keys list` shows it
    id: String,
    #[command(flatten)]
    file: FileArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    confirmation: YesArgs,
}

/// Which file.
#[derive(Debug, Args)]
struct FileArgs {
    /// File of API keys; created with the first key [env: `FLAG_API_KEYS_FILE`]
    #[arg(long = "file", value_name = "FILE")]
    path: Option<PathBuf>,
}

/// Why API keys were not read or changed.
#[derive(Debug, thiserror::Error)]
enum KeysError {
    /// No file is set.
    #[error("no file of API keys is named: add --file FILE, or set FLAG_API_KEYS_FILE")]
    NoFile,
    /// The file cannot be read or changed.
    #[error("{}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: ChangeError,
    },
    /// The file has no such key.
    #[error("no key {id} in {}", path.display())]
    NoKey {
        /// Which one.
        id: KeyId,
        /// The file.
        path: PathBuf,
    },
    /// The operating system has no randomness for a new key.
    #[error(transparent)]
    NoRandomness(NoRandomness),
}

impl CommandError for KeysError {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::NoFile => ExitCode::Usage,
            Self::NoKey { .. } => ExitCode::NotFound,
            Self::File {
                source: ChangeError::Invalid(_),
                ..
            } => ExitCode::Refused,
            Self::File { .. } | Self::NoRandomness(_) => ExitCode::Failed,
        }
    }
}

/// Runs the command; no store is opened.
pub(crate) fn keys(args: &KeysArgs, reader: Reader) -> Result<(), Failure> {
    match &args.command {
        KeysCommand::Create(args) => create(args, &args.file.find(reader)?),
        KeysCommand::List(args) => list(args, &args.file.find(reader)?),
        KeysCommand::Revoke(args) => revoke(args, &args.file.find(reader)?),
    }
}

fn create(args: &CreateArgs, path: &Path) -> Result<(), Failure> {
    let projects = Projects::parse(&args.projects).map_err(ArgumentError::from)?;
    interpret::not_past("--expires-on", args.expires_on, today()).map_err(ArgumentError::from)?;
    let secret = Secret::new().map_err(KeysError::NoRandomness)?;
    let key = Key {
        id: secret.id().clone(),
        fingerprint: secret.fingerprint(),
        scopes: args.scopes.iter().copied().collect(),
        projects,
        created: SystemClock.now(),
        expires_on: args.expires_on,
        comment: args.comment.clone(),
    };
    change_file(path, |file| {
        file.keys.push(key.clone());
        Ok(())
    })?;
    let file = path.display();
    output::notice(&format!(
        "wrote the SHA-256 of key {} to {file}; the key itself is not shown again",
        key.id
    ));
    let new = NewKey {
        secret: &secret,
        key: &key,
    };
    output::show(&new, args.output.format)
}

fn list(args: &ListArgs, path: &Path) -> Result<(), Failure> {
    let file = read(path)?;
    if args.output.format == OutputFormat::Name {
        for odd in file.invalid_entries() {
            output::notice(&format!("{}: {odd}", path.display()));
        }
    }
    let keys = Keys {
        keys: &file.keys,
        odd: file.invalid_entries(),
    };
    output::show(&keys, args.output.format)
}

fn read(path: &Path) -> Result<KeyFile, KeysError> {
    KeyFile::read(path).map_err(|source| KeysError::File {
        path: path.to_owned(),
        source,
    })
}

fn revoke(args: &RevokeArgs, path: &Path) -> Result<(), Failure> {
    let id = KeyId::new(&args.id).map_err(ArgumentError::from)?;
    let find = |file: &mut KeyFile| {
        let found = file.remove(&id);
        found.ok_or_else(|| KeysError::NoKey {
            id: id.clone(),
            path: path.to_owned(),
        })
    };
    // Not under the lock of a change: a person may take long to answer.
    let what = match find(&mut read(path)?)? {
        Some(key) => {
            let shown = RevokedKey(&key).text().uncoloured();
            format!("revokes the key\n{}", shown.trim_end())
        }
        None => format!("revokes key {id}, which this release cannot read"),
    };
    confirm_action(&what, &args.confirmation, Unattended::Proceed)?;
    let key = change_file(path, find)?;
    output::notice(&format!("revoked key {id} in {}", path.display()));
    match key {
        Some(key) => output::show(&RevokedKey(&key), args.output.format),
        // A newer release wrote it: only its id is known.
        None => Ok(()),
    }
}

/// Changes a file; the error names the file.
fn change_file<T>(
    path: &Path,
    edit: impl FnOnce(&mut KeyFile) -> Result<T, KeysError>,
) -> Result<T, KeysError> {
    let changed = change(path, |file| edit(file).map_err(NotChanged::Edit));
    changed.map_err(|error| match error {
        NotChanged::Edit(error) => error,
        NotChanged::File(source) => KeysError::File {
            path: path.to_owned(),
            source,
        },
    })
}

/// Why a file was not changed.
enum NotChanged {
    Edit(KeysError),
    File(ChangeError),
}

impl From<ChangeError> for NotChanged {
    fn from(error: ChangeError) -> Self {
        Self::File(error)
    }
}

impl FileArgs {
    /// The file in the arguments, or the one in the settings.
    fn find(&self, mut reader: Reader) -> Result<PathBuf, Failure> {
        if let Some(path) = &self.path {
            return Ok(path.clone());
        }
        let path = reader.path(&table::API_KEYS_FILE);
        let path = reader.finish(path)?;
        if path.as_os_str().is_empty() {
            return Err(KeysError::NoFile.into());
        }
        Ok(path)
    }
}

fn scope() -> impl TypedValueParser<Value = Scope> {
    PossibleValuesParser::new(Scope::ALL.map(Scope::as_str)).try_map(|text| Scope::parse(&text))
}

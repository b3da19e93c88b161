//! `flagctl keys`: API keys of the service, in a file that both know.

use std::path::{Path, PathBuf};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use flag_keys::{Key, KeyFile, KeyId, Projects, Scope, Secret, change};
use flag_model::Date;
use flag_settings::{Reader, table};
use flag_store::{Clock as _, SystemClock};

use super::today;
use crate::args::{Form, OutputArgs};
use crate::confirm::{Unasked, YesArgs, confirm_plainly};
use crate::failure::Failure;
use crate::output::{self, Answer as _, Keys, NewKey, RevokedKey};
use crate::plan::{self, PlanError};

#[derive(Debug, Args)]
pub(crate) struct KeysArgs {
    #[command(subcommand)]
    command: KeysCommand,
}

#[derive(Debug, Subcommand)]
enum KeysCommand {
    /// Make a key, and show it: once, as only its SHA-256 is kept
    #[command(after_help = "Examples:
  flagctl keys create --scope evaluate --scope log --project csr-assistant \\
      --comment 'Assistant in production' --file api-keys.json
  flagctl keys create --scope read --project '*' --expires-on 2027-01-31 \\
      --file api-keys.json -o name > key-of-prometheus")]
    Create(CreateArgs),
    /// Show the keys of a file, without what makes them keys
    #[command(after_help = "Example:
  flagctl keys list --file api-keys.json")]
    List(ListArgs),
    /// Take a key out of a file; services notice within seconds
    #[command(after_help = "Example:
  flagctl keys revoke --file api-keys.json \\
      $(flagctl keys list --file api-keys.json -o name | tail -n 1)")]
    Revoke(RevokeArgs),
}

#[derive(Debug, Args)]
struct CreateArgs {
    /// What the key is for; may be repeated, as no scope implies another
    #[arg(long = "scope", value_name = "SCOPE", required = true, value_parser = scope())]
    scopes: Vec<Scope>,
    /// Project that the key is for, or * for all of them; may be repeated
    #[arg(long = "project", value_name = "PROJECT", required = true)]
    projects: Vec<String>,
    /// Who will hold the key
    #[arg(long, value_name = "TEXT", default_value = "")]
    comment: String,
    /// Last day on which the key counts, in UTC
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
    /// File of API keys; the first key makes it [env: `FLAG_API_KEYS_FILE`]
    #[arg(long = "file", value_name = "FILE")]
    path: Option<PathBuf>,
}

/// Does what was typed; no store is opened.
pub(crate) fn keys(typed: &KeysArgs, reader: Reader) -> Result<(), Failure> {
    match &typed.command {
        KeysCommand::Create(typed) => create(typed, &typed.file.find(reader)?),
        KeysCommand::List(typed) => list(typed, &typed.file.find(reader)?),
        KeysCommand::Revoke(typed) => revoke(typed, &typed.file.find(reader)?),
    }
}

fn create(typed: &CreateArgs, path: &Path) -> Result<(), Failure> {
    let projects = Projects::parse(&typed.projects).map_err(PlanError::from)?;
    plan::not_past(typed.expires_on, today())?;
    let secret = Secret::new()?;
    let key = Key {
        id: secret.id().clone(),
        fingerprint: secret.fingerprint(),
        scopes: typed.scopes.iter().copied().collect(),
        projects,
        created: SystemClock.now(),
        expires_on: typed.expires_on,
        comment: typed.comment.clone(),
    };
    changed(path, |file| {
        file.keys.push(key.clone());
        Ok(())
    })?;
    let place = path.display();
    output::talk(&format!(
        "kept the SHA-256 of key {} in {place}; the key itself is not shown again",
        key.id
    ));
    let new = NewKey {
        secret: &secret,
        key: &key,
    };
    output::answer(&new, typed.output.form)
}

fn list(typed: &ListArgs, path: &Path) -> Result<(), Failure> {
    let file = read(path)?;
    if typed.output.form == Form::Name {
        for odd in file.invalid_entries() {
            output::talk(&format!("{}: {odd}", path.display()));
        }
    }
    let keys = Keys {
        keys: &file.keys,
        odd: file.invalid_entries(),
    };
    output::answer(&keys, typed.output.form)
}

fn read(path: &Path) -> Result<KeyFile, Failure> {
    KeyFile::read(path).map_err(|source| Failure::KeyFile {
        path: path.to_owned(),
        source,
    })
}

fn revoke(typed: &RevokeArgs, path: &Path) -> Result<(), Failure> {
    let id = KeyId::new(&typed.id).map_err(PlanError::from)?;
    let find = |file: &mut KeyFile| {
        let found = file.remove(&id);
        found.ok_or_else(|| Failure::NoKey {
            id: id.clone(),
            path: path.to_owned(),
        })
    };
    // Not under the lock of a change: a person takes their time.
    let what = match find(&mut read(path)?)? {
        Some(key) => {
            let shown = RevokedKey(&key).text().uncoloured();
            format!("revokes the key\n{}", shown.trim_end())
        }
        None => format!("revokes key {id}, which this release cannot read"),
    };
    confirm_plainly(&what, &typed.confirmation, Unasked::Done)?;
    let key = changed(path, find)?;
    output::talk(&format!("revoked key {id} in {}", path.display()));
    match key {
        Some(key) => output::answer(&RevokedKey(&key), typed.output.form),
        // A newer release wrote it: which key it was is all that is known.
        None => Ok(()),
    }
}

/// Changes a file; a file that cannot be changed is a failure that names it.
fn changed<T>(
    path: &Path,
    work: impl FnOnce(&mut KeyFile) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let done = change(path, |file| work(file).map_err(Undone::Refused));
    done.map_err(|undone| match undone {
        Undone::Refused(failure) => failure,
        Undone::File(source) => Failure::KeyFile {
            path: path.to_owned(),
            source,
        },
    })
}

/// Why a file was not changed.
enum Undone {
    Refused(Failure),
    File(flag_keys::ChangeError),
}

impl From<flag_keys::ChangeError> for Undone {
    fn from(error: flag_keys::ChangeError) -> Self {
        Self::File(error)
    }
}

impl FileArgs {
    /// The file that was typed, or the one that the settings name.
    fn find(&self, mut reader: Reader) -> Result<PathBuf, Failure> {
        if let Some(path) = &self.path {
            return Ok(path.clone());
        }
        let path = reader.path(&table::API_KEYS_FILE);
        let path = reader.finish(path)?;
        if path.as_os_str().is_empty() {
            return Err(Failure::NoKeyFile);
        }
        Ok(path)
    }
}

fn scope() -> impl TypedValueParser<Value = Scope> {
    PossibleValuesParser::new(Scope::ALL.map(Scope::as_str)).try_map(|text| Scope::parse(&text))
}

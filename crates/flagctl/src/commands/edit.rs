//! `flagctl edit`: a flag as a file in an editor, and what was changed back into the store.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{self, Command};

use clap::Args;

use super::apply::{ApplyArgs, FileScope, apply_text};
use crate::args::{FlagWords, OutputArgs, OutputFormat, OwnerArgs, RevisionWriteArgs};
use crate::context::Context;
use crate::environment::Variables;
use crate::exit_code::ExitCode;
use crate::failure::{CommandError, Failure};
use crate::flag_file::Written;
use crate::interpret::ArgumentError;
use crate::lookup::open_flag;
use crate::maybe_readable::UnreadableRows;
use crate::missing::missing_flag;
use crate::output::{self, Exported};
use crate::owner::non_blank;
use crate::shell;
use crate::write;

/// The variables that name an editor; the first one that is set counts.
const EDITORS: [&str; 2] = ["VISUAL", "EDITOR"];

#[derive(Debug, Args)]
pub(crate) struct EditArgs {
    #[command(flatten)]
    flag: FlagWords,
    /// Reason for the revision [default: Edited]
    #[arg(short = 'm', long, value_name = "TEXT", default_value = "Edited")]
    comment: String,
    #[command(flatten)]
    owner: OwnerArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    revision_write: RevisionWriteArgs,
}

/// Why a flag was not edited.
#[derive(Debug, thiserror::Error)]
enum EditError {
    /// The file cannot be written or read.
    #[error("cannot use the file {}", path.display())]
    File { path: PathBuf, source: io::Error },
    /// The editor did not start, or failed.
    #[error(
        "the editor `{editor}` failed; nothing was written. VISUAL or EDITOR names another one"
    )]
    Editor { editor: String },
}

impl CommandError for EditError {
    fn exit_code(&self) -> ExitCode {
        ExitCode::Failed
    }
}

/// Opens the file of a flag in an editor, and applies what was changed. A text that is not applied is kept.
pub(crate) async fn edit(context: &Context, args: EditArgs) -> Result<(), Failure> {
    let named = args.flag.alone().map_err(ArgumentError::Usage)?;
    let (store, flag) = open_flag(context, &named).await?;
    let flags = store.flag_entries(&flag.project).await;
    let mut flags = flags.map_err(|source| context.store_failed(source))?;
    flags.retain(|entry| entry.flag == flag);
    if flags.is_empty() {
        return Err(missing_flag(context, &store, flag, "").await.into());
    }
    UnreadableRows::check_flags(&flags)?;
    let written = Exported(Written::new(&flag.project, &flags));
    let before = output::rendered(&written, OutputFormat::Yaml)?;
    let path = std::env::temp_dir().join(format!("flagctl-edit-{}.yaml", process::id()));
    let after = edited(&path, &before, &context.variables)?;
    if after == before {
        let _ = fs::remove_file(&path);
        write::report_unchanged(&flag, write::LIKE_THIS);
        return Ok(());
    }
    let apply = ApplyArgs {
        file: path.clone(),
        comment: Some(args.comment),
        owner: args.owner,
        output: args.output,
        revision_write: args.revision_write,
        scope: FileScope::SomeFlags,
        ..ApplyArgs::default()
    };
    let applied = apply_text(context, &apply, &after).await;
    let is_refused = |failure: &Failure| failure.exit_code != ExitCode::NotServed;
    if applied.as_ref().err().is_some_and(is_refused) {
        let kept = shell::word(&path.display().to_string());
        output::notice(&format!(
            "your text is kept: correct it, then `flagctl apply -f {kept}`"
        ));
    } else {
        let _ = fs::remove_file(&path);
    }
    applied
}

/// The text after a person has edited it.
fn edited(path: &Path, before: &str, variables: &Variables) -> Result<String, EditError> {
    let failed = |source| EditError::File {
        path: path.to_owned(),
        source,
    };
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    (file.and_then(|mut file| file.write_all(before.as_bytes()))).map_err(failed)?;
    let editor = EDITORS.iter().find_map(|name| non_blank(variables, name));
    let editor = editor.map_or_else(|| "vi".into(), |editor| editor.to_string_lossy());
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("{editor} \"$1\""), "sh"])
        .arg(path);
    if !command.status().is_ok_and(|status| status.success()) {
        let _ = fs::remove_file(path);
        let editor = editor.into_owned();
        return Err(EditError::Editor { editor });
    }
    fs::read_to_string(path).map_err(failed)
}

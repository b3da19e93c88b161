//! Why a flag file was not applied.

use std::path::PathBuf;

use crate::apply::ApplyPlan;
use crate::exit_code::ExitCode;
use crate::failure::CommandError;
use crate::flag_file::FileErrors;
use crate::input::input_name;

/// The flag file is invalid.
#[derive(Debug, thiserror::Error)]
#[error("{}: {mistakes}", input_name(path))]
pub(super) struct InvalidFlagFile {
    pub(super) path: PathBuf,
    pub(super) mistakes: FileErrors,
}

impl CommandError for InvalidFlagFile {
    fn exit_code(&self) -> ExitCode {
        ExitCode::Refused
    }

    fn problems(&self) -> Vec<String> {
        let mistakes = self.mistakes.0.iter();
        mistakes
            .map(|mistake| format!("{}, {mistake}", input_name(&self.path)))
            .collect()
    }
}

/// Flags have changed in the store since the file was exported.
#[derive(Debug, thiserror::Error)]
#[error("the store is newer than the file")]
pub(super) struct NewerInStore(Vec<String>);

impl NewerInStore {
    /// An error if the plan would take back a change unseen.
    pub(super) fn of(plan: &ApplyPlan) -> Result<(), Self> {
        let flags = plan.flags.iter();
        let messages = flags.flat_map(|flag| {
            let conflicts = flag.conflicts.iter();
            conflicts.map(|changed| changed.message(&flag.flag))
        });
        let messages: Vec<String> = messages.collect();
        if messages.is_empty() {
            Ok(())
        } else {
            Err(Self(messages))
        }
    }
}

impl CommandError for NewerInStore {
    fn exit_code(&self) -> ExitCode {
        ExitCode::Conflict
    }

    fn problems(&self) -> Vec<String> {
        let advice = "nothing was written. Export again; or merge what does not overlap with --rebase; or take back \
             what changed in the store with --force";
        let messages = self.0.iter().cloned();
        messages.chain([advice.to_owned()]).collect()
    }
}

//! Writes rows: shows the change, asks for confirmation, appends.

use flag_describe::{sentence, shortened};
use flag_model::{
    FlagKey, InvalidRevision, Metadata, MetadataParts, Revision, RevisionParts, Timestamp,
};
use flag_rollout::Risk;
use flag_store::{AppendError, Base, FlagStore, Row};
use tokio::time::Instant;

use crate::args::{OutputFormat, RevisionWriteArgs, WriteArgs};
use crate::change::Change;
use crate::confirm::{Confirmed, confirm};
use crate::context::{Context, WrittenRevision};
use crate::exit_code::ExitCode;
use crate::exposure_impact::show_impact_and_confirm;
use crate::failure::{CommandError, Failure, StoreFailure, append_exit_code};
use crate::lookup::SEARCHED_REVISIONS;
use crate::maybe_readable::{MaybeReadable, created};
use crate::output::{self, WrittenRow, with_progress};
use crate::propagation;
use crate::revision_numbers::{MAX_NUMBERED, RevisionNumbers};
use crate::shell;

/// How many characters of a description are shown.
const SHOWN_CHARACTERS: usize = 60;

/// Why a row was not written, or not as intended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    /// The flag to add exists.
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
    /// The revision in force is not the expected one; both are shown.
    #[error("{conflict}\n{}", .shown.trim_end())]
    Conflict {
        /// Which ones.
        conflict: Box<AppendError>,
        /// Both of them, in columns.
        shown: String,
    },
    /// The row was perhaps appended.
    #[error("the store failed while {flag} was written; `{look}` shows its current state")]
    Unknown {
        /// The flag.
        flag: FlagKey,
        /// The command that shows it.
        look: String,
        /// What happened.
        source: Box<AppendError>,
    },
    /// The store failed before anything was written.
    #[error(transparent)]
    Store(StoreFailure),
    /// The row was not appended, or not as intended.
    #[error(transparent)]
    Append(Box<AppendError>),
}

impl WriteError {
    /// The error of an append that failed; `command` shows what the store has.
    fn new(error: AppendError, flag: &FlagKey, display_name: String, command: &str) -> Self {
        match error {
            AppendError::Store(source) => Self::Store(StoreFailure {
                display_name,
                source,
            }),
            error @ AppendError::Unknown { .. } => Self::Unknown {
                flag: flag.clone(),
                look: format!("flagctl {command} {}", shell::flag(flag)),
                source: Box::new(error),
            },
            error => Self::Append(Box::new(error)),
        }
    }
}

impl CommandError for WriteError {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::AlreadyAdded { .. } | Self::Conflict { .. } => ExitCode::Conflict,
            Self::Unknown { .. } => ExitCode::Failed,
            Self::Store(failure) => failure.exit_code(),
            Self::Append(error) => append_exit_code(error),
        }
    }
}

fn time(time: Option<Timestamp>) -> String {
    time.map_or_else(|| "an unknown time".to_owned(), |time| time.to_string())
}

/// The next metadata of a flag, not yet appended.
pub(crate) struct NextMetadata {
    /// The metadata that it is based on.
    pub(crate) base: Base,
    /// Its content.
    pub(crate) parts: MetadataParts,
    /// What it changes.
    pub(crate) change: Change,
}

impl NextMetadata {
    /// Metadata on top of the newest, which may be unreadable: the new one replaces it.
    pub(crate) fn on(newest: Option<&MaybeReadable<Metadata>>, parts: MetadataParts) -> Self {
        let (base, change) = match newest {
            None => (Base::Nothing, Change::of_metadata(None, &parts)),
            Some(Ok(newest)) => (
                Base::Row(newest.created()),
                Change::of_metadata(Some(newest), &parts),
            ),
            Some(Err(row)) => {
                let warning = format!("the metadata that this replaces cannot be read: {row}");
                let change = Change::of_metadata(None, &parts).with_warning(&warning);
                (Base::on(row.created()), change)
            }
        };
        Self {
            base,
            parts,
            change,
        }
    }
}

/// The error of a revision that breaks a rule.
pub(crate) fn invalid(error: InvalidRevision) -> WriteError {
    WriteError::Append(Box::new(error.into()))
}

/// Why nothing is written: the wanted state is there.
pub(crate) const LIKE_THIS: &str = "is like this already";

/// Says that a command has nothing to write, which is a success in every command.
pub(crate) fn report_unchanged(flag: &FlagKey, why: &str) {
    output::notice(&format!("nothing changes: {flag} {why}"));
}

/// The next revision of a flag, not yet appended.
pub(crate) struct NextRevision {
    /// The revision that it is based on.
    pub(crate) base: Base,
    /// Its content.
    pub(crate) parts: RevisionParts,
    /// What it changes.
    pub(crate) change: Change,
    /// How the message begins once it is written; `None` for that of a plain revision.
    pub(crate) success_message: Option<String>,
}

impl NextRevision {
    /// A revision on top of the newest one, which may be unreadable: the new one replaces it.
    pub(crate) fn on(
        newest: Option<&MaybeReadable<Revision>>,
        parts: RevisionParts,
    ) -> Result<Self, WriteError> {
        let readable = newest.and_then(|newest| newest.as_ref().ok());
        let mut change = Change::of(readable, &parts).map_err(invalid)?;
        let base = Base::on(newest.and_then(created));
        if let Some(Err(row)) = newest {
            let warning = format!("the revision that this replaces cannot be read: {row}");
            change = change.with_warning(&warning).with_risk(Risk::Unreadable);
        }
        Ok(Self {
            base,
            parts,
            change,
            success_message: None,
        })
    }

    /// The same revision from input without treatments: removing those in force needs a confirmation.
    pub(crate) fn leaving_out_treatments(
        mut self,
        newest: Option<&MaybeReadable<Revision>>,
    ) -> Self {
        let takes_some = match newest {
            None => false,
            Some(Ok(newest)) => !newest.treatments.is_empty(),
            Some(Err(_)) => !self.change.risks.contains(&Risk::Unreadable),
        };
        if takes_some {
            self.change = self.change.with_risk(Risk::LeavesOutTreatments);
        }
        self
    }

    /// Warns of a revision ahead of the clock that will replace this one.
    pub(crate) async fn warn_of_future_revision(
        &mut self,
        context: &Context,
        store: &FlagStore,
    ) -> Result<(), StoreFailure> {
        if let Some(ahead) = revision_ahead_warning(context, store, &self.parts.flag).await? {
            let change = self.change.clone().with_warning(&ahead);
            self.change = change.with_risk(Risk::Ahead);
        }
        Ok(())
    }
}

/// The warning about a revision that is ahead of the clock.
pub(crate) async fn revision_ahead_warning(
    context: &Context,
    store: &FlagStore,
    flag: &FlagKey,
) -> Result<Option<String>, StoreFailure> {
    let ahead = store.revision_ahead(flag).await;
    let ahead = ahead.map_err(|source| context.store_failed(source))?;
    Ok(ahead.map(|ahead| {
        format!(
            "the revision of {} is ahead of the clock and comes into force at {}",
            ahead.created, ahead.effective_from
        )
    }))
}

/// Shows the change, asks for confirmation, appends the revision, shows the row, and waits for the replicas if the arguments say so.
pub(crate) async fn confirm_and_append_revision(
    context: &Context,
    store: &FlagStore,
    mut next: NextRevision,
    revision_write: &RevisionWriteArgs,
    format: OutputFormat,
) -> Result<(), Failure> {
    next.warn_of_future_revision(context, store).await?;
    let changes = vec![next.change.clone()];
    if show_impact_and_confirm(context, changes, revision_write).await? == Confirmed::DryRun {
        return Ok(());
    }
    let flag = next.parts.flag.clone();
    let success_message = next.success_message.clone();
    let (revision, row) = append_revision(context, store, next).await?;
    let number = revision_numbers(store, &flag)
        .await
        .number(revision.created());
    let number_text = match (number, &success_message) {
        (Some(number), None) => format!(" to r{number}"),
        (Some(number), Some(_)) => format!("; now r{number}"),
        (None, _) => String::new(),
    };
    let did = success_message.unwrap_or_else(|| format!("revised {flag}"));
    let written = WrittenRow {
        flag: &flag,
        created: revision.created(),
        number,
        row: &row,
        said: format!(
            "{did}{number_text}: {} ({})",
            sentence(&revision),
            context.store_display_name()
        ),
        is_verbose: revision_write.write.verbose,
    };
    show_written(context, &written, &did, format)?;
    propagation::wait(context, revision_write.write.wait).await
}

/// Shows a row that was written; a format for programs does not say where, so a notice does.
fn show_written(
    context: &Context,
    written: &WrittenRow<'_>,
    did: &str,
    format: OutputFormat,
) -> Result<(), Failure> {
    if !format.is_for_people() {
        output::notice(&format!("{did} in the {}", context.store_display_name()));
    }
    output::show(written, format)
}

/// Shows the cells of a row on standard error, if that was asked for.
pub(crate) fn show_cells(row: &Row, write_args: &WriteArgs) {
    if write_args.verbose {
        output::preview(&output::cells(row));
    }
}

/// The numbers of the revisions of a flag; none if they cannot be read.
async fn revision_numbers(store: &FlagStore, flag: &FlagKey) -> RevisionNumbers {
    let times = store.revision_times(flag, MAX_NUMBERED).await;
    RevisionNumbers::new(times.unwrap_or_default())
}

/// Appends a revision that was confirmed.
pub(crate) async fn append_revision(
    context: &Context,
    store: &FlagStore,
    next: NextRevision,
) -> Result<(Revision, Row), WriteError> {
    let flag = next.parts.flag.clone();
    let append = store.append_revision(next.base, next.parts);
    match with_progress(format!("appending a revision of {flag}"), append).await {
        Ok(appended) => {
            context.note_written(WrittenRevision {
                store: store.clone(),
                flag,
                created: appended.0.created(),
                at: Instant::now(),
            });
            Ok(appended)
        }
        Err(AppendError::Conflict { base, found, flag }) => {
            Err(explain_conflict(store, flag, base, found).await)
        }
        Err(error) => Err(WriteError::new(
            error,
            &flag,
            context.store_display_name(),
            "history",
        )),
    }
}

/// Shows the change, asks for confirmation, appends the metadata, and shows the row. Creates a missing store after the
/// confirmation.
pub(crate) async fn confirm_and_append_metadata(
    context: &Context,
    store: Option<FlagStore>,
    mut next: NextMetadata,
    write_args: &WriteArgs,
    format: OutputFormat,
) -> Result<(), Failure> {
    // Invalid metadata is refused before anybody is asked.
    let valid = next.parts.validate().map_err(AppendError::from);
    valid.map_err(|error| WriteError::Append(Box::new(error)))?;
    if store.is_none() {
        next.change = next.change.with_warning(&context.creation_warning());
    }
    if confirm(std::slice::from_ref(&next.change), write_args)? == Confirmed::DryRun {
        return Ok(());
    }
    let did = match next.base {
        Base::Nothing => "added",
        Base::Row(_) | Base::Newest => "updated",
    };
    let store = match store {
        Some(store) => store,
        None => context.open_or_create().await?,
    };
    let (metadata, row) = append_metadata(context, &store, next).await?;
    let did = format!("{did} {}", metadata.flag);
    let written = WrittenRow {
        flag: &metadata.flag,
        created: metadata.created(),
        number: None,
        row: &row,
        said: format!(
            "{did}: {} ({})",
            shortened(&metadata.description, SHOWN_CHARACTERS),
            context.store_display_name()
        ),
        is_verbose: write_args.verbose,
    };
    show_written(context, &written, &did, format)?;
    propagation::wait(context, write_args.wait).await
}

/// Appends metadata that was confirmed.
pub(crate) async fn append_metadata(
    context: &Context,
    store: &FlagStore,
    next: NextMetadata,
) -> Result<(Metadata, Row), WriteError> {
    let flag = next.parts.flag.clone();
    let append = store.append_metadata(next.base, next.parts);
    let appended = with_progress(format!("appending metadata of {flag}"), append).await;
    appended.map_err(|error| match error {
        AppendError::Conflict {
            flag,
            found,
            base: Base::Nothing,
        } => WriteError::AlreadyAdded { flag, since: found },
        error => WriteError::new(error, &flag, context.store_display_name(), "get"),
    })
}

/// Makes the error of a conflict, with the expected and the newest revision, both shown as far as they can be found.
pub(crate) async fn explain_conflict(
    store: &FlagStore,
    flag: FlagKey,
    base: Base,
    found: Option<Timestamp>,
) -> WriteError {
    let history = store.history(&flag, SEARCHED_REVISIONS);
    let history = with_progress(format!("reading the history of {flag}"), history).await;
    let mut both = history.unwrap_or_default();
    both.retain(|revision| match (revision, base) {
        (Ok(revision), Base::Row(base)) => {
            revision.created() == base || Some(revision.created()) == found
        }
        (Ok(revision), _) => Some(revision.created()) == found,
        (Err(_), _) => false,
    });
    let numbers = revision_numbers(store, &flag).await;
    let shown = output::revisions_table(&both, &numbers).uncoloured();
    let conflict = Box::new(AppendError::Conflict { flag, base, found });
    WriteError::Conflict { conflict, shown }
}

#[cfg(test)]
mod tests {
    use flag_store::StoreError;

    use super::*;
    use crate::failure::Report;

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

    fn failure(error: AppendError) -> Failure {
        WriteError::new(error, &flag(), "store".to_owned(), "history").into()
    }

    #[track_caller]
    fn check(error: AppendError, code: ExitCode) {
        assert_eq!(failure(error).exit_code, code);
    }

    #[test]
    fn a_writer_that_came_second_has_a_conflict() {
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
        let Report::Message(message) = failure(unknown()).report else {
            panic!("no message");
        };
        assert_eq!(
            message,
            "error: the store failed while p/feature/f was written; `flagctl history p feature f` shows its current state\n\
             caused by: whether p/feature/f was appended at 1970-01-01 00:00:00.000000 is not known: look at its history\n\
             caused by: no answer within 5000 ms\n"
        );
    }
}

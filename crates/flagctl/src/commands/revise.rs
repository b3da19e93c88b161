//! `flagctl revise`: appends a revision.

use flag_model::{FlagKey, Timestamp};
use flag_store::{Base, Clock as _, FlagStore, ReadError, SystemClock};

use crate::args::{ReviseArgs, RevisionName, TreatmentArgs, take_flag};
use crate::context::Context;
use crate::exit_code::ExitCode;
use crate::failure::{CommandError, Failure};
use crate::input::{self, InputError};
use crate::interpret::{self, ArgumentError, ShortForm};
use crate::lookup::{
    newest_metadata_or_unreadable, newest_readable_scheme, newest_revision_or_unreadable,
    no_revision, open_flag_or_advise, revision_numbers,
};
use crate::maybe_readable::created;
use crate::missing::{ADD_IT, missing_flag};
use crate::revision_numbers::NoRevision;
use crate::write::{self, NextRevision};

/// The largest file of a value or of ids.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// The newest revision cannot be read, and the next one needs its values.
#[derive(Debug, thiserror::Error)]
#[error(
    "the newest revision of {flag} cannot be read, so nothing of it is kept: give every option of the next one, --control too, or \
     take an older one with `flagctl rollback`"
)]
struct NothingToKeep {
    flag: FlagKey,
    source: Box<ReadError>,
}

impl CommandError for NothingToKeep {
    fn exit_code(&self) -> ExitCode {
        ExitCode::Refused
    }
}

/// Appends a revision: the arguments applied to the newest one.
pub(crate) async fn revise(context: &Context, mut args: ReviseArgs) -> Result<(), Failure> {
    let project = args.project.project.as_deref();
    let (named, rest) = take_flag(&args.words, project, 1).map_err(ArgumentError::Usage)?;
    let short_form = rest
        .first()
        .map(|word| ShortForm::parse(word))
        .transpose()?;
    read_files(&mut args.treatment)?;
    let (store, flag) = open_flag_or_advise(context, &named, ADD_IT).await?;
    let newest = newest_revision_or_unreadable(&store, &flag).await?;
    let newest_created = newest.as_ref().and_then(created);
    if newest.is_none()
        && newest_metadata_or_unreadable(&store, &flag)
            .await?
            .is_none()
    {
        return Err(missing_flag(context, &store, flag, ADD_IT).await.into());
    }
    if let Some(from) = &args.from_revision {
        check_newest(context, &store, &flag, from, newest_created).await?;
    }
    if let Some(short_form) = short_form {
        let readable = newest.as_ref().and_then(|newest| newest.as_ref().ok());
        short_form.apply(&mut args, flag.flag_type, readable)?;
    }
    if let (Some(Err(row)), None) = (&newest, &args.control) {
        let source = Box::new(row.clone().into());
        return Err(NothingToKeep { flag, source }.into());
    }
    let scheme = newest_readable_scheme(context, &store, &flag, newest.as_ref()).await?;
    if newest.is_some() && scheme.is_none() && args.scheme.format_version.is_none() {
        let message = format!(
            "--format-version is required: no revision of {flag} has a readable format version"
        );
        return Err(ArgumentError::Usage(message).into());
    }
    let parts = interpret::next_revision(
        &flag,
        newest.as_ref().and_then(|newest| newest.as_ref().ok()),
        scheme.as_ref(),
        &args,
        context.row_options.v1_algorithm,
        &context.variables,
    )?;
    let Some(parts) = parts else {
        write::report_unchanged(&flag, write::LIKE_THIS);
        return Ok(());
    };
    let next = NextRevision::on(newest.as_ref(), parts)?;
    write::confirm_and_append_revision(
        context,
        &store,
        next,
        &args.revision_write,
        args.output.format,
    )
    .await
}

/// Refuses to revise a flag that somebody else has revised since this revision.
async fn check_newest(
    context: &Context,
    store: &FlagStore,
    flag: &FlagKey,
    from: &RevisionName,
    newest: Option<Timestamp>,
) -> Result<(), Failure> {
    let numbers = revision_numbers(context, store, flag).await?;
    let now = SystemClock.now();
    let from = match (numbers.find(from, now), from.time(now)) {
        (Ok(from), _) => from,
        (Err(NoRevision::None | NoRevision::TooEarly { .. }), Some(at)) => at,
        (Err(missing), _) => return Err(no_revision(context, store, flag, missing).await),
    };
    if Some(from) == newest {
        return Ok(());
    }
    let conflict = write::explain_conflict(store, flag.clone(), Base::Row(from), newest);
    Err(conflict.await.into())
}

/// Takes the value and the ids that stand in files for arguments.
fn read_files(args: &mut TreatmentArgs) -> Result<(), InputError> {
    if let Some(file) = args.value_file.take() {
        let text = input::read(&file, MAX_FILE_BYTES)?;
        let value = text.strip_suffix('\n').unwrap_or(&text);
        args.value = Some(value.to_owned());
    }
    if let Some(file) = args.overrides_file.take() {
        let text = input::read(&file, MAX_FILE_BYTES)?;
        let ids = text.lines().filter(|id| !id.is_empty());
        args.file_overrides.extend(ids.map(str::to_owned));
    }
    Ok(())
}

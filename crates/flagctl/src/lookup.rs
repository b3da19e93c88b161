//! Look-ups that several commands share; each has an error that names what is missing.

use flag_model::{
    BucketScheme, FlagKey, FlagName, FlagType, Metadata, ProjectName, Revision, Timestamp,
};
use flag_store::{Clock as _, FlagStore, ReadError, SystemClock};

use crate::args::{NamedFlag, RevisionName};
use crate::context::Context;
use crate::default_project;
use crate::environment::Variables;
use crate::exit_code::ExitCode;
use crate::failure::{CommandError, Failure, StoreFailure, read_exit_code};
use crate::interpret::ArgumentError;
use crate::maybe_readable::MaybeReadable;
use crate::missing::{missing_flag, missing_named};
use crate::output::with_progress;
use crate::revision_numbers::{MAX_NUMBERED, NoRevision, RevisionNumbers};

/// How many of the newest revisions of a flag are searched.
pub(crate) const SEARCHED_REVISIONS: usize = 1_000;

/// Why the newest row was not found.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LookupError {
    /// The row cannot be read.
    #[error("cannot read the {what} of {flag}")]
    Read {
        /// Metadata or revision.
        what: &'static str,
        /// The flag.
        flag: FlagKey,
        /// Why.
        source: Box<ReadError>,
    },
    /// The flag exists, but had no such revision.
    #[error("{flag} {missing}")]
    NoRevision {
        /// The flag.
        flag: FlagKey,
        /// What is missing, and what exists instead.
        missing: NoRevision,
    },
}

impl CommandError for LookupError {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Read { source, .. } => read_exit_code(source),
            Self::NoRevision { missing, .. } => missing.exit_code(),
        }
    }
}

/// The flag that was named, as far as that is known without a store.
#[derive(Debug)]
pub(crate) enum WantedFlag {
    /// This one.
    Typed(FlagKey),
    /// The one with this name, whichever its type.
    Untyped(ProjectName, FlagName),
}

impl WantedFlag {
    /// Reads the names; the project may be the chosen one.
    pub(crate) fn read(named: &NamedFlag, variables: &Variables) -> Result<Self, ArgumentError> {
        let project = default_project::required(named.project.as_deref(), variables)?;
        let name = FlagName::new(&named.name)?;
        Ok(match named.flag_type {
            Some(flag_type) => Self::Typed(FlagKey {
                project,
                flag_type,
                name,
            }),
            None => Self::Untyped(project, name),
        })
    }

    /// The flag; its type is that of the flag with this name, if there is only one. The advice is for where there is none.
    pub(crate) async fn find(
        self,
        context: &Context,
        store: &FlagStore,
        advice: &'static str,
    ) -> Result<FlagKey, Failure> {
        let (project, name) = match self {
            Self::Typed(flag) => return Ok(flag),
            Self::Untyped(project, name) => (project, name),
        };
        let of_type = |flag_type| FlagKey {
            project: project.clone(),
            flag_type,
            name: name.clone(),
        };
        let mut found = Vec::new();
        for flag in FlagType::ALL.map(of_type) {
            if exists(context, store, &flag).await? {
                found.push(flag);
            }
        }
        match found.as_slice() {
            [flag] => Ok(flag.clone()),
            [] => {
                let flag = of_type(FlagType::Feature);
                let named = format!("{project}/{name}");
                let missing = missing_named(context, store, flag, named, advice);
                Err(missing.await.into())
            }
            _ => {
                let found = found.iter().map(|flag| format!("`{flag}`"));
                let found = found.collect::<Vec<_>>().join(" or ");
                let message = format!("{name} is a flag of both types: name {found}");
                Err(ArgumentError::Usage(message).into())
            }
        }
    }
}

/// Opens the store and finds the flag that was named.
pub(crate) async fn open_flag(
    context: &Context,
    named: &NamedFlag,
) -> Result<(FlagStore, FlagKey), Failure> {
    open_flag_or_advise(context, named, "").await
}

/// The same with advice for a flag that does not exist.
pub(crate) async fn open_flag_or_advise(
    context: &Context,
    named: &NamedFlag,
    advice: &'static str,
) -> Result<(FlagStore, FlagKey), Failure> {
    let wanted = WantedFlag::read(named, &context.variables)?;
    let store = context.open().await?;
    let flag = wanted.find(context, &store, advice).await?;
    Ok((store, flag))
}

/// An error if there is no such flag.
pub(crate) async fn ensure_there(
    context: &Context,
    store: &FlagStore,
    flag: &FlagKey,
) -> Result<(), Failure> {
    if exists(context, store, flag).await? {
        return Ok(());
    }
    Err(missing_flag(context, store, flag.clone(), "").await.into())
}

/// Whether a flag has metadata or a revision, readable or not.
pub(crate) async fn exists(
    context: &Context,
    store: &FlagStore,
    flag: &FlagKey,
) -> Result<bool, Failure> {
    Ok(newest_metadata_or_unreadable(store, flag).await?.is_some()
        || first_revision_created(context, store, flag)
            .await?
            .is_some())
}

/// The newest metadata.
pub(crate) async fn metadata(
    store: &FlagStore,
    flag: &FlagKey,
) -> Result<Option<Metadata>, LookupError> {
    let read = store.newest_metadata(flag);
    let read = with_progress(format!("reading the metadata of {flag}"), read).await;
    read.map_err(|error| unread("metadata", flag, error))
}

/// The newest metadata, readable or not: for commands that show or replace it.
pub(crate) async fn newest_metadata_or_unreadable(
    store: &FlagStore,
    flag: &FlagKey,
) -> Result<Option<MaybeReadable<Metadata>>, LookupError> {
    let read = store.newest_metadata(flag);
    let read = with_progress(format!("reading the metadata of {flag}"), read).await;
    or_unreadable(read).map_err(|error| unread("metadata", flag, error))
}

/// The revision in force, readable or not: for commands that show or replace it.
pub(crate) async fn newest_revision_or_unreadable(
    store: &FlagStore,
    flag: &FlagKey,
) -> Result<Option<MaybeReadable<Revision>>, LookupError> {
    let read = store.newest_revision(flag);
    let read = with_progress(format!("reading the newest revision of {flag}"), read).await;
    or_unreadable(read).map_err(|error| unread("newest revision", flag, error))
}

/// The newest readable bucket scheme of a flag: that of its revision in force, or of an older one if that cannot be read.
pub(crate) async fn newest_readable_scheme(
    context: &Context,
    store: &FlagStore,
    flag: &FlagKey,
    newest: Option<&MaybeReadable<Revision>>,
) -> Result<Option<BucketScheme>, StoreFailure> {
    match newest {
        None => Ok(None),
        Some(Ok(newest)) => Ok(Some(newest.scheme.clone())),
        Some(Err(_)) => {
            let scheme = store.newest_bucket_scheme(flag, SEARCHED_REVISIONS);
            let scheme = with_progress(format!("reading the history of {flag}"), scheme).await;
            scheme.map_err(|source| context.store_failed(source))
        }
    }
}

/// The numbers of a flag's revisions.
pub(crate) async fn revision_numbers(
    context: &Context,
    store: &FlagStore,
    flag: &FlagKey,
) -> Result<RevisionNumbers, StoreFailure> {
    let times = store.revision_times(flag, MAX_NUMBERED);
    let times = with_progress(format!("counting the revisions of {flag}"), times).await;
    let times = times.map_err(|source| context.store_failed(source))?;
    Ok(RevisionNumbers::new(times))
}

/// When the first revision was made, even if it cannot be read.
pub(crate) async fn first_revision_created(
    context: &Context,
    store: &FlagStore,
    flag: &FlagKey,
) -> Result<Option<Timestamp>, StoreFailure> {
    let first = store.first_revision_created(flag);
    let first = with_progress(format!("looking for revisions of {flag}"), first).await;
    first.map_err(|source| context.store_failed(source))
}

/// The revision in force now.
pub(crate) async fn revision_in_force(
    context: &Context,
    store: &FlagStore,
    flag: &FlagKey,
) -> Result<Revision, Failure> {
    let read = store.newest_revision(flag);
    let read = with_progress(format!("reading the newest revision of {flag}"), read).await;
    match read.map_err(|error| unread("newest revision", flag, error))? {
        Some(revision) => Ok(revision),
        None => Err(no_revision(context, store, flag, NoRevision::None).await),
    }
}

/// The revision that a name means.
pub(crate) async fn revision_named(
    context: &Context,
    store: &FlagStore,
    flag: &FlagKey,
    numbers: &RevisionNumbers,
    name: &RevisionName,
) -> Result<Revision, Failure> {
    let made = match numbers.find(name, SystemClock.now()) {
        Ok(made) => made,
        Err(missing) => return Err(no_revision(context, store, flag, missing).await),
    };
    let read = store.revision_at(flag, made);
    let read = with_progress(format!("reading {name} of {flag}"), read).await;
    match read.map_err(|error| unread("wanted revision", flag, error))? {
        Some(revision) => Ok(revision),
        None => Err(no_revision(context, store, flag, NoRevision::None).await),
    }
}

/// The revision that was in force at an instant, readable or not.
pub(crate) async fn revision_at(
    store: &FlagStore,
    flag: &FlagKey,
    at: Timestamp,
) -> Result<Option<MaybeReadable<Revision>>, LookupError> {
    let read = store.revision_at(flag, at).await;
    or_unreadable(read).map_err(|error| unread("past revision", flag, error))
}

/// The metadata that was the newest at an instant, readable or not.
pub(crate) async fn metadata_at(
    store: &FlagStore,
    flag: &FlagKey,
    at: Timestamp,
) -> Result<Option<MaybeReadable<Metadata>>, LookupError> {
    let read = store.metadata_at(flag, at).await;
    or_unreadable(read).map_err(|error| unread("past metadata", flag, error))
}

/// The time that a name means: that of a revision, or any other.
pub(crate) async fn time_named(
    context: &Context,
    store: &FlagStore,
    flag: &FlagKey,
    name: &RevisionName,
) -> Result<Timestamp, Failure> {
    let now = SystemClock.now();
    match name.time(now) {
        Some(time) if time > now => {
            let name = name.to_string();
            return Err(no_revision(context, store, flag, NoRevision::Future { name }).await);
        }
        Some(time) => return Ok(time),
        None => {}
    }
    match revision_numbers(context, store, flag)
        .await?
        .find(name, now)
    {
        Ok(made) => Ok(made),
        Err(missing) => Err(no_revision(context, store, flag, missing).await),
    }
}

/// The error of a revision that is missing, or of its flag if that is.
pub(crate) async fn no_revision(
    context: &Context,
    store: &FlagStore,
    flag: &FlagKey,
    missing: NoRevision,
) -> Failure {
    if missing == NoRevision::None {
        match newest_metadata_or_unreadable(store, flag).await {
            Ok(None) => return missing_flag(context, store, flag.clone(), "").await.into(),
            Ok(Some(_)) => {}
            Err(error) => return error.into(),
        }
    }
    let flag = flag.clone();
    LookupError::NoRevision { flag, missing }.into()
}

fn or_unreadable<T>(
    read: Result<Option<T>, ReadError>,
) -> Result<Option<MaybeReadable<T>>, ReadError> {
    match read {
        Ok(read) => Ok(read.map(Ok)),
        Err(ReadError::Unreadable(row)) => Ok(Some(Err(row))),
        Err(error) => Err(error),
    }
}

fn unread(what: &'static str, flag: &FlagKey, error: ReadError) -> LookupError {
    LookupError::Read {
        what,
        flag: flag.clone(),
        source: Box::new(error),
    }
}

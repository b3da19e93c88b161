//! Decides the logged exposures of a project again.

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use flag_model::{FlagKey, InstanceId, ProjectName};
use flag_settings::{Reader, read_instance_id_mode};
use flag_store::{Clock as _, FlagStore, SystemClock, TimeRange};
use flag_verify::{
    CheckpointError, KnownIds, Report, Verification, VerificationScope, VerifyError,
};

use super::VerifyArgs;
use crate::args::{Moment, NamedFlag};
use crate::context::Context;
use crate::exit_code::ExitCode;
use crate::failure::{CommandError, Failure};
use crate::input::instance_ids;
use crate::interpret::{ArgumentError, time_range};
use crate::lookup::{self, open_flag};
use crate::missing::missing_project;
use crate::output::{self, VerifiedExposures, with_progress};

/// Which exposures are verified, and how.
#[derive(Debug, Args)]
pub(super) struct ExposuresToVerify {
    /// Only what was served at this time or later: a time in UTC, or how long ago, such as `2h`
    #[arg(long, value_name = "TIME", value_parser = Moment::parse)]
    since: Option<Moment>,
    /// Only what was served before this time
    #[arg(long, value_name = "TIME", value_parser = Moment::parse)]
    until: Option<Moment>,
    /// File of instance ids, one per line, that may be behind hashed ids; needs the key of the log
    #[arg(long, value_name = "FILE")]
    ids: Option<PathBuf>,
    /// Keep the state in this file, and go on from it if it exists; it is removed at the end
    #[arg(long, value_name = "FILE")]
    from_checkpoint: Option<PathBuf>,
}

impl CommandError for VerifyError {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Store(_) => ExitCode::StoreUnavailable,
            Self::Checkpoint(CheckpointError::OtherScope { .. }) => ExitCode::Usage,
            Self::Checkpoint(_) | Self::Fingerprints { .. } => ExitCode::Failed,
        }
    }
}

/// How many exposures were read, and how fast.
struct VerifyProgress<'a> {
    project: &'a ProjectName,
    exposures: &'a AtomicU64,
    began: Instant,
}

/// Decides each exposure again, and shows what is wrong.
pub(super) async fn verify(context: &Context, args: &VerifyArgs) -> Result<(), Failure> {
    let project = ProjectName::new(&args.project).map_err(ArgumentError::from)?;
    let within = within(&args.exposures)?;
    let ids = known_ids(context, &args.exposures)?;
    let flag = match &args.flag {
        Some(name) => Some(
            open_flag(context, &NamedFlag::of_project(project.as_str(), name))
                .await?
                .1,
        ),
        None => None,
    };
    let (store, log) = context.open_with_log().await?;
    let (exposures, began) = (AtomicU64::new(0), Instant::now());
    let verification = Verification {
        store: &store,
        log: &*log,
        ids: &ids,
        project: &project,
        flag: flag.as_ref(),
        within,
        progress: &exposures,
    };
    let checkpoint = args.exposures.from_checkpoint.as_deref();
    let checkpoint = checkpoint.map(|path| (path, question(context, args, flag.as_ref())));
    let progress = VerifyProgress {
        project: &project,
        exposures: &exposures,
        began,
    };
    let verified = with_progress(progress, verification.run(checkpoint)).await;
    let report = verified.map_err(|error| failed(context, error))?;
    if report.exposures() == 0 {
        match &flag {
            Some(flag) => lookup::ensure_there(context, &store, flag).await?,
            None => ensure_project(context, &store, &project).await?,
        }
    }
    conclude(&project, &report, began.elapsed(), args)
}

/// The error of a verification; one of the store names the store.
fn failed(context: &Context, error: VerifyError) -> Failure {
    match error {
        VerifyError::Store(source) => context.store_failed(source).into(),
        error => error.into(),
    }
}

fn conclude(
    project: &ProjectName,
    report: &Report,
    took: Duration,
    args: &VerifyArgs,
) -> Result<(), Failure> {
    let verified = VerifiedExposures::new(project, report);
    output::show(&verified, args.output.format)?;
    output::notice(&verified.summary(took));
    if report.is_clean() {
        return Ok(());
    }
    Err(Failure::explained_by_output(ExitCode::Differs))
}

/// Refuses a project that has neither exposures nor flags.
async fn ensure_project(
    context: &Context,
    store: &FlagStore,
    project: &ProjectName,
) -> Result<(), Failure> {
    let flags = store.flag_entries(project).await;
    let flags = flags.map_err(|source| context.store_failed(source))?;
    if !flags.is_empty() {
        return Ok(());
    }
    let missing = missing_project(store, project.clone(), context.store_display_name());
    Err(missing.await.into())
}

fn known_ids(context: &Context, args: &ExposuresToVerify) -> Result<KnownIds, Failure> {
    let mut reader = Reader::new(context.sources.clone());
    let id_mode = read_instance_id_mode(&mut reader);
    let id_mode = reader.finish(id_mode)?;
    let ids: Vec<InstanceId<'static>> = match &args.ids {
        Some(path) => instance_ids(path)?,
        None => Vec::new(),
    };
    Ok(KnownIds::new(id_mode, ids))
}

fn within(args: &ExposuresToVerify) -> Result<TimeRange, ArgumentError> {
    let now = SystemClock.now();
    let since = args.since.map(|since| since.instant(now));
    time_range(since, args.until.map(|until| until.instant(now)))
}

fn question(context: &Context, args: &VerifyArgs, flag: Option<&FlagKey>) -> VerificationScope {
    let typed = |moment: Option<Moment>| moment.map(|moment| moment.to_string());
    VerificationScope {
        store: context.store_display_name(),
        project: args.project.clone(),
        flag: flag.map(|flag| format!("{}/{}", flag.flag_type, flag.name)),
        since: typed(args.exposures.since),
        until: typed(args.exposures.until),
    }
}

impl fmt::Display for VerifyProgress<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exposures = self.exposures.load(Ordering::Relaxed);
        let rate = output::per_second(exposures, self.began.elapsed());
        let project = self.project;
        write!(f, "{exposures} exposures of {project}, {rate}/s")
    }
}

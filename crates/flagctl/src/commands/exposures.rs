//! `flagctl exposures`: shows logged decisions.

mod follow;
mod printer;
mod selection;

use std::ffi::OsStr;
use std::ops::ControlFlow;

use clap::builder::{PossibleValue, TypedValueParser};
use clap::{Arg, Args, Command};
use flag_model::{FlagKey, InstanceId};
use flag_settings::{Reader, read_instance_id_mode};
use flag_store::{ExposureLog, ExposureRecord, ExposureScope, FlagStore, StoreError, TimeRange};

use self::follow::follow;
use self::printer::{ExposurePrinter, PrintProgress};
use self::selection::{Selection, Unreadable};
use crate::args::{FlagWords, OutputFormat, OutputFormatParser, RevisionName};
use crate::context::Context;
use crate::failure::Failure;
use crate::interpret::{ArgumentError, time_range};
use crate::lookup::{self, WantedFlag, exists, time_named};
use crate::missing::missing_flag;
use crate::output::{
    self, ExposureSummary, Exposures, LineFormat, OutputPipe, with_progress,
    with_progress_beside_output,
};

/// How many exposures are shown at once if no limit is given.
const DEFAULT_LIMIT: usize = 100;

#[derive(Debug, Args)]
pub(crate) struct ExposuresArgs {
    #[command(flatten)]
    flag: FlagWords,
    /// Show only what was served at this time or later: a time in UTC, how long ago (`2h`), or a revision (`r7`, `~1`)
    #[arg(long, value_name = "TIME", value_parser = RevisionName::parse)]
    since: Option<RevisionName>,
    /// Show only what was served before this time
    #[arg(long, value_name = "TIME", value_parser = RevisionName::parse)]
    until: Option<RevisionName>,
    /// Show only the exposures of this rollout group
    #[arg(long, value_name = "GROUP")]
    group: Option<String>,
    /// Show only the exposures of this instance; also found if the log has hashed ids and the key is set
    #[arg(long, value_name = "ID", allow_negative_numbers = true)]
    instance: Option<String>,
    /// Maximum number of exposures, the newest first [default: 100; for ndjson and csv all, in the order of the log]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    limit: Option<u32>,
    /// Show counts by revision and rollout group
    #[arg(long, conflicts_with_all = ["limit", "follow"])]
    summary: bool,
    /// Show exposures as they are logged, until Ctrl-C
    #[arg(short = 'f', long, conflicts_with_all = ["limit", "since", "until"])]
    follow: bool,
    /// Format of the result on standard output; `ndjson` and `csv` are for any number of exposures
    #[arg(
        short = 'o',
        long = "output",
        value_name = "FORMAT",
        default_value = "table",
        value_parser = ExposuresFormatParser
    )]
    format: ExposuresFormat,
}

/// A format of exposures: one that all commands have, or one with a line for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ExposuresFormat {
    Shared(OutputFormat),
    Ndjson,
}

/// How a format lays exposures out.
#[derive(Clone, Copy, Debug)]
enum Layout {
    /// As one result, in a format that all commands have.
    Whole(OutputFormat),
    /// As a line for each exposure, written as soon as it is read.
    Lines(LineFormat),
}

/// Reads a format of exposures.
#[derive(Clone, Copy, Debug)]
struct ExposuresFormatParser;

const NDJSON: &str = "ndjson";

/// Why exposures were not shown.
#[derive(Debug)]
enum ShowError {
    Store(StoreError),
    Other(Failure),
}

impl From<StoreError> for ShowError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Failure> for ShowError {
    fn from(failure: Failure) -> Self {
        Self::Other(failure)
    }
}

/// Shows exposures; an empty result is no failure.
pub(crate) async fn exposures(context: &Context, args: &ExposuresArgs) -> Result<(), Failure> {
    check_format(args)?;
    let named = args.flag.alone().map_err(ArgumentError::Usage)?;
    let wanted = WantedFlag::read(&named, &context.variables)?;
    let names_in_log = names_in_log(context, args)?;
    let (store, log) = context.open_with_log().await?;
    let flag = wanted.find(context, &store, "").await?;
    let selection = Selection {
        names_in_log,
        within: within(context, &store, &flag, args).await?,
        group: args.group.clone(),
        flag,
    };
    if args.follow {
        ensure_there(context, &store, &*log, &selection.flag).await?;
    }
    let progress = PrintProgress::new(&selection.flag);
    let shown = show(&*log, &selection, args, &progress).await;
    shown.map_err(|error| match error {
        ShowError::Store(source) => context.store_failed(source).into(),
        ShowError::Other(failure) => failure,
    })?;
    if progress.count() == 0 && !args.follow {
        explain_nothing(context, &store, &selection).await?;
    }
    Ok(())
}

/// The names that the instance may have in the log.
fn names_in_log(
    context: &Context,
    args: &ExposuresArgs,
) -> Result<Vec<InstanceId<'static>>, Failure> {
    let mut names = Vec::new();
    if let Some(instance) = &args.instance {
        let instance = InstanceId::new(instance.as_str()).map_err(ArgumentError::from)?;
        let mut reader = Reader::new(context.sources.clone());
        let id_mode = read_instance_id_mode(&mut reader);
        let id_mode = reader.finish(id_mode)?;
        let hashed = id_mode.pseudonym(&instance);
        names.push(instance.into_owned());
        names.extend(hashed);
    }
    Ok(names)
}

async fn within(
    context: &Context,
    store: &FlagStore,
    flag: &FlagKey,
    args: &ExposuresArgs,
) -> Result<TimeRange, Failure> {
    let mut times = [None, None];
    for (time, name) in times.iter_mut().zip([&args.since, &args.until]) {
        if let Some(name) = name {
            *time = Some(time_named(context, store, flag, name).await?);
        }
    }
    let [since, until] = times;
    Ok(time_range(since, until)?)
}

fn check_format(args: &ExposuresArgs) -> Result<(), ArgumentError> {
    let is_refused = match args.format.layout() {
        Layout::Lines(_) => args.summary,
        Layout::Whole(format) if format.is_for_people() => false,
        Layout::Whole(_) => args.follow,
    };
    if !is_refused {
        return Ok(());
    }
    let message = if args.summary {
        "--summary has every format but ndjson and csv"
    } else {
        "--follow has the formats table, ndjson and csv"
    };
    Err(ArgumentError::Usage(message.to_owned()))
}

async fn show(
    log: &dyn ExposureLog,
    selection: &Selection,
    args: &ExposuresArgs,
    progress: &PrintProgress,
) -> Result<(), ShowError> {
    match args.format.layout() {
        Layout::Whole(format) if args.summary => summarize(log, selection, format, progress).await,
        Layout::Whole(format) if args.follow && format.is_for_people() => {
            follow(log, selection, &mut ExposurePrinter::new(None, progress)).await
        }
        Layout::Whole(format) => newest(log, selection, args.limit, format, progress).await,
        Layout::Lines(lines) => {
            let mut printer = ExposurePrinter::new(Some(lines), progress);
            let unreadable = if args.follow {
                follow(log, selection, &mut printer).await?;
                Unreadable::default()
            } else {
                let all = all(log, selection, args.limit, &mut printer);
                with_progress_beside_output(progress, all).await?
            };
            output::notice_formulas(printer.escaped_cells(), "ndjson");
            Ok(unreadable.report()?)
        }
    }
}

async fn newest(
    log: &dyn ExposureLog,
    selection: &Selection,
    limit: Option<u32>,
    format: OutputFormat,
    progress: &PrintProgress,
) -> Result<(), ShowError> {
    let limit = limit.map_or(DEFAULT_LIMIT, |limit| {
        usize::try_from(limit).unwrap_or(usize::MAX)
    });
    let flag = &selection.flag;
    let reading = selection.newest(log, limit + 1);
    let reading = with_progress(format!("reading the exposures of {flag}"), reading);
    let (records, unreadable) = reading.await?;
    let mut exposures: Vec<_> = records.iter().map(ExposureRecord::text).collect();
    if exposures.len() > limit {
        exposures.truncate(limit);
        output::notice(&format!("older exposures are not shown (--limit {limit})"));
    }
    progress.add(exposures.len());
    let exposures = Exposures {
        flag,
        exposures: &exposures,
    };
    output::show(&exposures, format)?;
    Ok(unreadable.report()?)
}

/// Shows all exposures as they are read, or the newest; returns what cannot be read.
async fn all(
    log: &dyn ExposureLog,
    selection: &Selection,
    limit: Option<u32>,
    printer: &mut ExposurePrinter<'_>,
) -> Result<Unreadable, ShowError> {
    printer.print(&[])?;
    let show = |records: Vec<ExposureRecord>| {
        let pipe = printer.print(&records)?;
        Ok::<_, ShowError>(match pipe {
            OutputPipe::Open => ControlFlow::Continue(()),
            OutputPipe::Closed => ControlFlow::Break(()),
        })
    };
    match limit {
        Some(limit) => {
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            selection.each_newest(log, limit, show).await
        }
        None => selection.each(log, show).await,
    }
}

async fn summarize(
    log: &dyn ExposureLog,
    selection: &Selection,
    format: OutputFormat,
    progress: &PrintProgress,
) -> Result<(), ShowError> {
    let mut summary = ExposureSummary::new(&selection.flag);
    let count = selection.each(log, |records| {
        for record in &records {
            summary.add(&record.text());
        }
        progress.add(records.len());
        Ok::<_, ShowError>(ControlFlow::Continue(()))
    });
    let unreadable = with_progress(progress, count).await?;
    output::show(&summary, format)?;
    Ok(unreadable.report()?)
}

/// Says that no exposure is logged, or none that fits; a failure if there is no such flag.
async fn explain_nothing(
    context: &Context,
    store: &FlagStore,
    selection: &Selection,
) -> Result<(), Failure> {
    let flag = &selection.flag;
    lookup::ensure_there(context, store, flag).await?;
    output::notice(&if selection.is_all() {
        format!("no exposure of {flag} is logged")
    } else {
        format!("no logged exposure of {flag} fits the filters")
    });
    Ok(())
}

/// A failure if there is neither a flag nor an exposure of it: nothing would ever be shown.
async fn ensure_there(
    context: &Context,
    store: &FlagStore,
    log: &dyn ExposureLog,
    flag: &FlagKey,
) -> Result<(), Failure> {
    if exists(context, store, flag).await? {
        return Ok(());
    }
    let first = log.page(ExposureScope::Flag(flag), TimeRange::ALL, None, 1);
    let first = first.await.map_err(|source| context.store_failed(source))?;
    if first.records.is_empty() {
        return Err(missing_flag(context, store, flag.clone(), "").await.into());
    }
    Ok(())
}

impl ExposuresFormat {
    fn layout(self) -> Layout {
        match self {
            Self::Shared(OutputFormat::Csv) => Layout::Lines(LineFormat::Csv),
            Self::Shared(format) => Layout::Whole(format),
            Self::Ndjson => Layout::Lines(LineFormat::Ndjson),
        }
    }
}

impl TypedValueParser for ExposuresFormatParser {
    type Value = ExposuresFormat;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &OsStr,
    ) -> Result<ExposuresFormat, clap::Error> {
        if value == NDJSON {
            return Ok(ExposuresFormat::Ndjson);
        }
        let shared = OutputFormatParser.parse_ref(command, arg, value)?;
        Ok(ExposuresFormat::Shared(shared))
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let shared = OutputFormatParser.possible_values().into_iter().flatten();
        let shared: Vec<PossibleValue> = shared.collect();
        Some(Box::new(
            shared.into_iter().chain([PossibleValue::new(NDJSON)]),
        ))
    }
}

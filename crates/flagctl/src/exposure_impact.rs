//! Which of the instances that were seen a change moves from one value to another.
//!
//! Exact: each instance in the exposure log of that time is decided once before and once after the change. Of the instances
//! only a hash is kept in memory.
mod coverage;
mod instance_impact;
mod list;

use std::time::Duration;

use flag_model::{FlagKey, InstanceId, Timestamp};
use flag_rollout::Risk;
use flag_store::{
    BatchPage, Clock as _, ExposureBatch, ExposureLog, ExposureScope, StoreError, SystemClock,
    TimeRange,
};

use self::coverage::Coverage;
use self::instance_impact::{InstanceImpact, MAX};
use self::list::{List, ListError};
use crate::args::{AtMost, Lookback, RevisionWriteArgs, SeenArgs};
use crate::change::{Change, PlanPair};
use crate::confirm::{Confirmed, confirm};
use crate::context::Context;
use crate::exit_code::ExitCode;
use crate::failure::{CommandError, Failure};
use crate::interpret::ArgumentError;
use crate::output::{self, with_progress};

/// How long the log is read if nobody has asked for it; with `--yes` nobody looks at it before the change is written, which is
/// not held up then.
const READ_FOR: Duration = Duration::from_secs(3);
const READ_FOR_WITH_YES: Duration = Duration::from_millis(100);

/// How many exposures are read at once.
const AT_ONCE: usize = 5_000;

/// Why a change is refused, or why it is unknown whom it moves.
#[derive(Debug, thiserror::Error)]
enum ImpactError {
    /// More instances would move than are allowed.
    #[error(
        "{flag}: {may_move} of {seen} instances seen {} move, more than --at-most {max}; nothing was written",
        if may_move > moved { "may" } else { "would" }
    )]
    TooMany {
        flag: FlagKey,
        moved: u64,
        /// Includes those of which only a hash is logged.
        may_move: u64,
        seen: u64,
        max: AtMost,
    },
    /// It is not known how many would move.
    #[error(
        "{flag}: it is not known how many instances would move, as {why}; nothing was written (another time for --seen may tell)"
    )]
    Unknown { flag: FlagKey, why: String },
    /// There are more than are kept in memory.
    #[error(
        "{flag}: more than {max} instances were seen in that time: a shorter time for --seen has fewer"
    )]
    TooManySeen { flag: FlagKey, max: usize },
    /// The list cannot be written.
    #[error(transparent)]
    List(#[from] ListError),
}

impl CommandError for ImpactError {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::TooMany { .. } | Self::Unknown { .. } => ExitCode::Conflict,
            Self::TooManySeen { .. } | Self::List(_) => ExitCode::Failed,
        }
    }
}

/// Reads from the exposure log which instances the changes would move, shows both, and asks for confirmation. Refuses changes
/// that would move more instances than are allowed.
pub(crate) async fn show_impact_and_confirm(
    context: &Context,
    mut changes: Vec<Change>,
    args: &RevisionWriteArgs,
) -> Result<Confirmed, Failure> {
    let refused = add_impact(context, &mut changes, args).await?;
    if let Some(refused) = refused {
        for change in &changes {
            output::preview(&change.text());
        }
        return Err(refused.into());
    }
    Ok(confirm(&changes, &args.write)?)
}

/// Adds to the changes what they do to the instances seen; returns why they are refused, if they are.
async fn add_impact(
    context: &Context,
    changes: &mut [Change],
    RevisionWriteArgs { write, seen: args }: &RevisionWriteArgs,
) -> Result<Option<ImpactError>, Failure> {
    let is_unreadable = |change: &&mut Change| change.risks.contains(&Risk::Unreadable);
    if args.at_most.is_some()
        && let Some(change) = changes.iter_mut().find(is_unreadable)
    {
        let flag = change.flag.clone();
        let why = "the revision in force cannot be read".to_owned();
        return Ok(Some(ImpactError::Unknown { flag, why }));
    }
    if changes.iter().all(|change| change.plans().is_none()) {
        return Ok(None);
    }
    let is_wanted = args.list_ids.is_some() || args.at_most.is_some();
    match args.seen {
        Some(Lookback::Off) if is_wanted => {
            let message = "--list-ids and --at-most need the exposure log: leave out --seen off";
            Err(ArgumentError::Usage(message.to_owned()).into())
        }
        Some(Lookback::Off) => Ok(None),
        None if !is_wanted => {
            let is_shown_first = !write.yes || write.dry_run;
            let read_for = if is_shown_first {
                READ_FOR
            } else {
                READ_FOR_WITH_YES
            };
            look_briefly(context, changes, args, read_for).await;
            Ok(None)
        }
        seen => {
            let within = match seen {
                Some(Lookback::Within(within)) => within,
                Some(Lookback::Off) | None => Lookback::DEFAULT,
            };
            let log = context.open_log_alone().await?;
            let mut reader = ImpactReader::new(log.as_ref(), args, within)?;
            let reading = reader.assess_all(context, changes);
            with_progress("reading the exposure log", reading).await
        }
    }
}

/// Counts the instances although no option asks for it: gives up after a short time, and says nothing if the log has nothing of
/// the flags.
async fn look_briefly(
    context: &Context,
    changes: &mut [Change],
    args: &SeenArgs,
    read_for: Duration,
) {
    let reading = async {
        let log = context.open_log_alone().await?;
        let mut looking = ImpactReader::new(log.as_ref(), args, Lookback::DEFAULT)?;
        looking.assess_all(context, changes).await?;
        Ok::<_, Failure>(looking.has_findings)
    };
    let why = match tokio::time::timeout(read_for, reading).await {
        Ok(Ok(false)) => None,
        Ok(Ok(true)) => return,
        Ok(Err(_)) => Some("the exposure log cannot be read; --seen 7d says why".to_owned()),
        Err(_) => {
            let read_for = read_for.as_secs_f64();
            Some(format!(
                "the log was not read in {read_for} s; --seen 7d reads it"
            ))
        }
    };
    let said = why.map(|why| format!("instances seen: not counted, as {why}"));
    for change in changes {
        change.set_seen_lines(said.iter().cloned().collect());
    }
}

/// Reading the log for the instances that changes move.
struct ImpactReader<'a> {
    log: &'a dyn ExposureLog,
    since: Timestamp,
    now: Timestamp,
    /// The time from `since` to `now`, for people.
    within_text: String,
    at_most: Option<AtMost>,
    list: Option<List>,
    /// Whether instances were found, of any flag, or exposures that the log lacks.
    has_findings: bool,
}

impl<'a> ImpactReader<'a> {
    fn new(
        log: &'a dyn ExposureLog,
        args: &SeenArgs,
        within: Duration,
    ) -> Result<Self, ImpactError> {
        let now = SystemClock.now();
        Ok(Self {
            log,
            since: now.saturating_sub(within),
            now,
            within_text: format_duration(within),
            at_most: args.at_most,
            list: args.list_ids.as_deref().map(List::create).transpose()?,
            has_findings: false,
        })
    }

    /// Assesses every change; returns why the first is refused whose instances are too many.
    async fn assess_all(
        &mut self,
        context: &Context,
        changes: &mut [Change],
    ) -> Result<Option<ImpactError>, Failure> {
        let mut refused = None;
        for change in changes {
            let Some(plans) = change.plans() else {
                continue;
            };
            let (said, too_many) = self.assess(context, change, &plans).await?;
            change.set_seen_lines(said);
            refused = refused.or(too_many);
        }
        if let Some(list) = &mut self.list {
            list.finish().map_err(ImpactError::from)?;
        }
        Ok(refused)
    }

    /// What a change does to the instances seen, as lines of text, and why it is refused, if it is.
    async fn assess(
        &mut self,
        context: &Context,
        change: &Change,
        plans: &PlanPair,
    ) -> Result<(Vec<String>, Option<ImpactError>), Failure> {
        let failed = |source: StoreError| Failure::from(context.store_failed(source));
        let flag = &change.flag;
        let mut instance_impact = InstanceImpact::new(plans);
        let coverage = Coverage::begin(self.log, flag, (self.since, self.now));
        let mut coverage = coverage.await.map_err(failed)?;
        let since = Some(self.since);
        let range = TimeRange { since, until: None };
        let mut after = None;
        loop {
            let of = ExposureScope::Flag(flag);
            let page = (self.log).batches(of, range, after.as_ref(), AT_ONCE);
            let page = page.await.map_err(failed)?;
            coverage.add(&page);
            self.add(&page, flag, &mut instance_impact)?;
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let (missing, mut said) = (
            coverage.missing(),
            instance_impact.described(&self.within_text),
        );
        said.extend(coverage.warning());
        self.has_findings |= instance_impact.seen() + missing > 0;
        Ok((said, self.refusal(change, &instance_impact, missing)))
    }

    /// Why a change is refused: more instances would move than may, or it is not known that no more would.
    fn refusal(
        &self,
        change: &Change,
        instance_impact: &InstanceImpact<'_>,
        missing: u64,
    ) -> Option<ImpactError> {
        let max = self.at_most.filter(|_| !change.changes_nothing())?;
        let (flag, may_move, seen) = (
            change.flag.clone(),
            instance_impact.may_move(),
            instance_impact.seen(),
        );
        if !max.allows(may_move, seen) {
            return Some(ImpactError::TooMany {
                flag,
                moved: instance_impact.moved(),
                may_move,
                seen,
                max,
            });
        }
        let why = if seen + missing == 0 && !max.allows_all() {
            format!("none was seen in {}", self.within_text)
        } else if !max.allows(may_move + missing, seen + missing) {
            format!("the log lacks {missing} exposures of that time")
        } else {
            return None;
        };
        Some(ImpactError::Unknown { flag, why })
    }

    /// Adds the instances of a page.
    fn add(
        &mut self,
        page: &BatchPage,
        flag: &FlagKey,
        instance_impact: &mut InstanceImpact<'_>,
    ) -> Result<(), ImpactError> {
        let of_records = page.records.iter();
        let of_records =
            of_records.filter_map(|record| Some((record.instance()?, record.is_hashed())));
        let of_batches = page.batches.iter().flat_map(ExposureBatch::entries);
        let of_batches = of_batches.map(|entry| (entry.instance, entry.is_hashed()));
        for (name, is_hashed) in of_records.chain(of_batches) {
            self.add_instance(name, is_hashed, flag, instance_impact)?;
        }
        Ok(())
    }

    fn add_instance(
        &mut self,
        name: &str,
        is_hashed: bool,
        flag: &FlagKey,
        instance_impact: &mut InstanceImpact<'_>,
    ) -> Result<(), ImpactError> {
        let full = |_: flag_store::Full| ImpactError::TooManySeen {
            flag: flag.clone(),
            max: MAX,
        };
        if is_hashed {
            instance_impact.add_hashed(name).map_err(full)?;
        } else if let Ok(instance) = InstanceId::new(name)
            && let Some(moved) = instance_impact.add(&instance).map_err(full)?
            && let Some(list) = &mut self.list
        {
            list.add(flag, &instance, moved)?;
        }
        Ok(())
    }
}

/// A length of time in its largest whole unit.
fn format_duration(within: Duration) -> String {
    let seconds = within.as_secs();
    let units = [(86_400, "d"), (3_600, "h"), (60, "m")];
    let whole = units.iter().find(|(unit, _)| seconds.is_multiple_of(*unit));
    let (unit, name) = whole.copied().unwrap_or((1, "s"));
    format!("{} {name}", seconds / unit)
}

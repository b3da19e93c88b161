//! `flagctl watch`: shows a flag as it changes, until Ctrl-C.

use std::time::Duration;

use clap::Args;
use flag_model::{FlagKey, Revision};
use flag_store::{
    Clock as _, ExposureLog, FlagStore, Minute, MinuteCounts, StoreError, SystemClock,
};
use tokio::time::Instant;

use crate::args::FlagWords;
use crate::context::Context;
use crate::failure::Failure;
use crate::following::{Outage, RevisionTimes, pause, until_interrupted};
use crate::interpret::ArgumentError;
use crate::lookup::{WantedFlag, ensure_there};
use crate::maybe_readable::MaybeReadable;
use crate::output::{OutputPipe, Screen, Watched, WatchedLines, notice, show_more, with_progress};
use crate::revision_numbers::RevisionNumbers;

/// How many revisions are shown.
const SHOWN: usize = 5;

/// How often counts are read; services write them once a minute.
const COUNTS_EVERY: Duration = Duration::from_secs(5);

/// The minutes whose answers are counted.
const COUNTED: i64 = 60;

#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    #[command(flatten)]
    flag: FlagWords,
}

/// Draws the flag on a terminal again and again; elsewhere appends a line for each change.
pub(crate) async fn watch(context: &Context, args: &WatchArgs) -> Result<(), Failure> {
    let named = args.flag.alone().map_err(ArgumentError::Usage)?;
    let wanted = WantedFlag::read(&named, &context.variables)?;
    let (store, log) = context.open_with_log().await?;
    let flag = wanted.find(context, &store, "").await?;
    ensure_there(context, &store, &flag).await?;
    let mut looking = Looking::at(&store, &*log, &flag);
    let first = with_progress(format!("reading {flag}"), looking.look()).await;
    first.map_err(|source| context.store_failed(source))?;
    let mut display = Display::new();
    let watching = keep_looking(&mut looking, &mut display, context);
    let done = until_interrupted(watching).await?;
    display.leave()?;
    done.unwrap_or(Ok(()))
}

async fn keep_looking(
    looking: &mut Looking<'_>,
    display: &mut Display,
    context: &Context,
) -> Result<(), Failure> {
    let name = format!("the {}", context.store_display_name());
    let mut outage = Outage::default();
    while display.show(looking, &mut outage)? == OutputPipe::Open {
        pause(looking.began).await;
        let passed = outage.pass(&name, looking.look().await);
        passed.map_err(|source| context.store_failed(source))?;
    }
    Ok(())
}

/// What is known of a flag, and how it is read.
struct Looking<'a> {
    store: &'a FlagStore,
    log: &'a dyn ExposureLog,
    flag: &'a FlagKey,
    times: RevisionTimes<'a>,
    numbers: RevisionNumbers,
    /// The newest ones; `None` if they are to be read again.
    revisions: Option<Vec<MaybeReadable<Revision>>>,
    counts: Vec<MinuteCounts>,
    counted: Option<Instant>,
    began: Instant,
}

impl<'a> Looking<'a> {
    fn at(store: &'a FlagStore, log: &'a dyn ExposureLog, flag: &'a FlagKey) -> Self {
        Self {
            store,
            log,
            flag,
            times: RevisionTimes::of(store, flag),
            numbers: RevisionNumbers::new(Vec::new()),
            revisions: None,
            counts: Vec::new(),
            counted: None,
            began: Instant::now(),
        }
    }

    /// Reads what may have changed.
    async fn look(&mut self) -> Result<(), StoreError> {
        self.began = Instant::now();
        if self.times.have_changed().await? {
            self.revisions = None;
        }
        if self.revisions.is_none() {
            self.revisions = Some(self.store.history(self.flag, SHOWN).await?);
            self.numbers = self.times.revision_numbers();
        }
        if self
            .counted
            .is_none_or(|counted| counted.elapsed() >= COUNTS_EVERY)
        {
            let now = Minute::of(SystemClock.now());
            let within = now.plus(1 - COUNTED)..now.plus(1);
            self.counts = self.log.counts(self.flag, within).await?;
            self.counted = Some(Instant::now());
        }
        Ok(())
    }
}

/// Where the flag is shown.
enum Display {
    /// In its place on a terminal.
    Screen(Screen),
    /// Line below line; answers are counted since that minute.
    Lines(WatchedLines, Minute),
}

impl Display {
    fn new() -> Self {
        let lines = || Self::Lines(WatchedLines::new(), Minute::of(SystemClock.now()));
        Screen::open().map_or_else(lines, Self::Screen)
    }

    fn show(&mut self, looking: &Looking<'_>, outage: &mut Outage) -> Result<OutputPipe, Failure> {
        let watched = |problem| Watched {
            flag: looking.flag,
            revisions: looking.revisions.as_deref().unwrap_or_default(),
            numbers: &looking.numbers,
            counts: &looking.counts,
            now: SystemClock.now(),
            problem,
        };
        match self {
            Self::Screen(screen) => screen.draw(&watched(outage.problem()).text()),
            Self::Lines(lines, since) => {
                if let Some(problem) = outage.news() {
                    notice(problem);
                }
                show_more(&lines.news(&watched(None), *since))
            }
        }
    }

    fn leave(self) -> Result<(), Failure> {
        match self {
            Self::Screen(_) => Screen::leave(),
            Self::Lines(..) => Ok(()),
        }
    }
}

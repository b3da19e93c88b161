//! Shows revisions as they are made.

use std::collections::HashSet;

use flag_model::{FlagKey, Revision, Timestamp};
use flag_store::{Clock as _, FlagStore, StoreError, SystemClock};
use tokio::time::Instant;

use super::HistoryArgs;
use crate::args::OutputFormat;
use crate::context::Context;
use crate::failure::Failure;
use crate::following::{Outage, RevisionTimes, pause, until_interrupted};
use crate::lookup::ensure_there;
use crate::maybe_readable::{MaybeReadable, created};
use crate::output::{OutputPipe, RevisionLines, notice, print_more, show_more};

/// Shows the newest revisions, the oldest of them first, and then each one that is made.
pub(super) async fn follow(
    context: &Context,
    store: &FlagStore,
    flag: &FlagKey,
    args: &HistoryArgs,
) -> Result<(), Failure> {
    ensure_there(context, store, flag).await?;
    let mut news = News {
        store,
        flag,
        times: RevisionTimes::of(store, flag),
        known: HashSet::new(),
        shown_at_first: Some(args.limit.into()),
        is_pending: true,
    };
    let following = until_closed(context, &mut news, args.output.format);
    until_interrupted(following).await?.unwrap_or(Ok(()))
}

async fn until_closed(
    context: &Context,
    news: &mut News<'_>,
    format: OutputFormat,
) -> Result<(), Failure> {
    let name = format!("the {}", context.store_display_name());
    let mut lines = RevisionLines::new();
    let mut outage = Outage::default();
    loop {
        let began = Instant::now();
        let read = outage.pass(&name, news.read().await);
        let read = read.map_err(|source| context.store_failed(source))?;
        if let Some(problem) = outage.news() {
            notice(problem);
        }
        if let Some(revisions) = read
            && news.show(&revisions, &mut lines, format)? == OutputPipe::Closed
        {
            return Ok(());
        }
        pause(began).await;
    }
}

/// The revisions that were not shown yet.
struct News<'a> {
    store: &'a FlagStore,
    flag: &'a FlagKey,
    times: RevisionTimes<'a>,
    known: HashSet<Timestamp>,
    /// How many of the newest are shown at first; `None` once the others are known.
    shown_at_first: Option<usize>,
    /// Whether the times have changed since the last revisions were read.
    is_pending: bool,
}

impl News<'_> {
    /// Those that were made since the last time, the oldest first; at first the newest ones.
    async fn read(&mut self) -> Result<Vec<MaybeReadable<Revision>>, StoreError> {
        self.is_pending |= self.times.have_changed().await?;
        if !self.is_pending {
            return Ok(Vec::new());
        }
        if let Some(older) = self.shown_at_first.take() {
            self.known.extend(self.times.times().iter().skip(older));
        }
        let mut times = self.times.times().iter();
        let oldest = times.rposition(|time| !self.known.contains(time));
        let wanted = oldest.map_or(0, |oldest| oldest + 1);
        let mut revisions = self.store.history(self.flag, wanted).await?;
        let is_new = |row: &MaybeReadable<Revision>| {
            created(row).is_some_and(|made| !self.known.contains(&made))
        };
        revisions.retain(is_new);
        revisions.reverse();
        // Only these: another one may have been made since the times were read.
        self.known.extend(revisions.iter().filter_map(created));
        self.is_pending = false;
        Ok(revisions)
    }

    fn show(
        &self,
        revisions: &[MaybeReadable<Revision>],
        lines: &mut RevisionLines,
        format: OutputFormat,
    ) -> Result<OutputPipe, Failure> {
        if format == OutputFormat::Name {
            let times = revisions.iter();
            let times = times.filter_map(created).map(|time| format!("{time}\n"));
            return print_more(&times.collect::<String>());
        }
        show_more(&lines.with(revisions, &self.times.revision_numbers(), SystemClock.now()))
    }
}

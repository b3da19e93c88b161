//! The propagation of a change: waits until every replica has reported that it serves what was written.

mod message;

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::time::Duration;

use flag_model::{FlagKey, ProjectName, Timestamp};
use flag_store::{
    Clock as _, ExposureLog, HeadRow, Replica, ReplicaId, ServedRevisions, StoreError, SystemClock,
    known_replicas, served_revisions,
};
use tokio::time::{Instant, sleep};

pub(crate) use self::message::no_replica;
use crate::context::{Context, WrittenRevision};
use crate::exit_code::ExitCode;
use crate::failure::{CommandError, Failure};
use crate::output::{self, with_progress};

/// How often reports are read.
const READ_EVERY: Duration = Duration::from_millis(50);

/// How long after its next look for changes a replica has reported what it found.
const REPORTED_WITHIN: Duration = Duration::from_millis(500);

/// What a replica does with flags that were written. Of several projects the greatest counts: one that is not served outweighs
/// those that are, and these the ones that nobody has asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Serving {
    /// It had not been asked for a flag of the project by its last report; it reads one when it is.
    NotAsked,
    /// It serves them.
    Yes,
    /// It is not known to serve them.
    No,
}

/// What replicas do with the flags, now.
#[derive(Debug)]
struct Observed {
    replicas: Vec<(Replica, Serving)>,
    /// The names of those that have stopped to report.
    silent: Vec<String>,
    /// How old the latest report is.
    age: Option<Duration>,
    /// How long after the change the reading of the reports began.
    reading_began: Duration,
    /// How long after the change it ended.
    reading_ended: Duration,
    /// Which replica was the last to serve the flags, and when.
    slowest: Option<(ReplicaId, Duration)>,
}

/// The replicas' reports cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("written, but it is not known who serves it")]
struct NotKnown {
    source: Box<dyn Error + Send + Sync>,
}

impl NotKnown {
    fn of(source: impl Error + Send + Sync + 'static) -> Self {
        let source = Box::new(source);
        Self { source }
    }
}

impl CommandError for NotKnown {
    fn exit_code(&self) -> ExitCode {
        ExitCode::NotServed
    }
}

impl Observed {
    /// Whether each replica was found to serve the flags, or to have no old revision of them.
    fn is_settled(&self) -> bool {
        let mut replicas = self.replicas.iter();
        replicas
            .all(|(replica, state)| is_known_to_serve_no_older(replica, *state, self.reading_began))
    }
}

/// Whether it is known that a replica serves no older revision. One without a report about the project may have cached the flag
/// just before the change; its next poll and the report after that settle it.
fn is_known_to_serve_no_older(replica: &Replica, state: Serving, reading_began: Duration) -> bool {
    match state {
        Serving::Yes => true,
        Serving::No => false,
        Serving::NotAsked => settles_after(replica).is_some_and(|settled| reading_began >= settled),
    }
}

/// How long after a change a replica that has reported nothing about a project serves no older revision.
fn settles_after(replica: &Replica) -> Option<Duration> {
    Some(replica.polls_every? + REPORTED_WITHIN)
}

/// Waits, if that is wanted, until all replicas serve what was written; says so, or who is behind.
pub(crate) async fn wait(context: &Context, patience: Option<Duration>) -> Result<(), Failure> {
    let written = context.take_written();
    let Some(patience) = patience else {
        return Ok(());
    };
    let Some(last) = written.iter().map(|written| written.at).max() else {
        output::notice("no revision was written, so there is nothing to wait for");
        return Ok(());
    };
    let log = context.open_log(context.settings()).await;
    let log = log.map_err(NotKnown::of)?;
    let waiting = observe_until_served(&*log, &written, last, patience);
    let waiting = with_progress("waiting for the replicas".to_owned(), waiting).await;
    let observed = waiting.map_err(|source| NotKnown::of(context.store_failed(source)))?;
    output::notice(&message::served_by(&observed)?);
    Ok(())
}

/// Reads reports until no replica is behind, or for as long as that is wanted; returns the last ones.
async fn observe_until_served(
    log: &dyn ExposureLog,
    written: &[WrittenRevision],
    since: Instant,
    patience: Duration,
) -> Result<Observed, StoreError> {
    let mut serving = BTreeSet::new();
    let mut slowest = None;
    loop {
        let reading_began = since.elapsed();
        let mut observed = observe(log, written).await?;
        let reading_ended = since.elapsed();
        for (replica, state) in &observed.replicas {
            if *state == Serving::Yes && serving.insert(replica.id) {
                slowest = Some((replica.id, reading_ended));
            }
        }
        (observed.reading_began, observed.reading_ended) = (reading_began, reading_ended);
        observed.slowest = slowest;
        if reading_ended >= patience || observed.is_settled() {
            return Ok(observed);
        }
        sleep(READ_EVERY).await;
    }
}

async fn observe(
    log: &dyn ExposureLog,
    written: &[WrittenRevision],
) -> Result<Observed, StoreError> {
    let mut projects: BTreeMap<&ProjectName, Vec<&WrittenRevision>> = BTreeMap::new();
    for revision in written {
        let of_project = projects.entry(&revision.flag.project).or_default();
        of_project.push(revision);
    }
    let mut by_project = Vec::new();
    for (project, written) in projects {
        let Some(first) = written.first() else {
            continue;
        };
        let head = first.store.head_row(project).await?;
        by_project.push((written, head, served_revisions(log, project).await?));
    }
    let (replicas, now) = (known_replicas(log).await?, SystemClock.now());
    let state = |replica: &Replica| {
        let states = by_project.iter().map(|(written, head, served)| {
            let written = written.iter();
            let written = written.map(|written| (&written.flag, written.created));
            serving(replica, served.get(&replica.id), written, head)
        });
        states.max().unwrap_or(Serving::NotAsked)
    };
    let serves = |replica: &Replica| state(replica) == Serving::Yes;
    // One that serves the change has reported since, whatever the clocks say.
    let mut all_replicas = replicas.live.iter().chain(&replicas.silent);
    let mut replicas = if all_replicas.any(serves) {
        replicas
    } else {
        replicas.as_of(now)
    };
    let heard = replicas.silent.extract_if(.., |replica| serves(replica));
    replicas.live.extend(heard);
    let silent = replicas.silent.iter();
    Ok(Observed {
        silent: silent.map(|replica| replica.name.clone()).collect(),
        age: replicas.age(now),
        replicas: with_states(replicas.live, state),
        reading_began: Duration::ZERO,
        reading_ended: Duration::ZERO,
        slowest: None,
    })
}

fn with_states(
    replicas: Vec<Replica>,
    state: impl Fn(&Replica) -> Serving,
) -> Vec<(Replica, Serving)> {
    let replicas = replicas.into_iter();
    let replicas = replicas.map(|replica| {
        let state = state(&replica);
        (replica, state)
    });
    replicas.collect()
}

/// What a replica that has reported this does with these revisions of flags of a project.
pub(crate) fn serving<'a>(
    replica: &Replica,
    served: Option<&ServedRevisions>,
    mut written: impl Iterator<Item = (&'a FlagKey, Timestamp)>,
    head: &HeadRow,
) -> Serving {
    match served {
        _ if replica.polls_every.is_none() => Serving::No,
        None => Serving::NotAsked,
        Some(served) if written.all(|(flag, time)| served.serves(flag, time, head)) => Serving::Yes,
        Some(_) => Serving::No,
    }
}

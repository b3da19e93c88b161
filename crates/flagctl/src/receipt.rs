//! The receipt of a change: waits until every replica has reported that it serves what was written.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::time::Duration;

use flag_model::{FlagKey, ProjectName, Timestamp};
use flag_store::{
    Clock as _, ExposureLog, FlagStore, HeadRow, Replica, ReplicaId, ServedRevisions, StoreError,
    SystemClock, live_replicas, served_revisions,
};
use tokio::time::{Instant, sleep};

use crate::context::Context;
use crate::exit_code::ExitCode;
use crate::failure::{CommandError, Failure};
use crate::output::{self, with_progress};

/// How often reports are read.
const READ_EVERY: Duration = Duration::from_millis(50);

/// A revision that was written.
#[derive(Debug)]
pub(crate) struct WrittenRevision {
    pub(crate) store: FlagStore,
    pub(crate) flag: FlagKey,
    pub(crate) created: Timestamp,
    /// When it was published.
    pub(crate) at: Instant,
}

/// What a replica does with flags that were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Serving {
    /// It has not been asked for a flag of the project; it reads one when it is.
    NotAsked,
    /// It serves them.
    Yes,
    /// It is not known to serve them.
    No,
}

/// Why it is not known that all replicas serve a change.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotServed {
    /// Some of them do not.
    #[error(
        "written, and served by {served} of {all} replicas after {}; behind: {}",
        shown(*.after),
        .behind.join(", ")
    )]
    Behind {
        served: usize,
        all: usize,
        after: Duration,
        behind: Vec<String>,
    },
    /// There is none, or none that reports.
    #[error(
        "written, but no replica has reported in the last 3 minutes, so it is not known who serves it"
    )]
    NoReplica,
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

impl CommandError for NotServed {
    fn exit_code(&self) -> ExitCode {
        ExitCode::NotServed
    }
}

/// What replicas do with the flags, now.
type Observed = Vec<(Replica, Serving)>;

/// Waits, if that is wanted, until all replicas serve what was written; says so, or who is behind.
pub(crate) async fn wait(context: &Context, patience: Option<Duration>) -> Result<(), Failure> {
    let written = context.take_written();
    let Some((patience, last)) = patience.zip(written.iter().map(|written| written.at).max())
    else {
        return Ok(());
    };
    let log = context.open_log(context.settings()).await;
    let log = log.map_err(NotKnown::of)?;
    let waiting = observe_until_served(&*log, &written, last, patience);
    let waiting = with_progress("waiting for the replicas".to_owned(), waiting).await;
    let (observed, slowest) =
        waiting.map_err(|source| NotKnown::of(context.store_failed(source)))?;
    let receipt = receipt(&observed, last.elapsed(), slowest)?;
    output::notice(&receipt);
    Ok(())
}

/// Reads reports until no replica is behind, or for as long as that is wanted; returns the last ones, and which replica was
/// the last to serve, and when.
async fn observe_until_served(
    log: &dyn ExposureLog,
    written: &[WrittenRevision],
    since: Instant,
    patience: Duration,
) -> Result<(Observed, Option<(ReplicaId, Duration)>), StoreError> {
    let mut serving = BTreeSet::new();
    let mut slowest = None;
    loop {
        let observed = observe(log, written).await?;
        let after = since.elapsed();
        for (replica, state) in &observed {
            if *state == Serving::Yes && serving.insert(replica.id) {
                slowest = Some((replica.id, after));
            }
        }
        let is_behind = |(_, state): &(_, Serving)| *state == Serving::No;
        if after >= patience || !observed.iter().any(is_behind) {
            return Ok((observed, slowest));
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
    let mut known = Vec::new();
    for (project, written) in projects {
        let Some(first) = written.first() else {
            continue;
        };
        let head = first.store.head_row(project).await?;
        known.push((written, head, served_revisions(log, project).await?));
    }
    let replicas = live_replicas(log, SystemClock.now()).await?;
    let observed = replicas.into_iter().map(|replica| {
        let states = known.iter().map(|(written, head, served)| {
            let written = written.iter();
            let written = written.map(|written| (&written.flag, written.created));
            serving(&replica, served.get(&replica.id), written, head)
        });
        let state = states.max().unwrap_or(Serving::NotAsked);
        (replica, state)
    });
    Ok(observed.collect())
}

/// What a replica that has reported this does with these revisions of flags of a project.
pub(crate) fn serving<'a>(
    replica: &Replica,
    served: Option<&ServedRevisions>,
    mut written: impl Iterator<Item = (&'a FlagKey, Timestamp)>,
    head: &HeadRow,
) -> Serving {
    match served {
        _ if !replica.watches => Serving::No,
        None => Serving::NotAsked,
        Some(served) if written.all(|(flag, time)| served.serves(flag, time, head)) => Serving::Yes,
        Some(_) => Serving::No,
    }
}

/// The receipt, if no replica is behind.
fn receipt(
    observed: &[(Replica, Serving)],
    after: Duration,
    slowest: Option<(ReplicaId, Duration)>,
) -> Result<String, NotServed> {
    let of = |wanted| {
        let replicas = observed.iter().filter(move |(_, state)| *state == wanted);
        replicas.map(|(replica, _)| replica)
    };
    let (served, behind) = (of(Serving::Yes).count(), of(Serving::No).count());
    if behind > 0 {
        return Err(NotServed::Behind {
            served,
            all: served + behind,
            after,
            behind: of(Serving::No).map(described).collect(),
        });
    }
    if observed.is_empty() {
        return Err(NotServed::NoReplica);
    }
    let not_asked = match of(Serving::NotAsked).count() {
        0 => String::new(),
        1 => "; 1 has not been asked for the project yet".to_owned(),
        count => format!("; {count} have not been asked for the project yet"),
    };
    let last = slowest.and_then(|(id, after)| {
        let replica = of(Serving::Yes).find(|replica| replica.id == id)?;
        Some(format!(
            " after {} (slowest {})",
            shown(after),
            replica.name
        ))
    });
    let plural = if served == 1 { "" } else { "s" };
    let last = last.unwrap_or_default();
    Ok(format!(
        "served by {served} of {served} replica{plural}{last}{not_asked}"
    ))
}

fn described(replica: &Replica) -> String {
    let name = &replica.name;
    if !replica.watches {
        return format!("{name} (does not watch for changes: FLAG_CHANGE_POLL_MS=0)");
    }
    let ago = SystemClock.now().since(replica.reported);
    format!("{name} (last reported {} ago)", shown(ago))
}

/// A time in milliseconds, or in seconds from ten of them.
fn shown(time: Duration) -> String {
    if time < Duration::from_secs(10) {
        format!("{} ms", time.as_millis())
    } else {
        format!("{} s", time.as_secs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replica(name: &str) -> Replica {
        let now = SystemClock.now();
        Replica {
            id: ReplicaId(name.len() as u128),
            name: name.to_owned(),
            build: "1".to_owned(),
            started: now,
            reported: now,
            watches: true,
        }
    }

    #[track_caller]
    fn check(observed: &[(&str, Serving)], expected: Result<&str, &str>) {
        let observed = observed.iter().map(|(name, state)| (replica(name), *state));
        let observed: Vec<_> = observed.collect();
        let slowest = Some((ReplicaId(1), Duration::from_millis(412)));
        let found = receipt(&observed, Duration::from_secs(5), slowest);
        let found = found.map_err(|error| error.to_string());
        assert_eq!(found, expected.map(str::to_owned).map_err(str::to_owned));
    }

    #[test]
    fn a_receipt_names_the_slowest_or_those_that_are_behind() {
        use Serving::{No, NotAsked, Yes};
        check(
            &[("a", Yes), ("bb", Yes)],
            Ok("served by 2 of 2 replicas after 412 ms (slowest a)"),
        );
        check(
            &[("a", Yes), ("bb", NotAsked)],
            Ok(
                "served by 1 of 1 replica after 412 ms (slowest a); 1 has not been asked for the project yet",
            ),
        );
        check(
            &[("a", Yes), ("bb", No), ("ccc", NotAsked)],
            Err(
                "written, and served by 1 of 2 replicas after 5000 ms; behind: bb (last reported 0 ms ago)",
            ),
        );
        check(&[], Err(&NotServed::NoReplica.to_string()));
    }

    #[test]
    fn a_replica_that_does_not_watch_for_changes_is_behind() {
        let head = HeadRow::default();
        let mut replica = replica("a");
        let state = |replica: &Replica| serving(replica, None, [].into_iter(), &head);
        assert_eq!(state(&replica), Serving::NotAsked);
        replica.watches = false;
        assert_eq!(state(&replica), Serving::No);
    }
}

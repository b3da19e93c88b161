//! What is said of the propagation of a change.

use std::time::Duration;

use flag_describe::clock_error;
use flag_store::{Clock as _, Replica, SystemClock};

use super::{Observed, Serving, is_known_to_serve_no_older, settles_after};
use crate::exit_code::ExitCode;
use crate::failure::CommandError;

/// Why it is not known that all replicas serve a change.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotServed {
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
    #[error("written, but {}, so it is not known who serves it", no_replica(*.age))]
    NoReplica {
        /// How old the latest report is.
        age: Option<Duration>,
    },
}

impl CommandError for NotServed {
    fn exit_code(&self) -> ExitCode {
        ExitCode::NotServed
    }
}

/// Says which replicas serve the change, if none is behind.
pub(super) fn served_by(observed: &Observed) -> Result<String, NotServed> {
    if observed.replicas.is_empty() {
        return Err(NotServed::NoReplica { age: observed.age });
    }
    let of = |wanted| {
        let replicas = observed.replicas.iter();
        let replicas = replicas.filter(move |(_, state)| *state == wanted);
        replicas.map(|(replica, _)| replica)
    };
    let unknown = |(replica, state): &&(_, _)| {
        !is_known_to_serve_no_older(replica, *state, observed.reading_began)
    };
    let behind = observed.replicas.iter().filter(unknown);
    let behind: Vec<_> = behind.map(described).collect();
    let served = of(Serving::Yes).count();
    if !behind.is_empty() {
        return Err(NotServed::Behind {
            served,
            all: served + behind.len(),
            after: observed.reading_ended,
            behind,
        });
    }
    let last = observed.slowest.and_then(|(id, after)| {
        let replica = of(Serving::Yes).find(|replica| replica.id == id)?;
        let (after, name) = (shown(after), &replica.name);
        Some(format!(" after {after} (slowest {name})"))
    });
    let plural = if served == 1 { "" } else { "s" };
    let last = last.unwrap_or_default();
    let not_asked = not_asked(of(Serving::NotAsked));
    let silent = silent(&observed.silent);
    Ok(format!(
        "served by {served} of {served} replica{plural}{last}{not_asked}{silent}"
    ))
}

/// Which replicas are not counted, as they had not been asked.
fn not_asked<'a>(replicas: impl Iterator<Item = &'a Replica>) -> String {
    let replicas: Vec<_> = replicas.collect();
    let now = SystemClock.now();
    let ages = replicas
        .iter()
        .map(|replica| now.since(replica.last_heard()));
    let Some(oldest) = ages.max() else {
        return String::new();
    };
    let (count, age) = (replicas.len(), shown(oldest));
    if count == 1 {
        format!("; 1 had not been asked for the project by its last report {age} ago")
    } else {
        format!(
            "; {count} had not been asked for the project by their last reports up to {age} ago"
        )
    }
}

/// Which replicas are not counted, as they have stopped to report.
fn silent(names: &[String]) -> String {
    if names.is_empty() {
        return String::new();
    }
    let names = names.join(", ");
    format!("; not counted, as killed or cut off from the log for at least 3 minutes: {names}")
}

/// Says that none has reported, and how old the latest report is by the clock of this machine, which may be wrong.
pub(crate) fn no_replica(age: Option<Duration>) -> String {
    let said = "no replica has reported in the last 3 minutes";
    match age {
        None => said.to_owned(),
        Some(age) => format!(
            "{said} by the clock of this machine (the latest report is {} old)",
            shown(age)
        ),
    }
}

fn described((replica, state): &(Replica, Serving)) -> String {
    let name = &replica.name;
    let why = match (settles_after(replica), state) {
        (None, _) => "does not watch for changes: FLAG_CHANGE_POLL_MS=0".to_owned(),
        (Some(settled), Serving::NotAsked) => format!(
            "not known: it may have been asked for the project shortly before, and reports that within {}",
            shown(settled)
        ),
        _ => {
            let ago = SystemClock.now().since(replica.last_heard());
            format!("last reported {} ago", shown(ago))
        }
    };
    let clock = replica.clock_error().map(clock_error);
    let clock = clock.map(|error| format!("; {error}")).unwrap_or_default();
    format!("{name} ({why}{clock})")
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
    use flag_store::{HeadRow, ReplicaId};

    use super::super::serving;
    use super::*;

    fn replica(name: &str) -> Replica {
        let now = SystemClock.now();
        Replica {
            id: ReplicaId(name.len() as u128),
            name: name.to_owned(),
            build: "1".to_owned(),
            started: now,
            reported: now,
            written: None,
            polls_every: Some(Duration::from_millis(500)),
        }
    }

    #[track_caller]
    fn check(replicas: &[(&str, Serving)], silent: &[&str], expected: Result<&str, &str>) {
        check_after(Duration::from_secs(5), replicas, silent, expected);
    }

    #[track_caller]
    fn check_after(
        after: Duration,
        replicas: &[(&str, Serving)],
        silent: &[&str],
        expected: Result<&str, &str>,
    ) {
        let replicas = replicas.iter().map(|(name, state)| (replica(name), *state));
        let found = served_by(&Observed {
            replicas: replicas.collect(),
            silent: silent.iter().map(ToString::to_string).collect(),
            age: None,
            reading_began: after,
            reading_ended: after,
            slowest: Some((ReplicaId(1), Duration::from_millis(412))),
        });
        let found = found.map_err(|error| error.to_string());
        assert_eq!(found, expected.map(str::to_owned).map_err(str::to_owned));
    }

    #[test]
    fn a_message_names_the_slowest_or_those_that_are_behind() {
        use Serving::{No, NotAsked, Yes};
        check(
            &[("a", Yes), ("bb", Yes)],
            &[],
            Ok("served by 2 of 2 replicas after 412 ms (slowest a)"),
        );
        check(
            &[("a", Yes), ("bb", NotAsked)],
            &[],
            Ok(
                "served by 1 of 1 replica after 412 ms (slowest a); 1 had not been asked for the project by its last report 0 ms ago",
            ),
        );
        check(
            &[("a", Yes), ("bb", No), ("ccc", NotAsked)],
            &[],
            Err(
                "written, and served by 1 of 2 replicas after 5000 ms; behind: bb (last reported 0 ms ago)",
            ),
        );
        check(
            &[("a", Yes)],
            &["bb", "ccc"],
            Ok(
                "served by 1 of 1 replica after 412 ms (slowest a); not counted, as killed or cut off from the log for at least 3 minutes: bb, ccc",
            ),
        );
        let none = NotServed::NoReplica { age: None };
        check(&[], &[], Err(&none.to_string()));
    }

    #[test]
    fn a_replica_that_may_have_been_asked_a_moment_before_the_change_is_not_known_to_serve_it() {
        let replicas = [("a", Serving::Yes), ("bb", Serving::NotAsked)];
        let known = "served by 1 of 1 replica after 412 ms (slowest a); 1 had not been asked for the project by its last report 0 ms ago";
        let unknown = "written, and served by 1 of 2 replicas after 999 ms; behind: bb (not known: it may have been asked for the project shortly before, and reports that within 1000 ms)";
        let check = |millis, expected| {
            check_after(Duration::from_millis(millis), &replicas, &[], expected);
        };
        check(999, Err(unknown));
        check(1000, Ok(known));
    }

    #[test]
    fn a_replica_that_does_not_watch_for_changes_is_behind() {
        let head = HeadRow::default();
        let mut replica = replica("a");
        let state = |replica: &Replica| serving(replica, None, [].into_iter(), &head);
        assert_eq!(state(&replica), Serving::NotAsked);
        replica.polls_every = None;
        assert_eq!(state(&replica), Serving::No);
    }
}

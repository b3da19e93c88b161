//! Adapts the limit of open files and the number of connections to each other.

use rustix::process::{Resource, getrlimit, setrlimit};
use tracing::warn;

use super::connections::MAX_OVER_LIMIT;

/// Files that the service itself needs: store, log, file of keys, timers, connections to the store and the collector.
const OTHERS: usize = 256;

/// Files that each worker needs, including connections beyond the limit, which may be twice as many for a moment.
const PER_WORKER: usize = 4 + 2 * MAX_OVER_LIMIT;

/// How many connections and event streams the limit of open files has room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Capacity {
    pub(super) connections: usize,
    pub(super) streams: usize,
}

impl Capacity {
    /// Raises the limit of open files, as far as the system allows; returns what fits, so that it leaves the files that the
    /// service needs itself, for example to read its keys.
    pub(super) fn fit(connections: usize, streams: usize, workers: usize) -> Self {
        let others = workers.saturating_mul(PER_WORKER).saturating_add(OTHERS);
        let wanted = connections.saturating_add(streams);
        let allowed = usize::try_from(raise(wanted.saturating_add(others))).unwrap_or(usize::MAX);
        let fit = Self::divide(connections, streams, fit_beside(wanted, others, allowed));
        if fit.connections < connections {
            warn!(
                wanted = connections,
                connections = fit.connections,
                event_streams = fit.streams,
                files = allowed,
                "fewer connections than --max-connections: the system allows too few open files"
            );
        } else if fit.streams < streams {
            warn!(
                wanted = streams,
                event_streams = fit.streams,
                files = allowed,
                "fewer event streams than --max-event-streams: the system allows too few open files"
            );
        }
        fit
    }

    /// Divides this many files: streams get at most half of them, unless there are enough for all connections.
    fn divide(connections: usize, streams: usize, files: usize) -> Self {
        let connections = connections.min(files.saturating_sub(streams).max(files.div_ceil(2)));
        Self {
            connections,
            streams: streams.min(files - connections),
        }
    }
}

/// Returns the limit of open files.
fn raise(needed: usize) -> u64 {
    let needed = u64::try_from(needed).unwrap_or(u64::MAX);
    let mut limit = getrlimit(Resource::Nofile);
    let before = limit.current.unwrap_or(u64::MAX);
    if before >= needed {
        return before;
    }
    let max = limit.maximum.unwrap_or(needed).min(needed);
    limit.current = Some(max);
    setrlimit(Resource::Nofile, limit).map_or(before, |()| max)
}

/// Returns how many of these connections fit beside other files; at least half of all files.
fn fit_beside(connections: usize, others: usize, allowed: usize) -> usize {
    let fit = allowed.saturating_sub(others).max(allowed / 2);
    connections.min(fit).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_and_streams_share_the_files() {
        let divide = |connections, streams, files| {
            let Capacity {
                connections,
                streams,
            } = Capacity::divide(connections, streams, files);
            (connections, streams)
        };
        assert_eq!(divide(10_000, 10_000, 20_000), (10_000, 10_000));
        assert_eq!(divide(10_000, 10_000, 15_000), (7_500, 7_500));
        assert_eq!(divide(10_000, 100, 5_000), (4_900, 100));
        assert_eq!(divide(100, 10_000, 5_000), (100, 4_900));
        assert_eq!(divide(10_000, 10_000, 1), (1, 0));
    }

    #[test]
    fn connections_leave_files_for_the_service() {
        assert_eq!(fit_beside(10_000, 300, 20_000), 10_000);
        assert_eq!(fit_beside(10_000, 300, 10_300), 10_000);
        assert_eq!(fit_beside(10_000, 300, 1_024), 724);
        assert_eq!(fit_beside(10_000, 300, 400), 200);
        assert_eq!(fit_beside(10_000, 300, 0), 1);
    }
}

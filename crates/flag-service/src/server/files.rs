//! Fits the limit of open files and the limit of connections to each other.

use rustix::process::{Resource, getrlimit, setrlimit};
use tracing::warn;

use super::connections::EXTRA;

/// Files that the service itself needs: store, log, file of keys, timers, connections to the store and the collector.
const OTHERS: usize = 256;

/// Files that each worker needs, besides connections beyond the limit: `listen` lets in twice as many for a moment.
const OF_WORKER: usize = 4 + 2 * EXTRA;

/// Raises the limit of open files for connections, as far as the system allows; returns how many connections fit. Else
/// connections could take the files that the service needs, for example to read its keys.
pub(super) fn make_room(connections: usize, workers: usize) -> usize {
    let others = workers.saturating_mul(OF_WORKER).saturating_add(OTHERS);
    let needed = connections.saturating_add(others);
    let allowed = usize::try_from(raise(needed)).unwrap_or(usize::MAX);
    let room = fitting(connections, others, allowed);
    if room < connections {
        warn!(
            wanted = connections,
            connections = room,
            files = allowed,
            "fewer connections than --max-connections wants: the system allows too few open files"
        );
    }
    room
}

/// Returns the limit of open files.
fn raise(needed: usize) -> u64 {
    let needed = u64::try_from(needed).unwrap_or(u64::MAX);
    let mut limit = getrlimit(Resource::Nofile);
    let before = limit.current.unwrap_or(u64::MAX);
    if before >= needed {
        return before;
    }
    let most = limit.maximum.unwrap_or(needed).min(needed);
    limit.current = Some(most);
    setrlimit(Resource::Nofile, limit).map_or(before, |()| most)
}

/// Returns how many of these connections fit beside other files; at least half of all files.
fn fitting(connections: usize, others: usize, allowed: usize) -> usize {
    let room = allowed.saturating_sub(others).max(allowed / 2);
    connections.min(room).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_the_files_that_the_service_needs() {
        assert_eq!(fitting(10_000, 300, 20_000), 10_000);
        assert_eq!(fitting(10_000, 300, 10_300), 10_000);
        assert_eq!(fitting(10_000, 300, 1_024), 724);
        assert_eq!(fitting(10_000, 300, 400), 200);
        assert_eq!(fitting(10_000, 300, 0), 1);
    }
}

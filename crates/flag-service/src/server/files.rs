//! Adapts the limit of open files and the number of connections to each other.

use rustix::process::{Resource, getrlimit, setrlimit};
use tracing::warn;

use super::connections::EXTRA;

/// Files that the service itself needs: store, log, file of keys, timers, connections to the store and the collector.
const OTHERS: usize = 256;

/// Files that each worker needs, including connections beyond the limit, which may be twice as many for a moment.
const PER_WORKER: usize = 4 + 2 * EXTRA;

/// Raises the limit of open files, as far as the system allows; returns how many connections fit, so that they leave the
/// files that the service needs itself, for example to read its keys.
pub(super) fn connections_that_fit(connections: usize, workers: usize) -> usize {
    let others = workers.saturating_mul(PER_WORKER).saturating_add(OTHERS);
    let needed = connections.saturating_add(others);
    let allowed = usize::try_from(raise(needed)).unwrap_or(usize::MAX);
    let fit = fitting(connections, others, allowed);
    if fit < connections {
        warn!(
            wanted = connections,
            connections = fit,
            files = allowed,
            "fewer connections than --max-connections: the system allows too few open files"
        );
    }
    fit
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
    let fit = allowed.saturating_sub(others).max(allowed / 2);
    connections.min(fit).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_for_the_service() {
        assert_eq!(fitting(10_000, 300, 20_000), 10_000);
        assert_eq!(fitting(10_000, 300, 10_300), 10_000);
        assert_eq!(fitting(10_000, 300, 1_024), 724);
        assert_eq!(fitting(10_000, 300, 400), 200);
        assert_eq!(fitting(10_000, 300, 0), 1);
    }
}

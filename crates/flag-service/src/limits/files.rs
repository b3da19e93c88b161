//! As many open files as connections need.

use rustix::process::{Resource, getrlimit, setrlimit};
use tracing::warn;

/// Files that are open besides connections: store, log, timers.
const OTHERS: usize = 256;

/// Raises the limit of open files if connections may need more, as far as the system allows.
pub(super) fn make_room(connections: usize) {
    let needed = u64::try_from(connections.saturating_add(OTHERS)).unwrap_or(u64::MAX);
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return;
    }
    let most = limit.maximum.unwrap_or(needed);
    limit.current = Some(most.min(needed));
    let raised = setrlimit(Resource::Nofile, limit).is_ok();
    if !raised || most < needed {
        warn!(
            needed,
            allowed = most,
            "fewer files may be open than --max-connections wants: connections beyond will wait"
        );
    }
}

//! What a client does with an event of the service.

use std::sync::Arc;
use std::time::Instant;

use flag_model::Jitter;
use tokio::time::sleep;

use crate::asking::join_or_submit;
use crate::client_state::ClientState;
use crate::push::PushMode;
use crate::push::change::Change;
use crate::question::QuestionKey;
use crate::sse::Event;

/// How many prefetched values are fetched again after a change; others are fetched when they are asked for.
const REFETCHED: usize = 100;

/// Applies an event: lets what has changed expire in the cache, runs callbacks, and has prefetched flags fetched again.
///
/// Events with a name are for clients that know it: neither their data nor their digest counts.
pub(crate) fn apply_event(state: &Arc<ClientState>, event: &Event) {
    if !event.name.is_empty() && event.name != "message" {
        return;
    }
    let (change, now) = (Change::read(&event.data), Instant::now());
    // Before a first digest nothing is known to have changed; but what is cached may be older than the stream.
    if state.push.progress().digest.is_some() {
        state.push.recent_changes.note_changed(&change, now);
    }
    state.expire(|key| change.is_about(key), now);
    // After the cache, so that a process that is forked in between begins with the older digest.
    state.push.set_digest(&event.id);
    state.listeners.notify(|name| change.is_about_name(name));
    refetch(state, &change);
}

fn refetch(state: &Arc<ClientState>, change: &Change) {
    let mut keys = state.prefetched.keys(|key| change.is_about(key));
    keys.truncate(REFETCHED);
    let PushMode::On { refetch_within } = state.push.mode else {
        return;
    };
    if keys.is_empty() {
        return;
    }
    let state = Arc::clone(state);
    tokio::spawn(async move {
        sleep(Jitter::FULL.apply(refetch_within, fastrand::f64())).await;
        for key in &keys {
            fetch(&state, key);
        }
    });
}

/// Has a value fetched, unless it was meanwhile. While the service fails, the last known value stays.
fn fetch(state: &Arc<ClientState>, key: &QuestionKey) {
    let now = Instant::now();
    let spawn = |job| {
        tokio::spawn(job);
        Ok(())
    };
    let _ = join_or_submit(state, spawn, key.question(), now, now + state.timeout);
}

//! A client in the child of a process whose other threads held every lock when it forked.

use std::time::Duration;

use flag_model::FlagValue;
use reqwest::Url;
use reqwest::header::HeaderMap;

use super::*;
use crate::bounded_map::BoundedMap;
use crate::cache::{Cache, CacheLookup};
use crate::circuit::Circuit;
use crate::client_state::LastKnownValues;
use crate::detail::{Freshness, KnownValue};
use crate::failure::Failure;
use crate::http_clients::HttpClientFactory;
use crate::in_flight::InFlight;
use crate::push::{Push, PushMode};
use crate::question::FlagRef;
use crate::tls::Trust;
use crate::transport::Transport;

const TIMEOUT: Duration = Duration::from_mins(1);

/// Nobody listens there.
const NOWHERE: &str = "http://127.0.0.1:9";

fn state() -> ClientState {
    let http = HttpClientFactory::Own {
        trust: Trust::None,
        proxy: None,
    };
    let base = Url::parse(NOWHERE).unwrap();
    let transport = Transport::new(http, base, "p", HeaderMap::new()).unwrap();
    ClientState {
        cache: Cache::new(100, TIMEOUT),
        prefetched: BoundedMap::new(100),
        push: Push::new(PushMode::On {
            refetch_within: TIMEOUT,
        }),
        listeners: Arc::default(),
        circuit: Circuit::new(transport.name(), TIMEOUT, TIMEOUT),
        in_flight: InFlight::default(),
        transport,
        timeout: TIMEOUT,
        last_known_values: LastKnownValues::Served,
    }
}

fn question(instance_id: &str) -> Question<'_> {
    Question {
        flag: FlagRef::boolean("f"),
        instance_id,
    }
}

fn known() -> Arc<KnownValue> {
    Arc::new(KnownValue {
        value: FlagValue::Boolean(true),
        rollout_group: "control".into(),
        reason: None,
        freshness: Freshness::Current,
        is_outdated: false,
    })
}

#[track_caller]
fn check_asked(core: &Core) {
    let answer = core.begin(question("a")).wait();
    assert!(
        matches!(answer, Answer::Nothing(Failure::Unreachable(_))),
        "{answer:?}"
    );
}

#[test]
fn a_child_waits_for_no_lock_of_its_parent() {
    let core = Core {
        per_process: PerProcess::of_another(state()),
    };
    let (state, worker) = (
        Arc::clone(&core.per_process.state),
        Arc::clone(&core.per_process.worker),
    );
    let _held = (state.cache.hold(), state.in_flight.lock());
    let _held_too = (state.circuit.hold(), worker.hold());
    let _held_of_push = (
        state.push.hold(),
        state.listeners.hold(),
        state.prefetched.hold(),
    );
    check_asked(&core);
    core.forget(|_| true);
    check_asked(&core);
    core.close();
    drop(core);
}

#[test]
fn a_child_waits_for_no_lock_of_its_parent_to_forget_or_close() {
    let forgetting = Core {
        per_process: PerProcess::of_another(state()),
    };
    let state = Arc::clone(&forgetting.per_process.state);
    let _held = (state.cache.hold(), state.in_flight.lock());
    forgetting.forget(|_| true);
    let worker = Arc::clone(&forgetting.per_process.worker);
    let _held_too = worker.hold();
    forgetting.close();
}

#[test]
fn a_child_remembers_what_its_parent_knew() {
    let now = Instant::now();
    let parent = state();
    parent.cache.remember(question("a"), known(), None, now);
    let failure = Failure::FlagNotFound("g".into());
    let other = Question {
        flag: FlagRef::boolean("g"),
        instance_id: "a",
    };
    parent.cache.remember_refusal(other, &failure, now);
    let core = Core {
        per_process: PerProcess::of_another(parent),
    };
    let newest = |core: &Core| {
        core.per_process
            .for_this_pid_or_parent()
            .state
            .cache
            .look_up(question("a"), now)
    };
    assert_eq!(newest(&core), CacheLookup::Unexpired(known()));
    let of_child = &core.per_process.for_this_pid().state.cache;
    assert_eq!(
        of_child.look_up(question("a"), now),
        CacheLookup::Unexpired(known())
    );
    assert_eq!(
        of_child.look_up(other, now),
        CacheLookup::Negative(failure, None)
    );
    core.forget(|_| true);
    assert_eq!(newest(&core), CacheLookup::Miss(None));
}

#[test]
fn a_child_never_ends_the_parts_of_its_parent() {
    let core = Core {
        per_process: PerProcess::of_another(state()),
    };
    let of_parent = Arc::downgrade(&core.per_process.state);
    let after_fork = Arc::downgrade(&core.per_process.for_this_pid().state);
    drop(core);
    assert!(of_parent.upgrade().is_some());
    assert!(after_fork.upgrade().is_none());
}

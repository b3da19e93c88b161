//! A client in the child of a process whose other threads held every lock when it forked.

use std::time::Duration;

use flag_model::FlagValue;
use reqwest::Url;
use reqwest::header::HeaderMap;

use super::*;
use crate::cache::{Cache, Found};
use crate::circuit::Circuit;
use crate::connections::Http;
use crate::detail::{Freshness, KnownValue};
use crate::in_flight::InFlight;
use crate::question::FlagRef;
use crate::shared::StaleValues;
use crate::tls::Trust;
use crate::transport::Transport;

const TIMEOUT: Duration = Duration::from_mins(1);

/// Nobody listens there.
const NOWHERE: &str = "http://127.0.0.1:9";

fn shared() -> Shared {
    let http = Http::Own {
        trust: Trust::None,
        proxy: None,
    };
    let base = Url::parse(NOWHERE).unwrap();
    let transport = Transport::new(http, base, "p", HeaderMap::new()).unwrap();
    Shared {
        cache: Cache::new(100, TIMEOUT),
        circuit: Circuit::new(transport.name(), TIMEOUT, TIMEOUT),
        in_flight: InFlight::default(),
        transport,
        timeout: TIMEOUT,
        stale_values: StaleValues::Served,
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
        freshness: Freshness::Current,
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
        process: Process::of_another(shared()),
    };
    let (shared, worker) = (
        Arc::clone(&core.process.shared),
        Arc::clone(&core.process.worker),
    );
    let _held = (shared.cache.hold(), shared.in_flight.lock());
    let _held_too = (shared.circuit.hold(), worker.hold());
    check_asked(&core);
    core.forget(|_| true);
    check_asked(&core);
    core.close();
    drop(core);
}

#[test]
fn a_child_waits_for_no_lock_of_its_parent_to_forget_or_close() {
    let forgetting = Core {
        process: Process::of_another(shared()),
    };
    let shared = Arc::clone(&forgetting.process.shared);
    let _held = (shared.cache.hold(), shared.in_flight.lock());
    forgetting.forget(|_| true);
    let worker = Arc::clone(&forgetting.process.worker);
    let _held_too = worker.hold();
    forgetting.close();
}

#[test]
fn a_child_remembers_what_its_parent_knew() {
    let now = Instant::now();
    let parent = shared();
    parent.cache.remember(question("a"), known(), now);
    let refusal = Failure::FlagNotFound("g".into());
    let other = Question {
        flag: FlagRef::boolean("g"),
        instance_id: "a",
    };
    parent.cache.remember_refusal(other, &refusal, now);
    let core = Core {
        process: Process::of_another(parent),
    };
    let newest = |core: &Core| {
        core.process
            .newest()
            .shared
            .cache
            .look_up(question("a"), now)
    };
    assert_eq!(newest(&core), Found::Fresh(known()));
    let here = &core.process.here().shared.cache;
    assert_eq!(here.look_up(question("a"), now), Found::Fresh(known()));
    assert_eq!(here.look_up(other, now), Found::Refused(refusal, None));
    core.forget(|_| true);
    assert_eq!(newest(&core), Found::Expired(None));
}

#[test]
fn a_child_never_ends_the_parts_of_its_parent() {
    let core = Core {
        process: Process::of_another(shared()),
    };
    let of_parent = Arc::downgrade(&core.process.shared);
    let of_child = Arc::downgrade(&core.process.here().shared);
    drop(core);
    assert!(of_parent.upgrade().is_some());
    assert!(of_child.upgrade().is_none());
}

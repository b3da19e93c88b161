//! Facts about events, with a driven clock.
#![allow(clippy::float_cmp, reason = "metrics that count")]

use std::sync::atomic::{AtomicBool, Ordering};

use flag_store::{Clock as _, SystemClock};
use futures_util::FutureExt as _;
use prometheus_client::encoding::text::encode;
use tokio::time::{advance, sleep};

use super::audience::{GROUP, PAUSE};
use super::changes::WAIT_FOR_CACHE;
use super::topic::COLLECTED_FOR;
use super::*;

const REPEAT_AFTER: Duration = Duration::from_millis(500);
const SHORTLY: Duration = Duration::from_millis(1);

/// The name of a flag that the cache never serves.
const UNREADABLE: &str = "unreadable";

const D1: &str = "00000000000000000000000000000001";
const D2: &str = "00000000000000000000000000000002";

struct World {
    events: Events,
    /// Whether the cache serves what has changed.
    serves_nothing_older: Arc<AtomicBool>,
    registry: Registry,
}

impl World {
    fn new() -> Self {
        let mut registry = Registry::default();
        let events = Events::new(&mut registry);
        let serves_nothing_older = Arc::new(AtomicBool::new(true));
        let served = Arc::clone(&serves_nothing_older);
        let announce = events
            .clone()
            .announce_changes(REPEAT_AFTER, move |flag, _, _| {
                served.load(Ordering::Relaxed) && flag.name.as_str() != UNREADABLE
            });
        tokio::spawn(announce);
        Self {
            events,
            serves_nothing_older,
            registry,
        }
    }

    fn subscribe(&self, held: Option<&str>) -> Subscription {
        let held = held.map(digest);
        self.events.subscribe(&project(), held).unwrap()
    }

    /// A subscriber that knows the digest of the project.
    async fn subscriber(&self) -> Subscription {
        let mut subscription = self.subscribe(Some(D1));
        self.note(D1, &[]);
        sleep(COLLECTED_FOR + SHORTLY).await;
        assert_eq!(received(&mut subscription), None);
        subscription
    }

    fn note(&self, of_project: &str, changed: &[&str]) {
        let time = Some(SystemClock.now());
        let changed = changed.iter().map(|name| changed_to(name, time));
        self.events
            .note_head_changes(&project(), digest(of_project), true, changed.collect());
    }

    fn counted(&self, metric: &str) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).unwrap();
        let mut lines = text.lines();
        lines
            .find_map(|line| line.strip_prefix(metric)?.strip_prefix(' '))
            .unwrap()
            .to_owned()
    }
}

/// A change of a flag that is seen now.
fn changed_to(name: &str, revision_time: Option<Timestamp>) -> SeenRevision {
    SeenRevision {
        flag: flag(name),
        revision_time,
        seen_at: Instant::now(),
    }
}

/// A flag of a project that went back to an older state, of which only a read shows the revision.
fn restored(name: &str) -> RestoredFlag {
    RestoredFlag {
        flag: flag(name),
        revision_time: None,
        seen_at: Instant::now(),
    }
}

fn project() -> ProjectName {
    ProjectName::new("p").unwrap()
}

fn flag(name: &str) -> FlagKey {
    format!("p/feature/{name}").parse().unwrap()
}

fn digest(text: &str) -> ProjectDigest {
    ProjectDigest::parse(text).unwrap()
}

/// The event that is there, as its digest and the names of its flags.
fn received(subscription: &mut Subscription) -> Option<(String, Vec<String>)> {
    let event = subscription.next().now_or_never()?.unwrap();
    let names = event.flags.iter().map(|(flag, _)| flag.name.to_string());
    Some((event.digest.to_string(), names.collect()))
}

#[expect(clippy::unnecessary_wraps, reason = "as `received` returns it")]
fn event(digest: &str, names: &[&str]) -> Option<(String, Vec<String>)> {
    let names = names.iter().map(|name| (*name).to_owned());
    Some((digest.to_owned(), names.collect()))
}

#[tokio::test(start_paused = true)]
async fn only_a_subscriber_with_another_digest_gets_an_event_at_first() {
    let world = World::new();
    let [mut equal, mut other, mut without] =
        [Some(D1), Some(D2), None].map(|held| world.subscribe(held));
    assert_eq!(received(&mut without), None, "no digest is known");
    world.note(D1, &[]);
    sleep(COLLECTED_FOR + SHORTLY).await;
    assert_eq!(received(&mut equal), None);
    assert_eq!(received(&mut other), event(D1, &[]));
    assert_eq!(received(&mut without), event(D1, &[]));
    let mut later = world.subscribe(None);
    assert_eq!(received(&mut later), event(D1, &[]), "at once");
    sleep(10 * REPEAT_AFTER).await;
    for subscription in [&mut equal, &mut other, &mut without, &mut later] {
        assert_eq!(received(subscription), None);
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_event_waits_for_other_replicas_if_a_change_was_just_made() {
    let world = World::new();
    let mut subscriber = world.subscribe(None);
    world.note(D1, &["a"]);
    sleep(REPEAT_AFTER * 9 / 10).await;
    assert_eq!(received(&mut subscriber), None);
    sleep(COLLECTED_FOR).await;
    assert_eq!(received(&mut subscriber), event(D1, &[]));
    sleep(10 * REPEAT_AFTER).await;
    assert_eq!(received(&mut subscriber), None);
}

#[tokio::test(start_paused = true)]
async fn changes_of_a_moment_are_one_event() {
    let world = World::new();
    let mut subscriber = world.subscriber().await;
    world.note(D1, &["a"]);
    sleep(COLLECTED_FOR / 2).await;
    world.note(D2, &["b"]);
    assert_eq!(received(&mut subscriber), None);
    sleep(COLLECTED_FOR / 2 + SHORTLY).await;
    assert_eq!(received(&mut subscriber), event(D2, &["a", "b"]));
    assert_eq!(received(&mut subscriber), None);
    assert_eq!(world.counted("event_delay_seconds_count"), "2");
}

#[tokio::test(start_paused = true)]
async fn a_change_is_repeated_once_as_other_replicas_may_have_been_late() {
    let world = World::new();
    let mut subscriber = world.subscriber().await;
    world.note(D2, &["a"]);
    sleep(COLLECTED_FOR + SHORTLY).await;
    assert_eq!(received(&mut subscriber), event(D2, &["a"]));
    world.note(D1, &["b"]);
    sleep(COLLECTED_FOR + SHORTLY).await;
    assert_eq!(received(&mut subscriber), event(D1, &["b"]));
    sleep(REPEAT_AFTER).await;
    assert_eq!(received(&mut subscriber), event(D1, &["a"]));
    sleep(REPEAT_AFTER).await;
    assert_eq!(received(&mut subscriber), event(D1, &["b"]));
    sleep(10 * REPEAT_AFTER).await;
    assert_eq!(received(&mut subscriber), None);
    assert_eq!(world.counted("events_published_total"), "2");
}

#[tokio::test(start_paused = true)]
async fn a_repeated_event_does_not_promise_what_is_still_to_be_announced() {
    let world = World::new();
    let mut subscriber = world.subscriber().await;
    world.note(D1, &["a"]);
    sleep(COLLECTED_FOR + SHORTLY).await;
    assert_eq!(received(&mut subscriber), event(D1, &["a"]));
    sleep(REPEAT_AFTER * 47 / 50).await;
    world.note(D2, &["b"]);
    sleep(COLLECTED_FOR / 2 + SHORTLY).await;
    assert_eq!(received(&mut subscriber), event(D1, &["a"]));
    sleep(COLLECTED_FOR / 2 + SHORTLY).await;
    assert_eq!(received(&mut subscriber), event(D2, &["b"]));
}

#[tokio::test(start_paused = true)]
async fn an_event_waits_until_the_cache_serves_the_change() {
    let world = World::new();
    let mut subscriber = world.subscriber().await;
    world.serves_nothing_older.store(false, Ordering::Relaxed);
    world.note(D2, &["a"]);
    sleep(WAIT_FOR_CACHE / 2).await;
    assert_eq!(received(&mut subscriber), None);
    world.serves_nothing_older.store(true, Ordering::Relaxed);
    sleep(COLLECTED_FOR).await;
    assert_eq!(received(&mut subscriber), event(D2, &["a"]));
}

#[tokio::test(start_paused = true)]
async fn a_change_that_the_cache_cannot_read_is_announced_late_and_again_once_it_is_served() {
    let world = World::new();
    let mut subscriber = world.subscriber().await;
    world.serves_nothing_older.store(false, Ordering::Relaxed);
    world.note(D2, &["a"]);
    sleep(COLLECTED_FOR + WAIT_FOR_CACHE).await;
    assert_eq!(received(&mut subscriber), event(D2, &["a"]));
    sleep(10 * REPEAT_AFTER).await;
    assert_eq!(received(&mut subscriber), None);
    world.serves_nothing_older.store(true, Ordering::Relaxed);
    sleep(REPEAT_AFTER + SHORTLY).await;
    assert_eq!(received(&mut subscriber), event(D2, &["a"]));
}

#[tokio::test(start_paused = true)]
async fn a_change_does_not_wait_for_another_one_that_the_cache_cannot_read() {
    let world = World::new();
    let mut subscriber = world.subscriber().await;
    world.note(D2, &["a", UNREADABLE]);
    for _ in 0..2 {
        sleep(REPEAT_AFTER).await;
        let named = event(D1, &["a"]);
        assert_eq!(received(&mut subscriber), named, "no digest that says more");
    }
    world.note(D2, &["b"]);
    sleep(REPEAT_AFTER * 3 / 5).await;
    assert_eq!(received(&mut subscriber), event(D1, &["b"]));
    sleep(REPEAT_AFTER).await;
    assert_eq!(received(&mut subscriber), event(D1, &["b"]), "repeated");
    sleep(REPEAT_AFTER * 3 / 5).await;
    assert_eq!(received(&mut subscriber), event(D2, &[UNREADABLE]));
    sleep(10 * REPEAT_AFTER).await;
    assert_eq!(received(&mut subscriber), None);
}

#[tokio::test(start_paused = true)]
async fn each_change_waits_for_the_cache_by_itself() {
    let world = World::new();
    let mut subscriber = world.subscriber().await;
    world.serves_nothing_older.store(false, Ordering::Relaxed);
    world.note(D2, &["a"]);
    sleep(WAIT_FOR_CACHE * 9 / 10).await;
    world.note(D2, &["b"]);
    sleep(WAIT_FOR_CACHE / 5).await;
    assert_eq!(received(&mut subscriber), event(D1, &["a"]));
    world.serves_nothing_older.store(true, Ordering::Relaxed);
    sleep(COLLECTED_FOR).await;
    assert_eq!(received(&mut subscriber), event(D2, &["b"]));
}

/// A flag is gone, or the store was restored.
#[tokio::test(start_paused = true)]
async fn a_flag_that_the_cache_cannot_read_does_not_keep_others_from_being_repeated() {
    for is_restored in [false, true] {
        let world = World::new();
        let mut subscriber = world.subscriber().await;
        if is_restored {
            let flags = vec![restored(UNREADABLE)];
            world.events.request_resync(&project(), flags);
            world.note(D2, &[]);
        } else {
            let gone = changed_to("gone", None);
            let changed = changed_to(UNREADABLE, Some(SystemClock.now()));
            let changed = vec![gone, changed];
            world
                .events
                .note_head_changes(&project(), digest(D2), true, changed);
        }
        sleep(COLLECTED_FOR + WAIT_FOR_CACHE).await;
        assert_eq!(received(&mut subscriber), event(D2, &[]));
        sleep(REPEAT_AFTER + SHORTLY).await;
        assert_eq!(received(&mut subscriber), event(D2, &[]), "repeated");
        world.note(D1, &["a"]);
        sleep(COLLECTED_FOR + SHORTLY).await;
        assert_eq!(received(&mut subscriber), event(D1, &["a"]));
        sleep(2 * REPEAT_AFTER).await;
        assert_eq!(received(&mut subscriber), event(D1, &["a"]), "repeated");
        sleep(10 * REPEAT_AFTER).await;
        assert_eq!(received(&mut subscriber), None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_that_the_first_event_did_not_wait_for_is_announced_once_it_is_served() {
    let world = World::new();
    let mut subscriber = world.subscribe(None);
    world.serves_nothing_older.store(false, Ordering::Relaxed);
    world.note(D1, &["a"]);
    sleep(COLLECTED_FOR + WAIT_FOR_CACHE).await;
    assert_eq!(received(&mut subscriber), event(D1, &[]));
    world.serves_nothing_older.store(true, Ordering::Relaxed);
    sleep(REPEAT_AFTER + SHORTLY).await;
    assert_eq!(received(&mut subscriber), event(D1, &["a"]));
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_that_missed_an_event_learns_that_any_flag_may_have_changed() {
    let world = World::new();
    let mut slow = world.subscriber().await;
    let mut other = world.subscribe(Some(D1));
    assert_eq!(received(&mut other), None);
    for (digest, name) in [(D2, "a"), (D1, "b")] {
        world.note(digest, &[name]);
        sleep(COLLECTED_FOR + SHORTLY).await;
        assert_eq!(received(&mut other), event(digest, &[name]));
    }
    assert_eq!(received(&mut slow), event(D1, &[]));
    assert_eq!(received(&mut slow), None);
    assert_eq!(world.counted("events_missed_total"), "1");
}

#[tokio::test(start_paused = true)]
async fn subscribers_are_notified_in_groups() {
    let world = World::new();
    let mut subscribers = vec![world.subscriber().await];
    subscribers.resize_with(3 * GROUP, || world.subscribe(Some(D1)));
    let mut received_by_all = || {
        let events = subscribers.iter_mut().filter_map(received);
        events.collect::<Vec<_>>()
    };
    assert_eq!(received_by_all(), []);
    world.note(D2, &["a"]);
    let mut numbers = Vec::new();
    for pause in [COLLECTED_FOR, PAUSE, PAUSE, PAUSE, PAUSE] {
        sleep(pause).await;
        let events = received_by_all();
        assert_eq!(events, vec![event(D2, &["a"]).unwrap(); events.len()]);
        numbers.push(events.len());
    }
    numbers.retain(|number| *number > 0);
    assert_eq!(numbers, [GROUP; 3]);
}

#[tokio::test(start_paused = true)]
async fn an_event_waits_until_all_subscribers_are_notified_of_the_one_before() {
    let world = World::new();
    let mut first = world.subscriber().await;
    let mut all = Vec::new();
    // The groups are notified over more time than changes are collected.
    all.resize_with(100 * GROUP, || world.subscribe(Some(D1)));
    let mut last = all.pop().unwrap();
    assert_eq!(received(&mut last), None);
    world.note(D2, &["a"]);
    sleep(COLLECTED_FOR + SHORTLY).await;
    assert_eq!(received(&mut first), event(D2, &["a"]));
    world.note(D1, &["b"]);
    sleep(COLLECTED_FOR + SHORTLY).await;
    assert_eq!(received(&mut first), None);
    sleep(PAUSE * 100).await;
    assert_eq!(received(&mut last), event(D2, &["a"]));
    assert_eq!(received(&mut first), event(D1, &["b"]));
    sleep(PAUSE * 100).await;
    assert_eq!(received(&mut last), event(D1, &["b"]));
    assert_eq!(world.counted("events_missed_total"), "0");
}

#[tokio::test(start_paused = true)]
async fn an_event_names_no_flags_if_there_are_many_or_one_is_gone() {
    let world = World::new();
    let mut subscriber = world.subscriber().await;
    let names: Vec<String> = (0..=changes::MAX_NAMED)
        .map(|n| format!("f{n:03}"))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    world.note(D2, &names[1..]);
    sleep(COLLECTED_FOR + SHORTLY).await;
    assert_eq!(received(&mut subscriber), event(D2, &names[1..]));
    sleep(REPEAT_AFTER + SHORTLY).await;
    assert!(received(&mut subscriber).is_some());
    world.note(D1, &names);
    sleep(COLLECTED_FOR + SHORTLY).await;
    assert_eq!(received(&mut subscriber), event(D1, &[]));
    sleep(REPEAT_AFTER + SHORTLY).await;
    assert!(received(&mut subscriber).is_some());
    let gone = vec![changed_to("a", None)];
    world
        .events
        .note_head_changes(&project(), digest(D2), true, gone);
    sleep(COLLECTED_FOR + SHORTLY).await;
    assert_eq!(received(&mut subscriber), event(D2, &[]));
}

#[tokio::test(start_paused = true)]
async fn a_restored_project_is_announced_once_the_cache_serves_its_flags() {
    let world = World::new();
    let mut subscriber = world.subscriber().await;
    world.serves_nothing_older.store(false, Ordering::Relaxed);
    let in_memory = vec![restored("a")];
    world.events.request_resync(&project(), in_memory);
    world.note(D2, &["b"]);
    sleep(COLLECTED_FOR + SHORTLY).await;
    assert_eq!(received(&mut subscriber), None);
    world.serves_nothing_older.store(true, Ordering::Relaxed);
    sleep(COLLECTED_FOR).await;
    assert_eq!(received(&mut subscriber), event(D2, &[]));
}

#[tokio::test(start_paused = true)]
async fn a_project_without_subscribers_costs_nothing() {
    let world = World::new();
    world.note(D1, &["a"]);
    assert_eq!(
        world.events.head_row_needed(&project()),
        HeadRowNeeded::Never
    );
    let subscriber = world.subscriber().await;
    assert_eq!(world.events.projects(), [project()]);
    drop(subscriber);
    assert_eq!(world.events.projects(), []);
    assert_eq!(world.events.next_due(), None);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_process_ends_subscriptions_and_permits_no_other() {
    let world = World::new();
    let mut subscriber = world.subscriber().await;
    world.events.close();
    assert!(subscriber.next().now_or_never().unwrap().is_none());
    let refused = world.events.subscribe(&project(), None);
    assert_eq!(refused.unwrap_err(), SubscribeError::Closed);
}

#[tokio::test(start_paused = true)]
async fn invented_projects_have_subscribers_up_to_a_limit() {
    let world = World::new();
    let invented = |n: usize| ProjectName::new(format!("invented-{n}")).unwrap();
    let held: Vec<_> = (0..MAX_UNKNOWN)
        .map(|n| world.events.subscribe(&invented(n), None).unwrap())
        .collect();
    let refused = world.events.subscribe(&project(), None);
    assert_eq!(refused.unwrap_err(), SubscribeError::TooManyProjects);
    assert!(world.events.subscribe(&invented(0), None).is_ok());
    world
        .events
        .note_head_changes(&invented(1), digest(D1), true, vec![]);
    assert!(world.events.subscribe(&project(), None).is_ok());
    drop(held);
    advance(SHORTLY).await;
}

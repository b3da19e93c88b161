//! Facts about the events of changes.

use flag_store::scripted::{RowCall, Step};
use flag_store::{HeadCell, ProjectDigest};
use futures_util::FutureExt as _;

use super::*;
use crate::events::{Event, Subscription};

/// Longer than changes are collected; shorter than the period of polls.
const COLLECTED: Duration = Duration::from_millis(100);

/// A store that holds the flag `f`, which is served, and a subscriber of its project that knows the digest.
struct Subscribed {
    world: World,
    subscription: Subscription,
}

impl Subscribed {
    async fn new() -> Self {
        let world = World::new().await;
        let (store, flags) = (world.store.clone(), world.flags.clone());
        tokio::spawn(watch_changes(store, flags, PERIOD));
        let digest = world.digest().await;
        let mut subscribed = Self {
            subscription: world.subscribe(Some(digest)),
            world,
        };
        // The first event waits until other replicas have polled, too.
        sleep(2 * PERIOD).await;
        assert!(subscribed.event().is_none(), "its digest is the same");
        subscribed
    }

    fn event(&mut self) -> Option<Arc<Event>> {
        self.subscription.next().now_or_never()?
    }

    /// Waits for the next event: its digest, and the names of its flags.
    async fn next(&mut self) -> (ProjectDigest, Vec<String>) {
        let event = self.subscription.next().await.unwrap();
        let names = event.flags.iter().map(|(flag, _)| flag.name.to_string());
        (event.digest, names.collect())
    }
}

impl World {
    async fn digest(&self) -> ProjectDigest {
        self.store
            .head_row(&flag("f").project)
            .await
            .unwrap()
            .digest()
    }

    fn subscribe(&self, held: Option<ProjectDigest>) -> Subscription {
        let events = self.flags.events();
        events.subscribe(&flag("f").project, held).unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_is_announced_with_the_digest_once_it_is_served() {
    let mut subscribed = Subscribed::new().await;
    let world = &subscribed.world;
    world.revise("f", true).await;
    world.rows.script(|call| async move {
        if matches!(call, RowCall::Scan(_)) {
            sleep(Duration::from_secs(1)).await;
        }
        Step::Pass
    });
    sleep(PERIOD + COLLECTED).await;
    assert!(subscribed.event().is_none(), "the old value is served");
    let digest = subscribed.world.digest().await;
    assert_eq!(subscribed.next().await, (digest, vec!["f".to_owned()]));
    assert_eq!(subscribed.world.value("f").await, Some(true));
}

#[tokio::test(start_paused = true)]
async fn a_flag_that_is_not_in_memory_is_announced_too() {
    let mut subscribed = Subscribed::new().await;
    subscribed.world.revise("g", true).await;
    let digest = subscribed.world.digest().await;
    assert_eq!(subscribed.next().await, (digest, vec!["g".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn a_claim_is_no_change() {
    let mut subscribed = Subscribed::new().await;
    let world = &subscribed.world;
    let head_row = world.store.head_row(&flag("f").project).await.unwrap();
    let Some(HeadCell::Newest(newest)) = head_row.get(&flag("f")) else {
        panic!("{head_row:?}")
    };
    let claim = format!("{newest} claimed by 0000000000000007 after {newest}");
    let key = b"PROJECT#p#ROWTYPE#HEAD";
    let head = world
        .rows()
        .get(key, Columns::All)
        .await
        .unwrap()
        .unwrap()
        .cells;
    let expected = Expected {
        column: "feature/f",
        value: head.get("feature/f"),
    };
    let cells = Cells::default()
        .with("feature/f", &claim)
        .with("ChangeId", "1");
    let set = world.rows().compare_and_set(key, expected, &cells).await;
    assert_eq!(set.unwrap(), CompareAndSet::Set);
    assert_eq!(world.digest().await, head_row.digest());
    sleep(3 * PERIOD).await;
    assert!(subscribed.event().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_row_of_other_tooling_is_announced_when_it_is_read() {
    let mut subscribed = Subscribed::new().await;
    let digest = subscribed.world.digest().await;
    subscribed.world.revise_untold("f", true).await;
    sleep(3 * PERIOD).await;
    assert!(subscribed.event().is_none());
    sleep(Duration::from_mins(6)).await;
    assert_eq!(subscribed.world.value("f").await, Some(true));
    assert_eq!(subscribed.next().await, (digest, vec!["f".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn a_restored_store_is_announced_once_its_flags_are_served() {
    let mut subscribed = Subscribed::new().await;
    let before = subscribed.world.digest().await;
    let backup = subscribed.world.backup(|_| true).await;
    subscribed.world.revise("f", true).await;
    let changed = subscribed.next().await;
    sleep(3 * PERIOD).await;
    assert_eq!(subscribed.next().await, changed, "repeated");
    subscribed.world.restore(backup);
    assert_eq!(subscribed.next().await, (before, vec![]));
    assert_eq!(subscribed.world.value("f").await, Some(false));
    assert_eq!(subscribed.world.restored_projects(), 1);
}

#[tokio::test(start_paused = true)]
async fn many_subscribers_of_a_project_that_is_not_watched_cost_one_read() {
    let mut world = World::new().await;
    world.watch = ChangeWatcher::new(world.store.clone(), world.flags.clone());
    let mut subscriptions: Vec<_> = (0..100).map(|_| world.subscribe(None)).collect();
    world.counted();
    world.watch.poll_subscribed().await;
    world.watch.poll_subscribed().await;
    assert_eq!(world.counted().0, 1);
    tokio::spawn(
        world
            .flags
            .events()
            .clone()
            .announce_changes(PERIOD, |_, _, _| true),
    );
    for subscription in &mut subscriptions {
        let event = subscription.next().await.unwrap();
        assert!(event.flags.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn the_head_rows_of_newly_subscribed_projects_are_read_a_part_at_a_time() {
    let mut world = World::new().await;
    let events = world.flags.events().clone();
    let invented = (0..=MAX_SUBSCRIBED).map(|n| ProjectName::new(format!("invented-{n}")).unwrap());
    let subscriptions: Vec<_> = invented
        .map(|project| events.subscribe(&project, None))
        .collect();
    events.wait_for_head_row_request().await;
    world.counted();
    for reads in [MAX_SUBSCRIBED, 1] {
        world.watch.poll_subscribed().await;
        assert_eq!(world.counted().0, reads);
    }
    assert!(events.wait_for_head_row_request().now_or_never().is_some());
    assert!(events.wait_for_head_row_request().now_or_never().is_none());
    drop(subscriptions);
}

#[tokio::test(start_paused = true)]
async fn head_rows_are_wanted_again_only_if_some_are_left_and_the_store_answers() {
    for (subscribed, answers, expected) in [
        (MAX_SUBSCRIBED, true, false),
        (MAX_SUBSCRIBED + 1, true, true),
        (MAX_SUBSCRIBED + 1, false, false),
    ] {
        let mut world = World::new().await;
        let events = world.flags.events().clone();
        let invented = (0..subscribed).map(|n| ProjectName::new(format!("invented-{n}")).unwrap());
        let subscriptions: Vec<_> = invented
            .map(|project| events.subscribe(&project, None))
            .collect();
        events.wait_for_head_row_request().await;
        world.set_reachable(answers);
        world.watch.poll_subscribed().await;
        let are_wanted = events.wait_for_head_row_request().now_or_never().is_some();
        assert_eq!(are_wanted, expected, "{subscribed} {answers}");
        drop(subscriptions);
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_is_announced_again_when_other_replicas_have_polled() {
    let mut subscribed = Subscribed::new().await;
    subscribed.world.revise("f", true).await;
    let first = subscribed.next().await;
    let announced = Instant::now();
    assert_eq!(subscribed.next().await, first);
    let pause = announced.elapsed();
    assert!(pause >= PERIOD + SUBSCRIBED_PAUSE, "{pause:?}");
    assert!(pause < 2 * PERIOD, "{pause:?}");
}

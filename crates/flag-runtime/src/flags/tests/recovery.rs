//! How fast flags are read again.

use tokio::time::Instant;

use super::*;
use crate::flags::cache::ReadMode;

const FLAGS: u32 = 200;

/// A world with many flags in memory.
async fn warm(lifetime: Duration) -> World {
    let world = World::with(FlagCacheSettings {
        lifetime,
        entries: 100_000,
        ..settings()
    })
    .await;
    for n in 0..FLAGS {
        world.revise(&format!("flag_{n}"), false).await;
        world.ask(&format!("flag_{n}")).await.unwrap();
    }
    world.reads();
    world
}

impl World {
    /// Requests each flag once, and returns how many reads this begins.
    async fn reads_of_all(&self) -> usize {
        for n in 0..FLAGS {
            self.ask(&format!("flag_{n}")).await.unwrap();
        }
        self.finish_reads().await;
        self.reads()
    }
}

#[tokio::test(start_paused = true)]
async fn after_an_outage_flags_are_read_again_at_a_limited_rate() {
    let world = warm(LIFETIME).await;
    advance(LIFETIME * 2).await;
    world.open_circuit().await;
    world.reads();
    assert_eq!(world.reads_of_all().await, 0);
    world.close_circuit().await;
    world.reads();
    assert_eq!(world.reads_of_all().await, 64);
    advance(Duration::from_millis(500)).await;
    assert_eq!(world.reads_of_all().await, 32);
}

#[tokio::test(start_paused = true)]
async fn flags_whose_reads_did_not_fail_are_read_again_without_a_limit() {
    let world = warm(LIFETIME).await;
    // Two thirds of them are due, and the lifetime of none has ended.
    advance(LIFETIME * 84 / 100).await;
    let due = world.reads_of_all().await;
    assert!(due > 64, "{due}");
    assert_eq!(world.metric("cache_lookups_total{result=\"stale\"}"), 0.0);
}

#[tokio::test(start_paused = true)]
async fn the_rate_after_an_outage_is_twice_the_usual_one_and_at_least_64() {
    for (seconds, expected) in [(300, 64.0), (2, 200.0), (0, 400.0)] {
        let world = warm(Duration::from_secs(seconds)).await;
        assert_eq!(world.cache.shared.recovery_rate(), expected);
    }
}

fn is_fresh(world: &World, flag: &FlagKey) -> bool {
    let fresh = world.cache.get_fresh(flag.into(), Instant::now());
    fresh.is_some()
}

#[tokio::test(start_paused = true)]
async fn a_flag_that_is_due_is_not_read_while_the_circuit_is_open() {
    let world = World::new().await;
    world.ask("known").await.unwrap();
    let flag = flag("known");
    while is_fresh(&world, &flag) {
        advance(LIFETIME / 100).await;
    }
    world.open_circuit().await;
    world.reads();
    for _ in 0..10 {
        assert_eq!(world.ask("known").await.unwrap(), Source::Cache);
        world.finish_reads().await;
    }
    assert_eq!(world.reads(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_valid_result_is_enough_unless_another_read_is_wanted() {
    let world = World::new().await;
    let inner = &world.cache.shared;
    for name in ["known", "unknown"] {
        let _ = world.ask(name).await;
        world.reads();
        inner
            .join_or_start_read(&flag(name), ReadMode::ReuseValid)
            .await;
        assert_eq!(world.reads(), 0, "{name}");
        inner
            .join_or_start_read(&flag(name), ReadMode::ReadAgain)
            .await;
        assert_eq!(world.reads(), 1, "{name}");
    }
    advance(LIFETIME * 2).await;
    for name in ["known", "unknown"] {
        inner
            .join_or_start_read(&flag(name), ReadMode::ReuseValid)
            .await;
        assert_eq!(world.reads(), 1, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_counts_that_comes_just_before_the_deadline() {
    let world = World::new().await;
    world.rows.script(|_| async {
        sleep(DEADLINE.saturating_sub(Duration::from_millis(1))).await;
        Step::Pass
    });
    assert_eq!(world.ask("known").await.unwrap(), Source::Store);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_flag_is_remembered_for_less_time_if_its_changes_are_not_watched() {
    for watches_changes in [true, false] {
        let world = World::with(FlagCacheSettings {
            watches_changes,
            ..settings()
        })
        .await;
        let valid_for = |n: usize| {
            let project = ProjectName::new(format!("p{n}")).unwrap();
            world.cache.shared.watch_for_negative(&project)
        };
        for n in 0..64 {
            assert_eq!(valid_for(n), Duration::from_secs(5));
        }
        let expected = if watches_changes { 1 } else { 5 };
        assert_eq!(valid_for(64), Duration::from_secs(expected));
    }
}

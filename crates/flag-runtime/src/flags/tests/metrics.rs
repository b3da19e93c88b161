//! What is counted, and listed.

use super::*;

#[tokio::test(start_paused = true)]
async fn each_read_is_counted_by_its_result() {
    let world = World::new().await;
    world.revise("broken", true).await;
    world.break_flag("broken");
    world.ask("known").await.unwrap();
    world.ask("unknown").await.unwrap_err();
    world.ask("broken").await.unwrap_err();
    world.store(Answer::Fails);
    world.ask("cold").await.unwrap_err();
    for outcome in ["read", "unknown", "unreadable", "failed"] {
        let metric = format!("cache_refreshes_total{{outcome=\"{outcome}\"}}");
        assert_eq!(world.metric(&metric), 1.0, "{outcome}");
    }
    assert_eq!(world.metric("cache_entries"), 1.0);
    assert_eq!(world.metric("cache_unknown_entries"), 3.0);
}

#[tokio::test(start_paused = true)]
async fn answers_from_memory_are_counted() {
    let world = World::new().await;
    world.ask("known").await.unwrap();
    world.ask("known").await.unwrap();
    world.cache.count_hit();
    world.cache.count_hits(5);
    assert_eq!(world.metric("cache_lookups_total{result=\"hit\"}"), 7.0);
    assert_eq!(world.metric("cache_lookups_total{result=\"miss\"}"), 1.0);
}

#[tokio::test(start_paused = true)]
async fn a_revision_that_is_read_again_has_not_changed() {
    let world = World::new().await;
    let before = world.cache.snapshot_generation();
    for _ in 0..3 {
        world.ask("known").await.unwrap();
        advance(LIFETIME * 2).await;
    }
    assert_eq!(world.cache.snapshot_generation(), before + 1);
    assert_eq!(world.metric("propagation_seconds_count"), 0.0);
    world.revise("known", true).await;
    world.ask("known").await.unwrap();
    assert_eq!(world.cache.snapshot_generation(), before + 2);
    assert_eq!(world.metric("propagation_seconds_count"), 1.0);
}

/// The flags of the project that are served although they are not confirmed.
fn stale(world: &World, project: &str) -> Vec<String> {
    let project = ProjectName::new(project).unwrap();
    let stale = world.cache.stale_flags(&project);
    stale.keys().map(|flag| flag.name.to_string()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_flag_is_stale_while_the_store_cannot_be_reached_after_its_lifetime() {
    let world = World::new().await;
    world.revise("other", true).await;
    let check = |servable, expected: &[&str]| {
        let stats = world.cache.stats();
        assert_eq!((stats.servable, stats.stale), (servable, expected.len()));
        assert_eq!(stale(&world, "p"), expected);
        assert_eq!(stale(&world, "q"), [""; 0]);
    };
    check(0, &[]);
    world.ask("known").await.unwrap();
    world.ask("other").await.unwrap();
    check(2, &[]);
    world.open_circuit().await;
    check(2, &[]);
    world.close_circuit().await;
    advance(LIFETIME * 2).await;
    // Nothing shows that they could not be read.
    check(2, &[]);
    world.store(Answer::Fails);
    assert_eq!(world.ask("known").await.unwrap(), Source::Stale);
    check(2, &["known"]);
    world.open_circuit().await;
    check(2, &["known", "other"]);
    advance(MAX_STALE).await;
    check(0, &[]);
    assert_eq!(world.cache.in_memory().len(), 2);
}

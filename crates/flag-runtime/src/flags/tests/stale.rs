//! What is served while the store cannot be reached.

use super::*;

/// A world whose flag is known, and its lifetime over.
async fn expired(settings: FlagCacheSettings) -> World {
    let world = World::with(settings).await;
    world.ask("known").await.unwrap();
    advance(LIFETIME * 2).await;
    world.reads();
    world
}

#[tokio::test(start_paused = true)]
async fn the_last_known_value_is_served_while_the_store_is_away() {
    for answer in [Answer::Fails, Answer::Refuses, Answer::Hangs] {
        let world = expired(settings()).await;
        world.store(answer);
        let started = tokio::time::Instant::now();
        assert_eq!(world.ask("known").await.unwrap(), Source::Stale);
        assert!(started.elapsed() <= DEADLINE + Duration::from_millis(1));
        assert_eq!(world.metric("stale_flags"), 1.0);
        assert!(world.metric("cache_lookups_total{result=\"stale\"}") >= 1.0);
        // Once is enough: no other request waits.
        let started = tokio::time::Instant::now();
        for _ in 0..1_000 {
            assert_eq!(world.ask("known").await.unwrap(), Source::Stale);
        }
        assert_eq!(started.elapsed(), Duration::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn a_warm_flag_never_waits_for_a_store_that_hangs() {
    let world = World::new().await;
    world.ask("known").await.unwrap();
    world.store(Answer::Hangs);
    let mut stale = 0;
    for _ in 0..100 {
        let started = tokio::time::Instant::now();
        stale += u32::from(world.ask("known").await.unwrap() == Source::Stale);
        assert_eq!(started.elapsed(), Duration::ZERO);
        sleep(LIFETIME / 50).await;
    }
    assert!(stale > 30, "{stale}");
}

#[tokio::test(start_paused = true)]
async fn a_value_too_old_is_served_no_more() {
    let world = expired(settings()).await;
    world.store(Answer::Fails);
    assert_eq!(world.ask("known").await.unwrap(), Source::Stale);
    advance(MAX_STALE).await;
    let error = world.ask("known").await.unwrap_err();
    assert!(matches!(error, CacheError::Store { .. }));
    assert_eq!(world.cache.stats().servable, 0);
}

#[tokio::test(start_paused = true)]
async fn strict_eviction_serves_nothing_stale() {
    let world = expired(FlagCacheSettings {
        max_stale: Duration::ZERO,
        ..settings()
    })
    .await;
    world.store(Answer::Fails);
    assert!(matches!(
        world.ask("known").await,
        Err(CacheError::Store { .. })
    ));
    assert_eq!(world.cache.stats().servable, 0);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_back_is_read_within_two_seconds() {
    for answer in [Answer::Fails, Answer::Hangs] {
        let world = expired(settings()).await;
        world.store(answer);
        let guard = Arc::clone(&world.guard);
        let probing = tokio::spawn(async move { guard.probe().await });
        for n in 0..10 {
            world.ask(&format!("cold_{n}")).await.unwrap_err();
            world.ask("known").await.unwrap();
        }
        sleep(Duration::from_mins(1)).await;
        world.store(Answer::Reads);
        world.revise("known", true).await;
        let started = tokio::time::Instant::now();
        while world.value("known").await != FlagValue::Boolean(true) {
            sleep(Duration::from_millis(20)).await;
        }
        assert!(
            started.elapsed() < Duration::from_secs(2),
            "{:?}",
            started.elapsed()
        );
        assert_eq!(world.ask("known").await.unwrap(), Source::Cache);
        assert_eq!(world.metric("stale_flags"), 0.0);
        probing.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_left_alone_is_tried_now_and_then() {
    let world = expired(settings()).await;
    world.store(Answer::Fails);
    let guard = Arc::clone(&world.guard);
    let probing = tokio::spawn(async move { guard.probe().await });
    for _ in 0..600 {
        world.ask("known").await.unwrap();
        sleep(Duration::from_millis(100)).await;
    }
    // A minute: a trial each 0.75 to 1 s, and what it took to open the circuit.
    let reads = world.reads();
    assert!((50..=100).contains(&reads), "{reads}");
    assert_eq!(world.metric("store_circuit_open{circuit=\"reads\"}"), 1.0);
    probing.abort();
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_cannot_be_read_fails_the_flag_whatever_was_known() {
    let world = expired(settings()).await;
    world.revise("other", false).await;
    world.break_flag("known");
    for _ in 0..10 {
        assert!(matches!(
            world.ask("known").await,
            Err(CacheError::Unreadable(_))
        ));
    }
    assert_eq!(world.metric("unreadable{flag=\"p/feature/known\"}"), 1.0);
    world.ask("other").await.unwrap();
    world.store(Answer::Fails);
    advance(Duration::from_secs(6)).await;
    assert!(world.ask("known").await.is_err());
}

#[tokio::test(start_paused = true)]
async fn flags_from_before_a_restart_are_served_while_the_store_is_away() {
    let keeping = FlagCacheSettings {
        keeps_rows: true,
        ..settings()
    };
    let before = World::with(keeping).await;
    before.ask("known").await.unwrap();
    let kept = before.cache.snapshot_entries();
    assert_eq!(kept.len(), 1);

    let world = World::with(keeping).await;
    assert_eq!(world.cache.load_snapshot(kept.clone()), 1);
    world.store(Answer::Fails);
    assert_eq!(world.ask("known").await.unwrap(), Source::Stale);
    assert_eq!(world.cache.snapshot_entries(), kept);
    world.store(Answer::Reads);
    advance(Duration::from_secs(1)).await;
    world.ask("known").await.unwrap();
    world.finish_reads().await;
    assert_eq!(world.ask("known").await.unwrap(), Source::Cache);

    let world = World::with(keeping).await;
    world.cache.load_snapshot(kept.clone());
    assert_eq!(world.ask("known").await.unwrap(), Source::Store);

    // Last known in force too long ago.
    let mut old = kept;
    old[0].last_confirmed = flag_model::Timestamp::parse("2020-01-01 00:00:00").unwrap();
    assert_eq!(World::with(keeping).await.cache.load_snapshot(old), 0);
}

#[tokio::test(start_paused = true)]
async fn a_flag_whose_read_failed_is_read_once_in_a_pause() {
    let world = expired(settings()).await;
    world.store(Answer::Refuses);
    assert_eq!(world.ask("known").await.unwrap(), Source::Stale);
    world.reads();
    for _ in 0..10 {
        assert_eq!(world.ask("known").await.unwrap(), Source::Stale);
        world.finish_reads().await;
    }
    assert_eq!(world.reads(), 1);
}

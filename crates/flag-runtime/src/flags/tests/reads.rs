//! When the store is read.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_flag_is_read_once_in_its_lifetime() {
    let world = World::new().await;
    assert_eq!(world.ask("known").await.unwrap(), Source::Store);
    for _ in 0..10 {
        assert_eq!(world.ask("known").await.unwrap(), Source::Cache);
        advance(LIFETIME / 20).await;
    }
    assert_eq!(world.reads(), 1);
    advance(LIFETIME * 2).await;
    assert_eq!(world.ask("known").await.unwrap(), Source::Store);
    assert_eq!(world.reads(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_flag_that_is_asked_for_is_read_again_before_its_lifetime_ends() {
    let world = World::new().await;
    world.ask("known").await.unwrap();
    for _ in 0..100 {
        assert_eq!(world.ask("known").await.unwrap(), Source::Cache);
        advance(LIFETIME / 20).await;
        world.finish_reads().await;
    }
    // A lifetime is at most 15 % shorter or longer, and is refreshed after 80 % of it and up to a twentieth.
    let reads = world.reads();
    assert!((6..=9).contains(&reads), "{reads}");
}

#[tokio::test(start_paused = true)]
async fn one_read_in_the_background_is_enough() {
    let world = World::new().await;
    world.ask("known").await.unwrap();
    advance(LIFETIME * 97 / 100 * 85 / 100).await;
    world.reads();
    world.store(Answer::Hangs);
    for _ in 0..1_000 {
        assert_eq!(world.ask("known").await.unwrap(), Source::Cache);
    }
    assert!(world.reads() <= 1);
}

#[tokio::test(start_paused = true)]
async fn a_change_is_served_when_the_lifetime_has_ended() {
    let world = World::new().await;
    let before = world.current("known").await.unwrap().created();
    world.revise("known", true).await;
    assert_eq!(world.current("known").await.unwrap().created(), before);
    advance(LIFETIME * 2).await;
    assert!(world.current("known").await.unwrap().created() > before);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_requests_for_a_cold_flag_read_once() {
    let world = World::new().await;
    let answers = world.ask_at_once(1_000, "known").await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(world.reads(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_requests_share_a_read_that_fails() {
    for answer in [Answer::Fails, Answer::Hangs] {
        let world = World::new().await;
        world.store(answer);
        let answers = world.ask_at_once(1_000, "known").await;
        assert!(
            answers
                .iter()
                .all(|answer| matches!(answer, Err(CacheError::Store { .. })))
        );
        assert_eq!(world.reads(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_read_is_remembered_for_a_moment() {
    let world = World::new().await;
    world.store(Answer::Fails);
    for _ in 0..10 {
        world.ask("known").await.unwrap_err();
    }
    assert_eq!(world.reads(), 1);
    advance(Duration::from_millis(100)).await;
    world.ask("known").await.unwrap_err();
    assert_eq!(world.reads(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_read_that_panics_is_an_internal_error_and_can_be_made_again() {
    let world = World::new().await;
    world.store(Answer::Panics);
    for _ in 0..2 {
        assert!(matches!(
            world.ask("known").await,
            Err(CacheError::Panicked)
        ));
        assert_eq!(world.reads(), 1);
    }
}

/// The thread that reads is stuck, as in a huge cell, and its timer with it.
#[tokio::test]
async fn a_request_waits_for_no_thread_that_is_stuck() {
    let stuck = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .unwrap();
    let (release, released) = std::sync::mpsc::channel::<()>();
    stuck.spawn(async move { released.recv() });
    let settings = FlagCacheSettings {
        read_timeout: Duration::from_millis(20),
        ..settings()
    };
    let world = World::reading_on(settings, stuck.handle().clone()).await;
    let error = world.ask("known").await.unwrap_err();
    assert!(
        matches!(error, CacheError::Store { error, .. } if matches!(*error, StoreError::TimedOut { .. }))
    );
    drop(release);
    stuck.shutdown_background();
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_is_left_at_the_deadline() {
    let world = World::new().await;
    world.store(Answer::Hangs);
    let started = tokio::time::Instant::now();
    let error = world.ask("known").await.unwrap_err();
    assert!(
        matches!(error, CacheError::Store { error, .. } if matches!(*error, StoreError::TimedOut { .. }))
    );
    assert!(started.elapsed() <= DEADLINE + Duration::from_millis(1));
}

/// The figure: within 5 ms once the circuit is open, and the store is left in peace.
#[tokio::test(start_paused = true)]
async fn a_cold_flag_fails_at_once_while_the_circuit_is_open() {
    let world = World::new().await;
    world.store(Answer::Hangs);
    for n in 0..5 {
        world.ask(&format!("cold_{n}")).await.unwrap_err();
    }
    world.reads();
    let started = tokio::time::Instant::now();
    for n in 5..50 {
        let error = world.ask(&format!("cold_{n}")).await.unwrap_err();
        assert!(
            matches!(error, CacheError::Store { error, .. } if matches!(*error, StoreError::Unavailable { .. }))
        );
    }
    assert_eq!(started.elapsed(), Duration::ZERO);
    assert_eq!(world.reads(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_lifetime_of_zero_reads_for_every_request() {
    let world = World::with(FlagCacheSettings {
        lifetime: Duration::ZERO,
        ..settings()
    })
    .await;
    world.ask("known").await.unwrap();
    world.ask("known").await.unwrap();
    assert_eq!(world.reads(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_goes_away_leaves_the_read_to_the_others() {
    let world = World::new().await;
    let gone = tokio::time::timeout(Duration::from_micros(1), world.ask("known")).await;
    assert!(gone.is_err());
    world.ask("known").await.unwrap();
    assert_eq!(world.reads(), 1);
}

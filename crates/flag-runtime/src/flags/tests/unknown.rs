//! Flags that aren't there.

use super::*;

#[tokio::test(start_paused = true)]
async fn unknown_flags_drive_no_other_flag_out() {
    let world = World::new().await;
    world.ask("known").await.unwrap();
    for n in 0..1_000 {
        world.ask(&format!("unknown_{n}")).await.unwrap_err();
    }
    world.reads();
    world.ask("known").await.unwrap();
    assert_eq!(world.reads(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_flag_is_remembered_for_some_seconds() {
    let world = World::new().await;
    for _ in 0..1_000 {
        assert!(matches!(
            world.ask("unknown").await,
            Err(CacheError::NotFound(_))
        ));
    }
    assert_eq!(world.reads(), 1);
    world.revise("unknown", true).await;
    advance(Duration::from_secs(6)).await;
    world.ask("unknown").await.unwrap();
}

/// The figure is one read per thousand requests; each request here is for another flag.
#[tokio::test(start_paused = true)]
async fn ever_new_unknown_flags_cost_few_reads() {
    let world = World::new().await;
    let mut key = flag("x");
    let mut random = fastrand::Rng::with_seed(7);
    for n in 0..100_000 {
        if n % 2 == 0 {
            key.project = ProjectName::new(format!("p{}", random.u32(..))).unwrap();
        } else {
            key.project = ProjectName::new("p").unwrap();
        }
        key.name = FlagName::new(format!("f{}", random.u32(..))).unwrap();
        let error = world.cache.get_or_read(&key).await.unwrap_err();
        assert!(matches!(error, CacheError::NotFound(_)), "{error:?}");
        if n % 5 == 0 {
            // 50,000 requests a second.
            advance(Duration::from_micros(100)).await;
        }
    }
    let reads = world.reads();
    assert!(reads <= 100_000 / 1_000 + 64, "{reads}");
    assert!(world.cache.shared.negative.len() <= 10_000);
}

#[tokio::test(start_paused = true)]
async fn flags_that_are_there_are_found_among_many_that_are_not() {
    let world = World::new().await;
    for n in 0..300 {
        world.revise(&format!("there_{n}"), true).await;
    }
    for n in 0..300 {
        assert!(world.ask(&format!("not_{n}")).await.is_err());
        let found = world.ask(&format!("there_{n}")).await;
        assert_eq!(found.unwrap(), Source::Store);
    }
}

#[tokio::test(start_paused = true)]
async fn a_flag_that_comes_during_a_flood_is_found_after_five_seconds() {
    let world = World::new().await;
    for n in 0..200 {
        world.ask(&format!("unknown_{n}")).await.unwrap_err();
    }
    world.revise("unknown_150", true).await;
    world.revise("unknown_151", true).await;
    // The tooling of the Python framework does not update the head row.
    advance(Duration::from_secs(5)).await;
    for n in 500..700 {
        world.ask(&format!("unknown_{n}")).await.unwrap_err();
    }
    world.ask("unknown_150").await.unwrap();
    world.ask("unknown_151").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_makes_no_flag_unknown() {
    let world = World::new().await;
    world.store(Answer::Fails);
    for n in 0..200 {
        assert!(matches!(
            world.ask(&format!("cold_{n}")).await,
            Err(CacheError::Store { .. })
        ));
        sleep(Duration::from_millis(1)).await;
    }
}

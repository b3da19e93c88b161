//! Which flags a project has.

use super::*;

/// The names of the flags of the project, in order; `None` if the store failed.
async fn names(world: &World) -> Option<Vec<String>> {
    let flags = world
        .cache
        .flag_keys_of(&flag("known").project)
        .await
        .ok()?;
    Some(flags.iter().map(|flag| flag.name.to_string()).collect())
}

#[tokio::test(start_paused = true)]
async fn flags_are_read_once_per_lifetime_and_never_while_a_request_waits() {
    let world = World::new().await;
    world.revise("another", true).await;
    world.reads();
    let (first, second) = tokio::join!(names(&world), names(&world));
    assert_eq!(first, second);
    assert_eq!(first.unwrap(), ["another", "known"]);
    assert_eq!(world.reads(), 1);
    world.revise("later", true).await;
    advance(LIFETIME).await;
    let started = tokio::time::Instant::now();
    assert_eq!(names(&world).await.unwrap(), ["another", "known"]);
    assert_eq!(started.elapsed(), Duration::ZERO);
    sleep(Duration::from_millis(10)).await;
    assert_eq!(names(&world).await.unwrap(), ["another", "known", "later"]);
    assert_eq!(world.reads(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_head_row_adds_flags_at_once() {
    let world = World::new().await;
    names(&world).await.unwrap();
    world.revise("a_new_one", true).await;
    let project = flag("known").project;
    let head_row = world.writers.head_row(&project).await.unwrap();
    world.reads();
    world.cache.note_flag_keys_of(&project, &head_row);
    assert_eq!(names(&world).await.unwrap(), ["a_new_one", "known"]);
    assert_eq!(world.reads(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_last_known_flags_count_while_the_store_is_away() {
    let world = World::new().await;
    names(&world).await.unwrap();
    world.store(Answer::Fails);
    advance(LIFETIME + MAX_STALE / 2).await;
    assert_eq!(names(&world).await.unwrap(), ["known"]);
    advance(MAX_STALE).await;
    assert_eq!(names(&world).await, None);
}

#[tokio::test(start_paused = true)]
async fn flags_in_memory_count_if_the_store_was_never_reached_for_the_rest() {
    let world = World::new().await;
    world.revise("another", true).await;
    world.ask("known").await.unwrap();
    world.store(Answer::Fails);
    assert_eq!(names(&world).await.unwrap(), ["known"]);
    world.store(Answer::Reads);
    advance(Duration::from_secs(30)).await;
    assert_eq!(names(&world).await.unwrap(), ["another", "known"]);
}

#[tokio::test(start_paused = true)]
async fn a_project_without_flags_is_asked_for_again_soon() {
    let world = World::new().await;
    let unknown = ProjectName::new("unknown").unwrap();
    world.reads();
    for _ in 0..3 {
        assert!(world.cache.flag_keys_of(&unknown).await.unwrap().is_empty());
    }
    assert_eq!(world.reads(), 1);
    advance(Duration::from_secs(10)).await;
    world.cache.flag_keys_of(&unknown).await.unwrap();
    assert_eq!(world.reads(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_last_known_flags_count_until_they_are_too_old() {
    let world = World::new().await;
    names(&world).await.unwrap();
    world.store(Answer::Fails);
    advance((LIFETIME + MAX_STALE).saturating_sub(Duration::from_millis(1))).await;
    assert_eq!(names(&world).await.unwrap(), ["known"]);
    advance(Duration::from_millis(1)).await;
    assert_eq!(names(&world).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_failed_read_of_the_flags_is_tried_again_after_a_second() {
    // Those of an earlier read, or those in memory.
    for are_known in [true, false] {
        let world = World::new().await;
        world.ask("known").await.unwrap();
        if are_known {
            names(&world).await.unwrap();
        }
        world.store(Answer::Fails);
        advance(LIFETIME).await;
        for _ in 0..2 {
            world.reads();
            for _ in 0..10 {
                assert_eq!(names(&world).await.unwrap(), ["known"]);
                world.finish_reads().await;
            }
            assert_eq!(world.reads(), 1);
            advance(Duration::from_secs(1)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_project_without_flags_is_not_read_in_the_background() {
    let world = World::new().await;
    let unknown = ProjectName::new("unknown").unwrap();
    world.reads();
    for _ in 0..3 {
        assert!(world.cache.flag_keys_of(&unknown).await.unwrap().is_empty());
        world.finish_reads().await;
    }
    assert_eq!(world.reads(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_flags_of_a_restored_project_are_read_again_while_the_last_known_count() {
    let world = World::new().await;
    names(&world).await.unwrap();
    world.revise("another", true).await;
    world.reads();
    world.cache.expire_flag_keys_of(&flag("known").project);
    assert_eq!(names(&world).await.unwrap(), ["known"]);
    world.finish_reads().await;
    assert_eq!(world.reads(), 1);
    assert_eq!(names(&world).await.unwrap(), ["another", "known"]);
    world.finish_reads().await;
    assert_eq!(world.reads(), 0);
}

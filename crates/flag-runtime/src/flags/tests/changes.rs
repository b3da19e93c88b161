//! Changes that the head row announces.

use tokio::time::Instant;

use super::*;
use crate::flags::change_notices::NoticeOutcome;

impl World {
    /// Applies the head row, as the change watcher does.
    async fn apply_head_row(&self) {
        self.notice().await;
        self.finish_reads().await;
    }

    async fn notice(&self) {
        let since = Instant::now();
        let head_row = self.store.head_row(&flag("known").project).await.unwrap();
        for (flag, state) in head_row.flags() {
            self.cache.apply_notice(&flag, Some(state), since);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_is_served_when_it_is_told() {
    let world = World::new().await;
    assert_eq!(world.value("known").await, FlagValue::Boolean(false));
    world.revise("known", true).await;
    world.apply_head_row().await;
    assert_eq!(world.value("known").await, FlagValue::Boolean(true));
    assert_eq!(world.metric("propagation_seconds_count"), 1.0);
}

#[tokio::test(start_paused = true)]
async fn a_revision_of_this_process_is_served_once_it_is_read_without_a_head_row() {
    let world = World::new().await;
    assert_eq!(world.value("known").await, FlagValue::Boolean(false));
    world.revise("known", true).await;
    let newest = world.writers.latest_revision(&flag("known")).await;
    let created = newest.unwrap().unwrap().created();
    world.cache.read_appended(&flag("known"), created).await;
    assert_eq!(world.value("known").await, FlagValue::Boolean(true));
    world.reads();
    world.cache.read_appended(&flag("known"), created).await;
    world
        .cache
        .read_appended(&flag("never asked for"), created)
        .await;
    assert_eq!(world.reads(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_has_not_changed_is_not_read_again() {
    let world = World::new().await;
    world.ask("known").await.unwrap();
    world.reads();
    for _ in 0..10 {
        world.apply_head_row().await;
    }
    assert_eq!(world.reads(), 10, "the head rows alone");
}

#[tokio::test(start_paused = true)]
async fn the_old_value_is_served_until_the_new_one_is_read() {
    let world = World::new().await;
    world.ask("known").await.unwrap();
    world.revise("known", true).await;
    let head_row = world.store.head_row(&flag("known").project).await.unwrap();
    world.store(Answer::Hangs);
    for (flag, state) in head_row.flags() {
        let heard = world.cache.apply_notice(&flag, Some(state), Instant::now());
        assert_eq!(heard, NoticeOutcome::AwaitingRead);
    }
    assert_eq!(world.ask("known").await.unwrap(), Source::Cache);
    assert_eq!(world.value("known").await, FlagValue::Boolean(false));
}

#[tokio::test(start_paused = true)]
async fn a_new_flag_is_found_when_it_is_told() {
    let world = World::new().await;
    // So many that pages of keys were read as well.
    for n in 0..200 {
        world.ask(&format!("unknown_{n}")).await.unwrap_err();
    }
    for name in ["unknown_1", "unknown_150", "unknown_777"] {
        world.revise(name, true).await;
    }
    world.apply_head_row().await;
    for name in ["unknown_1", "unknown_150", "unknown_777"] {
        world.ask(name).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn projects_are_watched_while_they_are_asked_for() {
    let world = World::new().await;
    assert_eq!(world.cache.watched(), [].into());
    world.ask("unknown").await.unwrap_err();
    assert_eq!(world.cache.watched(), [flag("x").project].into());
    advance(Duration::from_secs(11)).await;
    assert_eq!(world.cache.watched(), [].into());
    world.ask("known").await.unwrap();
    advance(Duration::from_secs(11)).await;
    world.cache.forget_projects();
    assert_eq!(world.cache.watched(), [flag("x").project].into());
}

#[tokio::test(start_paused = true)]
async fn what_is_stale_and_told_to_be_in_force_is_fresh_again_without_a_read() {
    let world = World::new().await;
    world.ask("known").await.unwrap();
    advance(LIFETIME * 2).await;
    world.store(Answer::Fails);
    assert_eq!(world.ask("known").await.unwrap(), Source::Stale);
    world.store(Answer::Reads);
    world.reads();
    let head_row = world.store.head_row(&flag("known").project).await.unwrap();
    world.cache.confirm(&head_row);
    assert_eq!(world.ask("known").await.unwrap(), Source::Cache);
    assert_eq!(world.reads(), 1, "the head row alone");
    assert_eq!(world.metric("stale_flags"), 0.0);
}

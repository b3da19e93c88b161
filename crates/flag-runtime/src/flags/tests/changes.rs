//! Changes that the head row announces.

use flag_model::Timestamp;
use flag_store::HeadCell;
use tokio::time::Instant;

use super::*;
use crate::flags::reconcile::Reconciliation;

impl World {
    /// Applies the head row, as the change watcher does.
    async fn apply_head_row(&self) {
        self.notice().await;
        self.finish_reads().await;
    }

    async fn notice(&self) {
        let seen_at = Instant::now();
        let head_row = self.store.head_row(&flag("known").project).await.unwrap();
        for (flag, state) in head_row.flags() {
            self.cache
                .reconcile_with_head_cell(&flag, Some(state), seen_at);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_is_served_when_the_head_row_is_read() {
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
    let newest = world.writers.newest_revision(&flag("known")).await;
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
        let heard = world
            .cache
            .reconcile_with_head_cell(&flag, Some(state), Instant::now());
        assert_eq!(heard, Reconciliation::ReadingOlderEntry);
    }
    assert_eq!(world.ask("known").await.unwrap(), Source::Cache);
    assert_eq!(world.value("known").await, FlagValue::Boolean(false));
}

#[tokio::test(start_paused = true)]
async fn a_new_flag_is_found_when_the_head_row_is_read() {
    let world = World::new().await;
    // Enough names that pages of keys were read as well.
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
async fn what_is_stale_and_confirmed_to_be_in_force_is_fresh_again_without_a_read() {
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

impl World {
    /// When the revision in memory was created.
    async fn created(&self) -> Timestamp {
        self.current("known").await.unwrap().created()
    }
}

#[tokio::test(start_paused = true)]
async fn a_newer_revision_that_is_about_to_be_written_is_read_again_and_again() {
    let world = World::new().await;
    let seen_at = Instant::now();
    let created = world.created().await;
    world.reads();
    let later = created.saturating_add(Duration::from_micros(1));
    for (head, expected) in [
        (later, Reconciliation::ReadingOtherwise),
        (created, Reconciliation::NoReadNeeded),
        // An older one, as after a restoration, is settled by one read.
        (Timestamp::UNIX_EPOCH, Reconciliation::NoReadNeeded),
        (later, Reconciliation::ReadingOtherwise),
    ] {
        let head_cell = Some(HeadCell::Newest(head));
        let outcome = world
            .cache
            .reconcile_with_head_cell(&flag("known"), head_cell, seen_at);
        assert_eq!(outcome, expected, "{head_cell:?}");
        world.finish_reads().await;
        assert_eq!(
            world.reads(),
            usize::from(outcome == Reconciliation::ReadingOtherwise)
        );
    }
    let outcome = world
        .cache
        .reconcile_with_head_cell(&flag("known"), None, Instant::now());
    assert_eq!(outcome, Reconciliation::ReadingOlderEntry);
}

#[tokio::test(start_paused = true)]
async fn nothing_older_is_served_once_the_flag_was_read_or_is_not_in_memory() {
    let world = World::new().await;
    let created = world.created().await;
    let later = created.saturating_add(Duration::from_micros(1));
    let read = Instant::now();
    let serves = |name, revision_time, seen_at| {
        let flag = flag(name);
        world
            .cache
            .serves_nothing_older(&flag, Some(revision_time), seen_at)
    };
    assert!(serves("known", created, read));
    assert!(!serves("known", later, read));
    // It was read since, so the rows contradict the head row.
    assert!(serves("known", later, read - Duration::from_secs(1)));
    // Without a time only a read since then counts.
    let is_read_since = |seen_at| {
        world
            .cache
            .serves_nothing_older(&flag("known"), None, seen_at)
    };
    assert!(!is_read_since(read));
    assert!(is_read_since(read - Duration::from_secs(1)));
    assert!(serves("other", later, read));
    world.revise("other", true).await;
    world.break_flag("broken");
    world.ask("broken").await.unwrap_err();
    assert!(!serves("broken", later, read));
    let (asked, ()) = tokio::join!(world.ask("other"), async {
        sleep(Duration::from_micros(1)).await;
        assert!(
            !serves("other", later, read),
            "the read may have begun before"
        );
    });
    asked.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_flag_that_cannot_be_read_is_read_when_a_newer_revision_is_announced() {
    let world = World::new().await;
    world.break_flag("broken");
    world.ask("broken").await.unwrap_err();
    world.reads();
    let unreadable = SystemClock.now().saturating_add(Duration::from_hours(2));
    for (head, reads) in [(Timestamp::UNIX_EPOCH, 0), (unreadable, 1)] {
        let head_cell = Some(HeadCell::Newest(head));
        let outcome =
            world
                .cache
                .reconcile_with_head_cell(&flag("broken"), head_cell, Instant::now());
        world.finish_reads().await;
        assert_eq!(
            (world.reads(), outcome == Reconciliation::NoReadNeeded),
            (reads, reads == 0)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_restored_project_gives_its_flags_in_memory() {
    let world = World::new().await;
    world.ask("known").await.unwrap();
    let project = |name| ProjectName::new(name).unwrap();
    assert_eq!(world.cache.cached_flag_keys(&project("q")), []);
    assert_eq!(world.cache.cached_flag_keys(&project("p")), [flag("known")]);
    for name in ["q", "p"] {
        world.cache.note_restored(&project(name));
    }
    assert_eq!(world.metric("store_restores_total"), 2.0);
}

#[tokio::test(start_paused = true)]
async fn a_project_without_a_flag_in_memory_is_forgotten() {
    let world = World::new().await;
    world.ask("known").await.unwrap();
    world.cache.forget_projects();
    assert_eq!(world.cache.watched(), [flag("x").project].into());
    world.cache.shared.entries.remove(&flag("known"));
    world.cache.forget_projects();
    assert_eq!(world.cache.watched(), [].into());
}

#[tokio::test(start_paused = true)]
async fn only_the_revision_of_the_head_row_is_confirmed() {
    let world = World::new().await;
    world.ask("known").await.unwrap();
    world.revise("known", true).await;
    advance(LIFETIME * 2).await;
    let head_row = world.store.head_row(&flag("known").project).await.unwrap();
    world.store(Answer::Fails);
    assert_eq!(world.ask("known").await.unwrap(), Source::Stale);
    world.cache.confirm(&head_row);
    assert_eq!(world.ask("known").await.unwrap(), Source::Stale);
}

//! Rows that cannot be read, or that are not in force.

use flag_store::memory::MemoryStore;
use flag_store::{Cells, Row, Scan};

use super::*;

impl World {
    /// Writes a row of the flag with this time in its key, and without what a revision needs.
    pub(super) fn put_row(&self, name: &str, time: &str) -> String {
        let key =
            format!("PROJECT#p#ROWTYPE#REVISION#FLAGTYPE#feature#FLAGNAME#{name}#TIME#{time}");
        let row = Row {
            key: key.clone().into(),
            cells: Cells::default().with("Name", name),
        };
        self.rows.store().put([row]);
        key
    }

    /// Writes a revision that cannot be read, newer than all others.
    pub(super) fn break_flag(&self, name: &str) {
        let soon = SystemClock.now().saturating_add(Duration::from_hours(1));
        self.put_row(name, &soon.to_string());
    }

    async fn backup(&self) -> MemoryStore {
        let backup = MemoryStore::default();
        backup.put(self.rows.store().scan(Scan::prefix("")).await.unwrap());
        backup
    }
}

#[tokio::test(start_paused = true)]
async fn a_flag_that_cannot_be_read_is_logged_once_and_listed_until_it_can_be_read() {
    let (world, log) = (World::new().await, LogLines::collect());
    let backup = world.backup().await;
    world.break_flag("known");
    for _ in 0..3 {
        let refused = world.ask("known").await.unwrap_err();
        assert!(matches!(refused, CacheError::Unreadable(_)), "{refused:?}");
        let listed = world.cache.unreadable_flags();
        assert_eq!(listed.keys().collect::<Vec<_>>(), [&flag("known")]);
        let CacheError::Unreadable(row) = refused else {
            unreachable!()
        };
        assert_eq!(listed[&flag("known")], row.to_string());
        advance(Duration::from_secs(6)).await;
    }
    assert_eq!(log.take(), ["WARN flag cannot be read"]);
    world.rows.replace(Arc::new(backup));
    world.ask("known").await.unwrap();
    assert_eq!(log.take(), ["INFO flag can be read again"]);
    assert!(world.cache.unreadable_flags().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_flag_that_is_gone_is_not_logged_as_readable() {
    let (world, log) = (World::new().await, LogLines::collect());
    world.break_flag("known");
    world.ask("known").await.unwrap_err();
    assert_eq!(log.take(), ["WARN flag cannot be read"]);
    world.rows.replace(Arc::new(MemoryStore::default()));
    advance(Duration::from_secs(6)).await;
    let refused = world.ask("known").await.unwrap_err();
    assert!(matches!(refused, CacheError::NotFound(_)), "{refused:?}");
    assert!(world.cache.unreadable_flags().is_empty());
    assert_eq!(log.take(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_row_that_is_passed_over_is_logged_once_and_listed_while_it_is_there() {
    let (world, log) = (World::new().await, LogLines::collect());
    let backup = world.backup().await;
    let key = world.put_row("known", "never");
    for _ in 0..3 {
        assert_eq!(world.ask("known").await.unwrap(), Source::Store);
        let listed = world.cache.passed_over_flags();
        assert_eq!(listed, [(flag("known"), key.clone())].into());
        advance(LIFETIME * 2).await;
    }
    let expected = "WARN row passed over, as its time is invalid or too far in the future";
    assert_eq!(log.take(), [expected]);
    assert_eq!(world.metric("passed_over{flag=\"p/feature/known\"}"), 1.0);
    world.rows.replace(Arc::new(backup));
    world.ask("known").await.unwrap();
    assert!(world.cache.passed_over_flags().is_empty());
}

/// The circuit logs once that the store cannot be reached.
#[tokio::test(start_paused = true)]
async fn a_failed_read_is_a_warning_unless_the_store_cannot_be_reached() {
    let (world, log) = (World::new().await, LogLines::collect());
    for (answer, expected) in [
        (Answer::Fails, "DEBUG store failed"),
        (Answer::Refuses, "WARN store failed"),
    ] {
        world.store(answer);
        world.ask("known").await.unwrap_err();
        assert_eq!(log.take(), [expected]);
        advance(Duration::from_secs(1)).await;
    }
}

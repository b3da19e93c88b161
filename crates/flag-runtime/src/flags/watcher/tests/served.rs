//! Facts about what this replica reports that it serves.

use flag_store::{HeadCell, ServedRevisions};

use super::*;

/// What is to be reported of the project now, if anything is.
fn report(world: &World) -> Option<ServedRevisions> {
    let served = world.flags.project_reports();
    served.mark_served(|flag, time, seen_at| {
        world.flags.serves_nothing_older(flag, Some(time), seen_at)
    });
    served.take(9).pop().map(|(_, served)| served)
}

/// The head row, and the newest revision of the flag `f` in it.
async fn newest(world: &World) -> (HeadRow, Timestamp) {
    let project = flag("f").project;
    let head = world.store.head_row(&project).await.unwrap();
    let newest = head.get(&flag("f")).and_then(HeadCell::published).unwrap();
    (head, newest)
}

#[tokio::test(start_paused = true)]
async fn a_change_is_reported_once_the_cache_has_read_it() {
    let mut world = World::new().await;
    let (head, first) = newest(&world).await;
    let reported = report(&world).unwrap();
    assert!(reported.serves(&flag("f"), first, &head));
    world.revise("f", true).await;
    let (head, second) = newest(&world).await;
    assert!(!reported.serves(&flag("f"), second, &head));
    world.watch.poll().await;
    let reading = report(&world);
    assert!(reading.is_none_or(|reported| !reported.serves(&flag("f"), second, &head)));
    world.poll().await;
    let reported = report(&world).unwrap();
    assert!(reported.serves(&flag("f"), second, &head));
    assert!(reported.is_up_to_date(&head));
    // Another flag has changed since, of which this replica knows nothing yet.
    world.revise("g", true).await;
    let (head, _) = newest(&world).await;
    assert!(reported.serves(&flag("f"), second, &head));
    assert!(!reported.is_up_to_date(&head));
    assert_eq!(report(&world), None);
}

#[tokio::test(start_paused = true)]
async fn a_revision_that_a_restored_store_lacks_is_no_longer_reported() {
    let mut world = World::new().await;
    let backup = world.backup(|_| true).await;
    let (_, first) = newest(&world).await;
    world.revise("f", true).await;
    world.poll().await;
    let (_, second) = newest(&world).await;
    world.restore(backup);
    world.poll().await;
    world.poll().await;
    let (head, _) = newest(&world).await;
    let reported = report(&world).unwrap();
    assert!(reported.serves(&flag("f"), first, &head));
    assert!(!reported.serves(&flag("f"), second, &head));
    assert_eq!(world.value("f").await, Some(false));
}

#[tokio::test(start_paused = true)]
async fn the_first_head_row_is_reported_once_the_cache_has_read_its_flags() {
    let mut world = World::new().await;
    world.revise("f", true).await;
    let (head, _) = newest(&world).await;
    world.watch = ChangeWatcher::new(world.store.clone(), world.flags.clone());
    world.watch.poll().await;
    let reading = report(&world);
    assert!(reading.is_none_or(|reported| !reported.is_up_to_date(&head)));
    world.poll().await;
    assert!(report(&world).unwrap().is_up_to_date(&head));
}

//! Flags that are found by the names of a request.

use tokio::time::Instant;

use super::*;
use crate::flags::FlagKeyRef;

fn key(name: &str) -> FlagKeyRef<'_> {
    FlagKeyRef {
        project: "p",
        flag_type: FlagType::Feature,
        name,
    }
}

#[tokio::test(start_paused = true)]
async fn a_flag_is_fresh_until_it_is_due_to_be_read() {
    let world = World::new().await;
    let fresh = |name| world.cache.get_fresh(key(name), Instant::now());
    assert!(fresh("known").is_none());
    world.ask("known").await.unwrap();
    let current = fresh("known").unwrap();
    assert_eq!(
        (current.flag(), current.source),
        (&flag("known"), Source::Cache)
    );
    for other in ["", "known ", "unknown"] {
        assert!(fresh(other).is_none(), "{other:?}");
    }
    advance(LIFETIME).await;
    assert!(fresh("known").is_none());
}

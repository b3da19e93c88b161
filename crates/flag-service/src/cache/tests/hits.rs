//! Flags that are found by what was asked.

use criterion::Criterion;
use tokio::time::Instant;

use super::*;
use crate::cache::Sought;

fn sought(name: &str) -> Sought<'_> {
    Sought {
        project: "p",
        flag_type: FlagType::Feature,
        name,
    }
}

#[tokio::test(start_paused = true)]
async fn a_flag_is_settled_while_nobody_has_to_read_it() {
    let world = World::new().await;
    let settled = |name| world.cache.settled(sought(name), Instant::now());
    assert!(settled("known").is_none());
    world.ask("known").await.unwrap();
    let current = settled("known").unwrap();
    assert_eq!(
        (current.flag(), current.source),
        (&flag("known"), Source::Cache)
    );
    for other in ["", "known ", "unknown"] {
        assert!(settled(other).is_none(), "{other:?}");
    }
    advance(LIFETIME).await;
    assert!(settled("known").is_none());
}

/// `cargo test --release -p flag-service -- --ignored --nocapture how_long_a_hit_takes`
#[tokio::test]
#[ignore = "a benchmark, of what a binary keeps to itself"]
async fn how_long_a_hit_takes() {
    let world = World::new().await;
    world.ask("known").await.unwrap();
    Criterion::default().bench_function("flag cache/hit", |bench| {
        bench.iter(|| {
            world
                .cache
                .settled(sought("known"), Instant::now())
                .is_some()
        });
    });
}

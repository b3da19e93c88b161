//! Facts about the claim of an append whose outcome is not known at once.

use super::*;

/// A writer whose calls go through this script, with a clock that stands at 2 s.
fn scripted(world: &World, script: impl Fn(RowCall) -> Step + Send + Sync + 'static) -> FlagStore {
    let rows = ScriptedRows::over(Arc::clone(&world.rows));
    rows.script(move |call| std::future::ready(script(call)));
    let clock = StoppedClock(AtomicI64::new(2_000_000));
    FlagStore::new(Arc::new(rows), Arc::new(clock))
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_the_store_refuses_is_not_tried_again() {
    let world = World::default();
    let counter = AtomicUsize::new(0);
    let writer = scripted(&world, move |call| {
        if call.is_write() && counter.fetch_add(1, Ordering::Relaxed) == 0 {
            return Step::Fail(StoreError::Refused {
                source: "no permission".into(),
            });
        }
        Step::Pass
    });
    let error = append(&writer, Base::Nothing, "one").await.unwrap_err();
    assert!(
        matches!(error, AppendError::Store(StoreError::Refused { .. })),
        "{error:?}"
    );
    assert_eq!(world.comments().await, [""; 0]);
}

/// The head row cannot be read from the first claim on, and written only when the time of the claim is over.
#[tokio::test(start_paused = true)]
async fn a_claim_is_given_up_after_five_seconds_though_the_store_is_back() {
    let world = World::default();
    let claimed = Mutex::new(None::<Instant>);
    let writer = scripted(&world, move |call| {
        let away = || {
            Step::Fail(StoreError::Unavailable {
                source: "away".into(),
            })
        };
        let mut claimed = claimed.lock().unwrap();
        match (&call, *claimed) {
            (RowCall::CompareAndSet(..), None) => {
                *claimed = Some(Instant::now());
                away()
            }
            (RowCall::CompareAndSet(..), Some(since)) if since.elapsed().as_secs() < 5 => away(),
            (RowCall::Get(_), Some(_)) => away(),
            _ => Step::Pass,
        }
    });
    let error = append(&writer, Base::Nothing, "one").await.unwrap_err();
    assert!(matches!(error, AppendError::Store(_)), "{error:?}");
    assert_eq!(world.comments().await, [""; 0]);
}

/// The reply to the claim is lost, and then the head row cannot be read for a moment.
#[tokio::test(start_paused = true)]
async fn a_claim_outlives_a_failed_look_at_the_head_row() {
    let world = World::default();
    let claims = AtomicUsize::new(0);
    let reads = AtomicUsize::new(0);
    let writer = scripted(&world, move |call| {
        let away = || StoreError::Unavailable {
            source: "away".into(),
        };
        let is_claimed = claims.load(Ordering::Relaxed) > 0;
        match call {
            RowCall::CompareAndSet(..) if claims.fetch_add(1, Ordering::Relaxed) == 0 => {
                Step::LoseReply(away())
            }
            RowCall::Get(_) if is_claimed && reads.fetch_add(1, Ordering::Relaxed) == 0 => {
                Step::Fail(away())
            }
            _ => Step::Pass,
        }
    });
    append(&writer, Base::Nothing, "one").await.unwrap();
    assert_eq!(world.comments().await, ["one"]);
}

/// The writer before was slow, not dead: it has claimed again.
#[tokio::test(start_paused = true)]
async fn a_claim_that_changes_is_watched_anew() {
    let world = World::default();
    let [first, second] = ["01", "02"].map(|time| format!("1970-01-01 00:00:{time} claimed by 7"));
    set_head(&world, "feature/f", None, &[("feature/f", &first)]).await;
    let started = Instant::now();
    let writer = world.writer();
    let appending = tokio::spawn(async move { append(&writer, Base::Newest, "one").await });
    tokio::time::sleep(Duration::from_secs(20)).await;
    set_head(&world, "feature/f", Some(&first), &[("feature/f", &second)]).await;
    appending.await.unwrap().unwrap();
    assert!((50..52).contains(&started.elapsed().as_secs()));
}

#[tokio::test(start_paused = true)]
async fn an_insert_that_the_store_refuses_is_not_tried_again() {
    let world = World::default();
    let counter = AtomicUsize::new(0);
    let writer = scripted(&world, move |call| match call {
        RowCall::InsertIfAbsent(_) if counter.fetch_add(1, Ordering::Relaxed) == 0 => {
            Step::Fail(StoreError::Refused {
                source: "no permission".into(),
            })
        }
        _ => Step::Pass,
    });
    let error = append(&writer, Base::Nothing, "one").await.unwrap_err();
    assert!(matches!(error, AppendError::Unknown { .. }), "{error:?}");
    assert_eq!(world.comments().await, [""; 0]);
}

/// The Python framework's tooling may write a row of the same time, without a claim.
#[tokio::test(start_paused = true)]
async fn another_row_of_the_same_time_is_a_conflict() {
    let world = World::default();
    let foreign = encode(&Revision::new(at(2_000_000), parts("foreign")).unwrap());
    let writer = world.writer_beside(2_000_000, vec![], Some(foreign));
    let error = append(&writer, Base::Nothing, "one").await.unwrap_err();
    assert!(
        matches!(error, AppendError::Conflict { base: Base::Nothing, found, .. } if found == Some(at(2_000_000))),
        "{error:?}"
    );
    assert_eq!(world.comments().await, ["foreign"]);
}

#[tokio::test(start_paused = true)]
async fn a_claim_is_looked_at_less_and_less_often() {
    let world = World::default();
    let claim = "1970-01-01 00:00:01 claimed by 7";
    set_head(&world, "feature/f", None, &[("feature/f", claim)]).await;
    let rows = Arc::new(ScriptedRows::over(Arc::clone(&world.rows)));
    let clock = Arc::new(StoppedClock(AtomicI64::new(2_000_000)));
    let writer = FlagStore::new(Arc::clone(&rows) as _, clock);
    append(&writer, Base::Newest, "one").await.unwrap();
    // Each look is a few reads, most of them a quarter of a second apart for 30 s.
    let calls = rows.take_calls().len();
    assert!(calls < 1_000, "{calls}");
}

/// A writer whose calls go through this script, and its clock, which the script may set.
fn with_clock(
    world: &World,
    script: impl Fn(RowCall, &AtomicI64) -> Step + Send + Sync + 'static,
) -> FlagStore {
    let rows = ScriptedRows::over(Arc::clone(&world.rows));
    let clock = Arc::new(StoppedClock(AtomicI64::new(2_000_000)));
    let shared = Arc::clone(&clock);
    rows.script(move |call| std::future::ready(script(call, &shared.0)));
    FlagStore::new(Arc::new(rows), clock)
}

#[tokio::test(start_paused = true)]
async fn an_insert_may_begin_up_to_fifteen_seconds_after_the_claim() {
    for (micros, is_inserted) in [(15_000_000, true), (15_000_001, false)] {
        let world = World::default();
        let writer = with_clock(&world, move |call, clock| {
            if let RowCall::CompareAndSet(..) = call {
                clock.store(2_000_000 + micros, Ordering::Relaxed);
            }
            Step::Pass
        });
        let appended = append(&writer, Base::Nothing, "one").await;
        assert_eq!(appended.is_ok(), is_inserted, "{micros} {appended:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_claim_is_given_up_exactly_five_seconds_after_it_was_begun() {
    for (micros, is_claimed) in [(4_900_000, true), (5_000_000, false)] {
        let world = World::default();
        let calls = AtomicUsize::new(0);
        let writer = with_clock(&world, move |call, clock| {
            let away = || {
                Step::Fail(StoreError::Unavailable {
                    source: "away".into(),
                })
            };
            match (call, calls.load(Ordering::Relaxed)) {
                (RowCall::CompareAndSet(..), 0) => {
                    calls.store(1, Ordering::Relaxed);
                    away()
                }
                (RowCall::Get(_), 1) => {
                    calls.store(2, Ordering::Relaxed);
                    clock.store(2_000_000 + micros, Ordering::Relaxed);
                    away()
                }
                _ => Step::Pass,
            }
        });
        let appended = append(&writer, Base::Nothing, "one").await;
        assert_eq!(appended.is_ok(), is_claimed, "{micros} {appended:?}");
    }
}

/// The calls of a writer after its first claim, before which another writer claims; `step` is what becomes of it.
async fn calls_after_losing(step: fn() -> Step) -> Vec<RowCall> {
    let world = World::default();
    let rows = Arc::new(ScriptedRows::over(Arc::clone(&world.rows)));
    let store = Arc::clone(&world.rows);
    let counter = AtomicUsize::new(0);
    rows.script(move |call| {
        let is_first = call.is_write() && counter.fetch_add(1, Ordering::Relaxed) == 0;
        let store = Arc::clone(&store);
        async move {
            let RowCall::CompareAndSet(key, expected, _) = call else {
                return Step::Pass;
            };
            if !is_first {
                return Step::Pass;
            }
            let other = Cells::default().with("feature/f", "1970-01-01 00:00:01");
            let set = store.compare_and_set(&key, expected.as_expected(), &other);
            assert_eq!(set.await.unwrap(), CompareAndSet::Set);
            step()
        }
    });
    let clock = Arc::new(StoppedClock(AtomicI64::new(2_000_000)));
    let writer = FlagStore::new(Arc::clone(&rows) as _, clock);
    append(&writer, Base::Newest, "one").await.unwrap();
    let calls = rows.take_calls().into_iter();
    calls.skip_while(|call| !call.is_write()).skip(1).collect()
}

#[tokio::test(start_paused = true)]
async fn a_lost_claim_costs_no_further_call() {
    let calls = calls_after_losing(|| Step::Pass).await;
    // The next attempt begins: the head row, then the newest row.
    assert!(
        matches!(
            *calls,
            [RowCall::Get(_), RowCall::Keys(_) | RowCall::Scan(_), ..]
        ),
        "{calls:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_another_one_has_overtaken_is_not_sent_again() {
    let calls = calls_after_losing(|| {
        Step::Fail(StoreError::Unavailable {
            source: "away".into(),
        })
    });
    let calls = calls.await;
    assert!(
        matches!(
            *calls,
            [
                RowCall::Get(_),
                RowCall::Get(_),
                RowCall::Keys(_) | RowCall::Scan(_),
                ..
            ]
        ),
        "{calls:?}"
    );
}

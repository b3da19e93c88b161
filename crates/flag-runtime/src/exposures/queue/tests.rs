use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use flag_store::BatchId;
use tokio::runtime::Builder;

use super::*;
use crate::exposures::chunk::CHUNK;
use crate::exposures::tests::{decided, format, served};

/// What was written, dropped and pending, together.
fn accounted(counts: QueueTotals) -> u64 {
    let dropped: u64 = DropReason::ALL
        .map(|reason| counts.dropped.of(reason))
        .iter()
        .sum();
    counts.written + dropped + counts.pending as u64
}

#[test]
fn produced_is_written_and_dropped_and_pending() {
    check_law(Overflow::Drop);
    check_law(Overflow::Wait(Duration::from_mins(1)));
}

fn check_law(overflow: Overflow) {
    const PRODUCERS: usize = 3;
    const EACH: u64 = 30_000;
    let queue = Queue::new(2_000, overflow);
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    let (decided, handle) = (decided(), runtime.handle());
    let is_over = AtomicBool::new(false);
    thread::scope(|threads| {
        let producers: Vec<_> = (0..PRODUCERS)
            .map(|_| {
                threads.spawn(|| {
                    for _ in 0..EACH {
                        let served = served(&decided, "A12345");
                        if queue.push(served) == Pushed::NoRoom {
                            let waiting = queue.push_waiting(served.into());
                            assert!(handle.block_on(waiting));
                        }
                    }
                })
            })
            .collect();
        threads.spawn(|| {
            while !is_over.load(Ordering::Relaxed) || queue.totals().pending > 0 {
                let Some(chunk) = queue.take(TakeChunk::AlsoOpen) else {
                    continue;
                };
                let taken = chunk.len() as u64;
                let (invalid, refused) = (taken / 7, taken / 5);
                queue.finish(BatchResult {
                    invalid,
                    ..BatchResult::default()
                });
                queue.finish(BatchResult {
                    written: taken - invalid - refused,
                    invalid: 0,
                    refused_by_store: refused,
                });
            }
        });
        threads.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                let counts = queue.totals();
                assert_eq!(counts.produced, accounted(counts), "{counts:?}");
                assert!(counts.pending <= 2_000);
            }
        });
        for producer in producers {
            producer.join().unwrap();
        }
        is_over.store(true, Ordering::Relaxed);
    });
    let counts = queue.totals();
    assert_eq!(counts.produced, EACH * PRODUCERS as u64);
    assert_eq!((counts.produced, counts.pending), (accounted(counts), 0));
    assert_eq!(queue.waiting(), 0);
    if overflow != Overflow::Drop {
        assert_eq!(counts.dropped.queue_full, 0);
    }
}

#[tokio::test]
async fn who_waits_is_served_in_order_and_before_who_comes_later() {
    let queue = Queue::new(2, Overflow::Wait(Duration::from_mins(1)));
    let decided = decided();
    for instance in ["A1", "A2"] {
        assert_eq!(queue.push(served(&decided, instance)), Pushed::Accepted);
    }
    let mut waiting = ["A3", "A4"].map(|instance| {
        let decision = OwnedServedDecision::from(served(&decided, instance));
        Box::pin(queue.push_waiting(decision))
    });
    for one in &mut waiting {
        assert!(timeout(Duration::ZERO, one).await.is_err());
    }
    let written = BatchResult {
        written: 1,
        ..BatchResult::default()
    };
    assert_eq!(queue.take(TakeChunk::AlsoOpen).unwrap().len(), 2);
    queue.finish(written);
    assert_eq!(queue.waiting(), 1);
    assert_eq!(queue.push(served(&decided, "A5")), Pushed::NoRoom);
    queue.finish(written);
    for one in waiting {
        assert!(one.await);
    }
    for expected in ["A3", "A4"] {
        let chunk = queue.take(TakeChunk::AlsoOpen).unwrap();
        let (batch, _) = chunk.batch(BatchId(1), &format());
        let kept: Vec<&str> = batch.entries().map(|entry| entry.instance).collect();
        assert_eq!(kept, [expected]);
    }
}

#[test]
fn an_exposure_of_each_of_many_templates_keeps_its_own() {
    let queue = Queue::new(1_000, Overflow::Drop);
    let flags: Vec<_> = (0..200).map(|_| decided()).collect();
    for turn in 0..600 {
        let mut served = served(&flags[turn * 7 % 200], "A1");
        served.from_cache = turn % 3 == 0;
        queue.push(served);
    }
    let (batch, invalid) = queue
        .take(TakeChunk::AlsoOpen)
        .unwrap()
        .batch(BatchId(1), &format());
    assert_eq!((batch.len(), invalid), (600, 0));
    for (turn, entry) in batch.entries().enumerate() {
        let template = batch.template(entry.template).unwrap();
        assert_eq!(template.from_cache, Some(turn % 3 == 0));
        assert_eq!((entry.request_id, entry.instance), ("r-1", "A1"));
    }
}

#[test]
fn a_full_queue_drops_what_comes_and_keeps_what_waits() {
    let queue = Queue::new(2, Overflow::Drop);
    let decided = decided();
    for instance in ["A1", "A2", "A3"] {
        queue.push(served(&decided, instance));
    }
    let counts = queue.totals();
    assert_eq!((counts.pending, counts.dropped.queue_full), (2, 1));
    let chunk = queue.take(TakeChunk::AlsoOpen).unwrap();
    let (batch, _) = chunk.batch(BatchId(1), &format());
    let kept: Vec<&str> = batch.entries().map(|entry| entry.instance).collect();
    assert_eq!(kept, ["A1", "A2"]);
    queue.push(served(&decided, "A4"));
    assert_eq!(
        queue.totals().dropped.queue_full,
        2,
        "what was taken counts"
    );
    queue.finish(BatchResult {
        written: 2,
        ..BatchResult::default()
    });
    queue.push(served(&decided, "A5"));
    assert_eq!(queue.totals().pending, 1);
}

#[test]
fn long_texts_fill_a_queue_too() {
    let queue = Queue::new(1_000, Overflow::Drop);
    let decided = decided();
    let long = "x".repeat(512);
    for _ in 0..1_000 {
        queue.push(served(&decided, &long));
    }
    let counts = queue.totals();
    assert!(counts.dropped.queue_full > 500, "{counts:?}");
    assert!(counts.pending * 512 <= 1_000 * TEXT_BYTES);
    // The ids have 515 bytes together.
    assert_eq!(counts.pending, 1_000 * TEXT_BYTES / 515);
}

#[test]
fn what_is_taken_leaves_room_for_texts_up_to_the_last_byte() {
    let queue = Queue::new(3, Overflow::Drop);
    let decided = decided();
    // With the id of the request.
    let [half, rest, more] = [300, 300, 301].map(|bytes| "x".repeat(bytes - 3));
    let push = |instance| queue.push(served(&decided, instance));
    assert_eq!(push(&half), Pushed::Accepted);
    assert_eq!(queue.take(TakeChunk::AlsoOpen).unwrap().len(), 1);
    assert_eq!(push(&half), Pushed::Accepted);
    assert_eq!(push(&more), Pushed::Dropped);
    assert_eq!(push(&rest), Pushed::Accepted);
}

#[tokio::test(start_paused = true)]
async fn an_exposure_wakes_the_writer_only_with_a_chunk_for_it() {
    let queue = Queue::new(10, Overflow::Drop);
    let decided = decided();
    queue.push(served(&decided, "A1"));
    assert!(!wakes_writer(&queue).await);
    assert_eq!(queue.take(TakeChunk::AlsoOpen).unwrap().len(), 1);
    queue.push(served(&decided, "A2"));
    queue.finish(written(1));
    assert!(!wakes_writer(&queue).await);
    assert!(queue.take(TakeChunk::SealedOnly).is_none(), "nobody waits");
}

#[tokio::test(start_paused = true)]
async fn the_writer_is_woken_for_what_others_wait_for() {
    let queue = waiting_queue(2);
    let decided = decided();
    let wait = |instance| queue.append_or_enqueue(served(&decided, instance).into());
    for instance in ["A1", "A2"] {
        assert!(wait(instance).is_none());
    }
    assert!(!wakes_writer(&queue).await);
    let _first = wait("A3").unwrap();
    assert!(wakes_writer(&queue).await);
    assert_eq!(queue.take(TakeChunk::SealedOnly).unwrap().len(), 2);
    let _second = wait("A4").unwrap();
    assert!(!wakes_writer(&queue).await);
    queue.finish(written(1));
    assert!(wakes_writer(&queue).await);
    assert_eq!(queue.take(TakeChunk::SealedOnly).unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_waits_seals_no_chunk_while_the_writer_has_another_to_take() {
    let queue = waiting_queue(2 * CHUNK);
    let decided = decided();
    let push = || assert_eq!(queue.push(served(&decided, "A")), Pushed::Accepted);
    push();
    assert_eq!(queue.take(TakeChunk::AlsoOpen).unwrap().len(), 1);
    for _ in 1..2 * CHUNK {
        push();
    }
    assert!(wakes_writer(&queue).await);
    let _place = queue
        .append_or_enqueue(served(&decided, "A").into())
        .unwrap();
    assert!(!wakes_writer(&queue).await);
    queue.finish(written(1));
    assert!(wakes_writer(&queue).await, "the chunk is full");
    for _ in 0..2 {
        assert_eq!(queue.take(TakeChunk::SealedOnly).unwrap().len(), CHUNK);
    }
}

fn waiting_queue(capacity: usize) -> Queue {
    Queue::new(capacity, Overflow::Wait(Duration::from_mins(1)))
}

fn written(written: u64) -> BatchResult {
    BatchResult {
        written,
        ..BatchResult::default()
    }
}

/// Whether the writer has been woken since the last call.
async fn wakes_writer(queue: &Queue) -> bool {
    timeout(Duration::ZERO, queue.chunk_sealed()).await.is_ok()
}

#[tokio::test]
async fn a_full_chunk_wakes_the_writer() {
    let queue = Arc::new(Queue::new(10_000, Overflow::Drop));
    let decided = decided();
    for _ in 0..CHUNK {
        assert!(queue.take(TakeChunk::SealedOnly).is_none());
        queue.push(served(&decided, "A12345"));
    }
    queue.chunk_sealed().await;
    assert!(queue.take(TakeChunk::SealedOnly).is_some());
}

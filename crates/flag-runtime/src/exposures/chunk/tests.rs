//! Facts about chunks and their templates.

use super::*;
use crate::exposures::tests::{decided, decided_by, format, reasons, served};

/// How often decisions are served in turns by `templates`.
const TURNS: usize = 20;

/// How many templates a chunk keeps of decisions that are served in turns.
fn templates<'a>(decisions: &(impl Iterator<Item = ServedDecision<'a>> + Clone)) -> usize {
    let mut chunk = Chunk::new();
    for _ in 0..TURNS {
        decisions.clone().for_each(|served| chunk.push(served));
    }
    chunk.templates.len()
}

#[test]
fn the_decisions_of_a_flag_keep_one_template_each() {
    let flag = decided();
    let first = served(&flag, "A");
    let of_treatments = [None, Some(0), Some(1), Some(2), Some(3), Some(4), Some(5)];
    let decisions = of_treatments.into_iter().flat_map(|treatment_index| {
        let reasons = match treatment_index {
            None => [Reason::Control, Reason::Override, Reason::Delivered],
            Some(_) => [Reason::Rollout, Reason::Override, Reason::Delivered],
        };
        reasons.map(|reason| CompactDecision {
            treatment_index,
            reason,
            ..first.decision
        })
    });
    let decisions = decisions.flat_map(|decision| {
        [true, false].map(|from_cache| ServedDecision {
            decision,
            from_cache,
            ..first
        })
    });
    assert_eq!(templates(&decisions), 7 * 3 * 2);
}

#[test]
fn most_flags_keep_one_template_each() {
    let flags: Vec<_> = (0..20).map(|_| decided()).collect();
    let kept = templates(&flags.iter().map(|flag| served(flag, "A")));
    // Two flags have the same slot now and then; that most have is as good as impossible.
    assert!(kept < 14 * TURNS, "{kept} of {}", 20 * TURNS);
}

#[test]
fn a_template_is_that_of_equal_decisions_only() {
    let [flag, other] = [decided(), decided()];
    let first = served(&flag, "A");
    let mut chunk = Chunk::new();
    chunk.push(first);
    let is_of = |served: ServedDecision<'_>| chunk.templates[0].is_of(&served);
    let decided_by = |treatment_index, reason| ServedDecision {
        decision: CompactDecision {
            treatment_index,
            reason,
            ..first.decision
        },
        ..first
    };
    assert!(is_of(served(&flag, "B")));
    assert!(!is_of(served(&other, "A")));
    assert!(!is_of(decided_by(Some(0), Reason::Control)));
    assert!(!is_of(decided_by(None, Reason::Override)));
    assert!(!is_of(ServedDecision {
        from_cache: false,
        ..first
    }));
}

#[test]
fn an_invalid_instance_id_is_counted_and_leaves_the_others_as_they_are() {
    let flag = decided();
    let mut chunk = Chunk::new();
    let [first, last] = ["A1", "A2"].map(|instance| served(&flag, instance));
    let nobody = ServedDecision {
        instance: "",
        ..first
    };
    for served in [first, nobody, last] {
        chunk.push(served);
    }
    let (batch, invalid) = chunk.batch(BatchId(1), &format());
    let ids: Vec<_> = batch
        .entries()
        .map(|entry| (entry.request_id, entry.instance))
        .collect();
    assert_eq!((ids, invalid), (vec![("r-1", "A1"), ("r-1", "A2")], 1));
}

#[test]
fn equal_decisions_share_a_template_and_others_have_their_own() {
    let [one, other] = [decided(), decided()];
    let first = served(&one, "A");
    let delivered = ServedDecision {
        decision: first.decision.delivered(),
        ..first
    };
    let read = ServedDecision {
        from_cache: false,
        ..first
    };
    let mut chunk = Chunk::new();
    for served in [first, first, delivered, first, read, served(&other, "A")] {
        chunk.push(served);
    }
    let (batch, _) = chunk.batch(BatchId(1), &format());
    let templates: Vec<_> = batch.entries().map(|entry| entry.template).collect();
    assert_eq!(templates[0], templates[1]);
    assert_ne!(templates[0], templates[5]);
    let expected = [
        (Reason::Control, true),
        (Reason::Control, true),
        (Reason::Delivered, true),
        (Reason::Control, true),
        (Reason::Control, false),
        (Reason::Control, true),
    ];
    assert_eq!(reasons(&batch), expected);
}

#[test]
fn a_chunk_is_full_of_exposures_or_of_the_bytes_of_texts_and_values() {
    let small = decided();
    let mut chunk = Chunk::new();
    for number in 1..=CHUNK {
        chunk.push(served(&small, "A"));
        assert_eq!(chunk.is_full(), number == CHUNK, "{number}");
    }
    let large = decided_by("p/data/f", FlagValue::Text("x".repeat(100_000).into()));
    let mut chunk = Chunk::new();
    // 1 MiB is 1,048,576 bytes.
    for number in 1..=11 {
        chunk.push(served(&large, "A"));
        assert_eq!(chunk.is_full(), number == 11, "{number}");
    }
}

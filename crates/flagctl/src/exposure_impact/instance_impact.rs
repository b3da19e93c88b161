//! Decides each instance once before and once after a change, and counts what becomes of it.

use flag_model::{FlagValue, InstanceId, Reason, quoted};
use flag_rollout::decide;
use flag_store::{Full, InstanceSet};

use crate::change::PlanPair;

/// The most instances of a flag that are distinguished, which takes about 350 MB.
pub(super) const MAX: usize = 10_000_000;

/// How many kinds of moves are shown.
const SHOWN: usize = 10;

/// What becomes of the instances that were seen.
pub(super) struct InstanceImpact<'p> {
    plans: &'p PlanPair,
    known: InstanceSet,
    moves: Vec<Moves<'p>>,
    stay: u64,
    hashed: u64,
}

/// Instances that move from one value to another.
struct Moves<'p> {
    from: &'p FlagValue,
    to: &'p FlagValue,
    instances: u64,
    by_override: u64,
}

/// The move of an instance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Move<'p> {
    pub(super) from: &'p FlagValue,
    pub(super) to: &'p FlagValue,
    /// Whether it is in an override list, before or after.
    pub(super) by_override: bool,
}

impl<'p> InstanceImpact<'p> {
    /// None yet.
    pub(super) fn new(plans: &'p PlanPair) -> Self {
        Self {
            plans,
            known: InstanceSet::with_max(MAX),
            moves: Vec::new(),
            stay: 0,
            hashed: 0,
        }
    }

    /// Adds an instance; returns its move, if it is new and moves.
    pub(super) fn add(&mut self, instance: &InstanceId<'_>) -> Result<Option<Move<'p>>, Full> {
        if !self.known.insert(instance.as_str())? {
            return Ok(None);
        }
        let (before, after) = (
            decide(&self.plans.before, instance),
            decide(&self.plans.after, instance),
        );
        if before.value == after.value {
            self.stay += 1;
            return Ok(None);
        }
        let moved = Move {
            from: before.value,
            to: after.value,
            by_override: before.reason == Reason::Override || after.reason == Reason::Override,
        };
        self.count(moved);
        Ok(Some(moved))
    }

    /// Adds an instance of which only a hash is known.
    pub(super) fn add_hashed(&mut self, hash: &str) -> Result<(), Full> {
        self.hashed += u64::from(self.known.insert(hash)?);
        Ok(())
    }

    /// How many instances were seen, those included of which only a hash is known.
    pub(super) fn seen(&self) -> u64 {
        self.moved() + self.stay + self.hashed
    }

    /// How many of them move.
    pub(super) fn moved(&self) -> u64 {
        self.moves.iter().map(|moves| moves.instances).sum()
    }

    /// How many may move: those of which only a hash is known are not decided.
    pub(super) fn may_move(&self) -> u64 {
        self.moved() + self.hashed
    }

    /// What is said of them.
    pub(super) fn described(&self, within: &str) -> Vec<String> {
        let mut lines = vec![format!(
            "instances seen in {within}: {}; {} move, {} stay",
            self.seen(),
            self.moved(),
            self.stay
        )];
        let mut moves: Vec<&Moves<'_>> = self.moves.iter().collect();
        moves.sort_by_key(|moves| std::cmp::Reverse(moves.instances));
        for moves in moves.iter().take(SHOWN) {
            let by_override = match moves.by_override {
                0 => String::new(),
                some => format!(", {some} of them by an override"),
            };
            lines.push(format!(
                "  {} from {} to {}{by_override}",
                moves.instances,
                shown(moves.from),
                shown(moves.to)
            ));
        }
        let more = moves.iter().skip(SHOWN).map(|moves| moves.instances);
        let more: u64 = more.sum();
        if more > 0 {
            lines.push(format!("  {more} between other values"));
        }
        if self.hashed > 0 {
            lines.push(format!(
                "warning: of {} only a hash is logged, so it is not known whether they move",
                self.hashed
            ));
        }
        lines
    }

    fn count(&mut self, moved: Move<'p>) {
        let known = self.moves.iter_mut();
        let mut same = known.filter(|moves| moves.from == moved.from && moves.to == moved.to);
        let by_override = u64::from(moved.by_override);
        if let Some(moves) = same.next() {
            moves.instances += 1;
            moves.by_override += by_override;
            return;
        }
        self.moves.push(Moves {
            from: moved.from,
            to: moved.to,
            instances: 1,
            by_override,
        });
    }
}

fn shown(value: &FlagValue) -> String {
    match value {
        FlagValue::Boolean(value) => value.to_string(),
        FlagValue::Text(text) => quoted(text),
    }
}

//! Counts distinct texts in bounded memory: exactly up to a bound, then by estimate.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// How many are counted exactly.
pub(crate) const EXACT: usize = 10_000;

/// The bits of a hash that choose a register.
const BITS: u32 = 14;

/// The registers; their number gives a standard error of 0.8 % (`1.04 / sqrt(REGISTERS)`).
const REGISTERS: u16 = 1 << BITS;

/// A set of texts that knows how many it has.
#[derive(Clone, Debug)]
pub(crate) enum Distinct {
    /// The hash of each.
    Few(HashSet<u64>),
    /// `HyperLogLog` (Flajolet, Fusy, Gandouet, Meunier, 2007): for each register the longest run of zeros of its hashes, plus one.
    Many(Vec<u8>),
}

impl Default for Distinct {
    fn default() -> Self {
        Self::Few(HashSet::new())
    }
}

impl Distinct {
    /// Adds a text.
    pub(crate) fn add(&mut self, text: &str) {
        let mut state = DefaultHasher::new();
        text.hash(&mut state);
        let hash = state.finish();
        match self {
            Self::Few(hashes) => {
                hashes.insert(hash);
                if hashes.len() > EXACT {
                    let mut registers = vec![0; usize::from(REGISTERS)];
                    for &hash in &*hashes {
                        register(&mut registers, hash);
                    }
                    *self = Self::Many(registers);
                }
            }
            Self::Many(registers) => register(registers, hash),
        }
    }

    /// Whether the count is an estimate.
    pub(crate) fn is_estimate(&self) -> bool {
        matches!(self, Self::Many(_))
    }

    /// How many they are.
    pub(crate) fn count(&self) -> u64 {
        match self {
            Self::Few(hashes) => hashes.len() as u64,
            Self::Many(registers) => estimate(registers),
        }
    }
}

fn register(registers: &mut [u8], hash: u64) {
    let index = usize::try_from(hash >> (u64::BITS - BITS)).unwrap_or_default();
    // The set bit ends the run where all others are zeros.
    let run = ((hash << BITS) | (1 << (BITS - 1))).leading_zeros() + 1;
    if let Some(register) = registers.get_mut(index) {
        *register = (*register).max(u8::try_from(run).unwrap_or(u8::MAX));
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an estimate, which is positive and far below 2^52"
)]
fn estimate(registers: &[u8]) -> u64 {
    let number = f64::from(REGISTERS);
    let sum: f64 = registers.iter().map(|&run| (-f64::from(run)).exp2()).sum();
    let raw = 0.7213 / (1.0 + 1.079 / number) * number * number / sum;
    let empty: u32 = registers.iter().map(|&run| u32::from(run == 0)).sum();
    // Few are counted better by the registers that none has set.
    let estimate = if raw <= 2.5 * number && empty > 0 {
        number * (number / f64::from(empty)).ln()
    } else {
        raw
    };
    estimate.round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(texts: usize) -> Distinct {
        let mut distinct = Distinct::default();
        for text in 0..2 * texts {
            distinct.add(&format!("instance-{}", text % texts));
        }
        distinct
    }

    #[test]
    fn few_are_counted_exactly_and_many_within_three_percent() {
        for few in [0, 1, 500, EXACT] {
            let distinct = counted(few.max(1));
            assert!(!distinct.is_estimate());
            assert_eq!(distinct.count(), few.max(1) as u64);
        }
        for many in [EXACT + 1, 30_000, 45_000, 200_000, 1_000_000] {
            let distinct = counted(many);
            assert!(distinct.is_estimate());
            let (count, many) = (distinct.count(), many as u64);
            assert!(count.abs_diff(many) * 100 < 3 * many, "{count} of {many}");
        }
    }
}

//! Which instances a block may hold: a Bloom filter of ten bits per instance.
//!
//! One of 120 blocks that do not hold an instance says that it may.

use std::collections::HashSet;

/// Bits per instance.
const BITS: usize = 10;

/// How many of them each instance sets; for ten bits, seven give the fewest wrong answers (`ln 2 * 10`).
const SET: u64 = 7;

/// The filter of these instances.
pub(super) fn of<'a>(instances: impl Iterator<Item = &'a str>) -> Vec<u8> {
    let hashes: HashSet<u64> = instances.map(hash).collect();
    let mut filter = vec![0; (hashes.len() * BITS).div_ceil(8)];
    let bits = filter.len() as u64 * 8;
    for hash in hashes {
        for bit in positions(hash, bits) {
            if let Some(byte) = filter.get_mut(bit / 8) {
                *byte |= 1 << (bit % 8);
            }
        }
    }
    filter
}

/// Whether a block with this filter may hold exposures of an instance; if not, it holds none.
pub fn may_hold(filter: &[u8], instance: &str) -> bool {
    let bits = filter.len() as u64 * 8;
    positions(hash(instance), bits).all(|bit| {
        let byte = filter.get(bit / 8).copied().unwrap_or_default();
        byte & (1 << (bit % 8)) != 0
    })
}

/// The bits of an instance: two halves of its hash, combined (Kirsch and Mitzenmacher, "Less hashing, same performance").
fn positions(hash: u64, bits: u64) -> impl Iterator<Item = usize> {
    let (first, step) = (hash & 0xffff_ffff, hash >> 32 | 1);
    (0..SET).map(move |turn| {
        let mixed = first.wrapping_add(turn.wrapping_mul(step)) & 0xffff_ffff;
        usize::try_from((mixed * bits) >> 32).unwrap_or(usize::MAX)
    })
}

/// FNV-1a, and the last step of `MurmurHash3` so that every bit counts. It is stored, so it never changes.
fn hash(instance: &str) -> u64 {
    let fnv = instance
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    let mixed = (fnv ^ fnv >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let mixed = (mixed ^ mixed >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    mixed ^ mixed >> 33
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_a_filter_is_found_and_little_else() {
        let ids: Vec<String> = (0..20_000).map(|id| format!("A{id:05}")).collect();
        let (within, others) = ids.split_at(500);
        let filter = of(within.iter().map(String::as_str));
        assert_eq!(filter.len(), 625);
        assert!(within.iter().all(|id| may_hold(&filter, id)));
        let wrong = others.iter().filter(|id| may_hold(&filter, id)).count();
        assert!((80..250).contains(&wrong), "{wrong} of {}", others.len());
    }

    #[test]
    fn the_bits_of_an_instance_never_change() {
        assert_eq!(of(["A12345"].into_iter()), [101, 146]);
        assert!(!may_hold(&[], "A12345"));
    }

    #[test]
    fn an_instance_that_comes_often_counts_once() {
        let often = ["A"; 1_000];
        assert_eq!(of(often.into_iter()), of(["A"].into_iter()));
    }
}

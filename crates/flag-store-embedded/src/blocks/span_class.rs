//! Classes of blocks by the time that they span.

use std::ops::RangeInclusive;

/// The bits of a span in microseconds that are of the first class: about a second.
const FIRST_BITS: u32 = 20;

/// A block of class `n` spans less than 2ⁿ times about a second.
///
/// So if such a block holds an instant, its newest exposure is less than that time after the instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SpanClass(u32);

impl SpanClass {
    /// That of nearly all blocks that a service writes.
    pub(super) const FIRST: Self = Self(0);

    /// The class of a span in microseconds.
    pub(super) fn of(span: i64) -> Self {
        let bits = i64::BITS - span.max(0).leading_zeros();
        Self(bits.saturating_sub(FIRST_BITS))
    }

    /// The classes after the first, up to this one.
    pub(super) fn longer(self) -> impl Iterator<Item = Self> {
        (1..=self.0).map(Self)
    }

    /// The times, in microseconds, that the newest exposure of a block of this class can have if the block holds this instant.
    pub(super) fn newest_range(self, instant: i64) -> RangeInclusive<i64> {
        let span = 1_i64.checked_shl(self.0 + FIRST_BITS);
        let span = span.filter(|span| *span > 0).unwrap_or(i64::MAX);
        instant..=instant.saturating_add(span)
    }

    /// As it stands in the file.
    pub(super) fn number(self) -> u32 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(span: i64, expected: u32) {
        let class = SpanClass::of(span);
        assert_eq!(class, SpanClass(expected));
        assert!(
            class
                .newest_range(7)
                .contains(&(7_i64.saturating_add(span)))
        );
    }

    #[test]
    fn a_class_reaches_as_far_as_its_blocks_do() {
        check(0, 0);
        check((1 << 20) - 1, 0);
        check(1 << 20, 1);
        check((1 << 21) - 1, 1);
        check(24 * 3_600 * 1_000_000, 17);
        check(i64::MAX, 43);
    }

    #[test]
    fn the_longer_classes_end_with_the_last() {
        let longer: Vec<_> = SpanClass(2).longer().collect();
        assert_eq!(longer, [SpanClass(1), SpanClass(2)]);
        assert_eq!(SpanClass::FIRST.longer().next(), None);
    }
}

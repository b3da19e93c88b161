//! The rollout line: the buckets that instances are hashed to.

use std::fmt;

use crate::invalid::Invalid;

/// Buckets in the rollout line; one bucket is a thousandth of a percent.
pub const BUCKETS: u32 = 100_000;

/// A place on the rollout line, `0..`[`BUCKETS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bucket(u32);

impl Bucket {
    /// The bucket of a hash point in `0..2^64`: `hash_point * 100,000 / 2^64`, in integers.
    pub fn of_hash_point(hash_point: u64) -> Self {
        let bucket = (u128::from(hash_point) * u128::from(BUCKETS)) >> 64;
        Self(u32::try_from(bucket).unwrap_or(BUCKETS - 1))
    }

    /// A bucket by its number; `None` at [`BUCKETS`] or above.
    pub fn new(number: u32) -> Option<Self> {
        (number < BUCKETS).then_some(Self(number))
    }

    /// The number of the bucket.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Buckets from `from` up to, not including, `to`; never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BucketRange {
    from: u32,
    to: u32,
}

impl BucketRange {
    /// The range `[from, to)`, if it holds a bucket and lies on the line.
    pub fn new(from: u32, to: u32) -> Result<Self, Invalid> {
        if from < to && to <= BUCKETS {
            Ok(Self { from, to })
        } else {
            let expected = format!("[from, to) with 0 <= from < to <= {BUCKETS}");
            Err(Invalid::new("range", format!("[{from}, {to})"), expected))
        }
    }

    /// The first bucket.
    pub fn from(self) -> u32 {
        self.from
    }

    /// The first bucket after the range.
    pub fn to(self) -> u32 {
        self.to
    }

    /// How many buckets the range holds.
    pub fn width(self) -> u32 {
        self.to - self.from
    }

    /// Whether the range holds the bucket.
    pub fn contains(self, bucket: Bucket) -> bool {
        (self.from..self.to).contains(&bucket.0)
    }
}

impl fmt::Display for BucketRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}, {})", self.from, self.to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_the_line_are_the_first_and_the_last_bucket() {
        assert_eq!(Bucket::of_hash_point(0).get(), 0);
        assert_eq!(Bucket::of_hash_point(u64::MAX).get(), BUCKETS - 1);
        assert_eq!(Bucket::of_hash_point(u64::MAX / 2 + 1).get(), BUCKETS / 2);
    }

    #[test]
    fn a_range_holds_its_start_and_not_its_end() {
        let range = BucketRange::new(0, 50_000).unwrap();
        assert!(
            range.contains(Bucket(0))
                && range.contains(Bucket(49_999))
                && !range.contains(Bucket(50_000))
        );
        assert_eq!(range.width(), 50_000);
    }

    #[test]
    fn empty_and_overlong_ranges_are_refused() {
        for (from, to) in [(5, 5), (6, 5), (0, BUCKETS + 1)] {
            assert!(BucketRange::new(from, to).is_err());
        }
    }

    #[test]
    fn a_bucket_has_a_number_on_the_line() {
        let last = Bucket::new(BUCKETS - 1).unwrap();
        assert_eq!((last.get(), &*last.to_string()), (99_999, "99999"));
        assert_eq!(Bucket::new(BUCKETS), None);
    }

    #[test]
    fn a_range_is_written_with_both_ends() {
        let range = BucketRange::new(5, 8).unwrap();
        assert_eq!((range.from(), range.to(), range.width()), (5, 8, 3));
        assert_eq!(range.to_string(), "[5, 8)");
        assert!(BucketRange::new(99_999, BUCKETS).is_ok());
    }
}

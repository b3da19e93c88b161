//! Shares of the instances, in thousandths of a percent.

use std::fmt;

use crate::bucket::BUCKETS;
use crate::invalid::shortened;
use crate::revision::FormatVersion;

/// A share of the instances, from 0 % to 100 %, in steps of a thousandth of a percent, which is one bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Percent(u32);

impl Percent {
    /// 0 %.
    pub const ZERO: Self = Self(0);
    /// 100 %.
    pub const HUNDRED: Self = Self(BUCKETS);

    /// A percentage by its number of buckets; `None` above 100 %.
    pub const fn from_buckets(buckets: u32) -> Option<Self> {
        if buckets <= BUCKETS {
            Some(Self(buckets))
        } else {
            None
        }
    }

    /// The number of buckets.
    pub const fn buckets(self) -> u32 {
        self.0
    }

    /// Whether the percentage is a whole number, as [`FormatVersion::V1`] requires.
    pub const fn is_whole(self) -> bool {
        self.0.is_multiple_of(1_000)
    }

    /// Reads a decimal number as the format version allows it: whole in version 1, with at most three decimals
    /// in version 2.
    pub fn parse(text: &str, version: FormatVersion) -> Result<Self, InvalidPercent> {
        let parsed = match version {
            FormatVersion::V1 => parse_decimal(text, 0),
            FormatVersion::V2 => parse_decimal(text, 3),
        };
        parsed
            .and_then(Self::from_buckets)
            .ok_or_else(|| InvalidPercent {
                found: shortened(text),
                version,
            })
    }
}

/// Reads digits with at most `max_decimals` digits after the point, as thousandths.
fn parse_decimal(text: &str, max_decimals: usize) -> Option<u32> {
    let (whole, decimals) = match text.split_once('.') {
        Some(_) if max_decimals == 0 => return None,
        Some((whole, decimals)) if !decimals.is_empty() => (whole, decimals.trim_end_matches('0')),
        Some(_) => return None,
        None => (text, ""),
    };
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty()
        || decimals.len() > max_decimals
        || !is_digits(whole)
        || !is_digits(decimals)
    {
        return None;
    }
    let whole: u32 = whole.parse().ok()?;
    let thousandths: u32 = format!("{decimals:0<3}").parse().ok()?;
    whole.checked_mul(1_000)?.checked_add(thousandths)
}

impl fmt::Display for Percent {
    /// Writes `40` or `33.5`, without a percent sign.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_thousandths(u64::from(self.0), f)
    }
}

fn write_thousandths(thousandths: u64, f: &mut impl fmt::Write) -> fmt::Result {
    write!(f, "{}", thousandths / 1_000)?;
    match thousandths % 1_000 {
        0 => Ok(()),
        rest => write!(f, ".{}", format!("{rest:03}").trim_end_matches('0')),
    }
}

/// An invalid percentage, or a total of more than 100 %.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidPercent {
    /// What was found, as it was written, shortened.
    pub found: String,
    /// The version by whose rules it is invalid.
    pub version: FormatVersion,
}

impl InvalidPercent {
    /// The beginning of its message.
    pub const MESSAGE_PREFIX: &str = "Rollout percentage: ";

    /// A total of more than 100 %.
    pub(crate) fn total(buckets: u64, version: FormatVersion) -> Self {
        let mut found = String::new();
        let _ = write_thousandths(buckets, &mut found);
        Self { found, version }
    }
}

impl std::error::Error for InvalidPercent {}

impl fmt::Display for InvalidPercent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let expected = match self.version {
            FormatVersion::V1 => "an integer in range [0, 100]",
            FormatVersion::V2 => "a number in range [0, 100] with at most three decimals",
        };
        write!(
            f,
            "{}{} is invalid. Value should be {expected}.",
            Self::MESSAGE_PREFIX,
            self.found
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(version: FormatVersion, text: &str, buckets: Option<u32>) {
        assert_eq!(
            Percent::parse(text, version).ok().map(Percent::buckets),
            buckets,
            "{text}"
        );
    }

    #[test]
    fn version_1_takes_whole_numbers() {
        for (text, buckets) in [("0", 0), ("1", 1_000), ("40", 40_000), ("100", 100_000)] {
            check(FormatVersion::V1, text, Some(buckets));
        }
        for text in [
            "",
            "-1",
            "101",
            "40.0",
            "40.5",
            "4 0",
            "+4",
            "1e1",
            "99999999999",
            "forty",
            "٤",
        ] {
            check(FormatVersion::V1, text, None);
        }
    }

    #[test]
    fn version_2_takes_three_decimals() {
        for (text, buckets) in [
            ("0.001", 1),
            ("33.5", 33_500),
            ("40.0", 40_000),
            ("99.999", 99_999),
            ("100.000", 100_000),
            ("7", 7_000),
            ("1.2500", 1_250),
        ] {
            check(FormatVersion::V2, text, Some(buckets));
        }
        for text in [
            "0.0001", "100.001", "-0.1", ".5", "5.", "1.2.3", "nan", "1e-3", "",
        ] {
            check(FormatVersion::V2, text, None);
        }
    }

    #[test]
    fn every_percentage_reads_back_as_written() {
        for buckets in 0..=BUCKETS {
            let percent = Percent::from_buckets(buckets).unwrap();
            assert_eq!(
                Percent::parse(&percent.to_string(), FormatVersion::V2),
                Ok(percent)
            );
        }
    }

    #[test]
    fn a_refusal_has_the_wording_of_the_specification() {
        let message = |text, version| Percent::parse(text, version).unwrap_err().to_string();
        assert_eq!(
            message("140", FormatVersion::V1),
            "Rollout percentage: 140 is invalid. Value should be an integer in range [0, 100]."
        );
        assert_eq!(
            message("-0.5", FormatVersion::V2),
            "Rollout percentage: -0.5 is invalid. Value should be a number in range [0, 100] with at most three decimals."
        );
    }

    #[test]
    fn a_percentage_ends_at_a_hundred() {
        assert_eq!(Percent::from_buckets(BUCKETS), Some(Percent::HUNDRED));
        assert_eq!(Percent::from_buckets(BUCKETS + 1), None);
        assert_eq!(Percent::from_buckets(0), Some(Percent::ZERO));
        assert!(Percent::HUNDRED.is_whole() && !Percent(1_001).is_whole());
    }
}

//! Shares as other systems write them: decimal numbers, multiplied without rounding errors.

use std::fmt;

use flag_model::Percent;

/// No more decimals are read; shares of ours have five of a fraction.
const MAX_DECIMALS: usize = 9;

/// A decimal number that is not negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    digits: u128,
    decimals: u32,
}

/// What a share of one is, in buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Unit {
    Bucket = 1,
    PerMille = 100,
    Percent = 1_000,
    Fraction = 100_000,
}

impl Decimal {
    /// The number 0.
    pub(super) const ZERO: Self = Self {
        digits: 0,
        decimals: 0,
    };

    /// The number 1.
    pub(super) const ONE: Self = Self {
        digits: 1,
        decimals: 0,
    };

    /// The number 0.99.
    pub(super) const NEARLY_ONE: Self = Self {
        digits: 99,
        decimals: 2,
    };

    /// The number 100.
    pub(super) const HUNDRED: Self = Self {
        digits: 100,
        decimals: 0,
    };

    /// The number 1000.
    pub(super) const THOUSAND: Self = Self {
        digits: 1_000,
        decimals: 0,
    };

    /// Reads digits with at most one point.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        let decimals = decimals.get(..MAX_DECIMALS).unwrap_or(decimals);
        let decimals = decimals.trim_end_matches('0');
        let digits = format!("{whole}{decimals}");
        if whole.is_empty() || whole.len() > 12 || !digits.bytes().all(|byte| byte.is_ascii_digit())
        {
            return None;
        }
        Some(Self {
            digits: digits.parse().ok()?,
            decimals: u32::try_from(decimals.len()).ok()?,
        })
    }

    /// The sum.
    pub(super) fn plus(self, other: Self) -> Option<Self> {
        let decimals = self.decimals.max(other.decimals);
        let digits = self.digits_of(decimals)?;
        let digits = digits.checked_add(other.digits_of(decimals)?)?;
        Some(Self { digits, decimals })
    }

    /// The nearest number of `decimals` decimals, the larger one of two.
    pub(super) fn rounded(self, decimals: u32) -> Self {
        let Some(surplus) = self.decimals.checked_sub(decimals) else {
            return self;
        };
        let unit = 10_u128.saturating_pow(surplus);
        let digits = self.digits.saturating_add(unit / 2) / unit;
        Self { digits, decimals }
    }

    /// Whether it is above another one.
    pub(super) fn is_above(self, other: Self) -> bool {
        let decimals = self.decimals.max(other.decimals);
        self.digits_of(decimals) > other.digits_of(decimals)
    }

    fn digits_of(self, decimals: u32) -> Option<u128> {
        let factor = 10_u128.checked_pow(decimals.checked_sub(self.decimals)?)?;
        self.digits.checked_mul(factor)
    }

    /// The product.
    pub(super) fn times(self, other: Self) -> Option<Self> {
        Some(Self {
            digits: self.digits.checked_mul(other.digits)?,
            decimals: self.decimals + other.decimals,
        })
    }

    /// The share, rounded down to a thousandth of a percent, and whether it is exact; none above 100 %.
    pub(super) fn share(self, unit: Unit) -> Option<(Percent, bool)> {
        let scaled = self.digits.checked_mul(u128::from(unit as u32))?;
        let divisor = 10_u128.checked_pow(self.decimals)?;
        let buckets = u32::try_from(scaled / divisor).ok()?;
        let is_exact = scaled.is_multiple_of(divisor);
        let above = buckets == Percent::HUNDRED.buckets() && !is_exact;
        let percent = Percent::from_buckets(buckets).filter(|_| !above)?;
        Some((percent, is_exact))
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = 10_u128.saturating_pow(self.decimals);
        write!(f, "{}", self.digits / unit)?;
        if !self.digits.is_multiple_of(unit) {
            let width = self.decimals as usize;
            let decimals = format!("{:0width$}", self.digits % unit);
            write!(f, ".{}", decimals.trim_end_matches('0'))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, unit: Unit, expected: Option<(&str, bool)>) {
        let share = Decimal::parse(text).and_then(|decimal| decimal.share(unit));
        let share = share.map(|(percent, is_exact)| (percent.to_string(), is_exact));
        assert_eq!(
            share,
            expected.map(|(percent, is_exact)| (percent.to_owned(), is_exact))
        );
    }

    #[test]
    fn a_share_is_exact_or_rounded_down() {
        check("33.333", Unit::Percent, Some(("33.333", true)));
        check("33.3339", Unit::Percent, Some(("33.333", false)));
        check("0.1", Unit::Fraction, Some(("10", true)));
        check("1", Unit::Fraction, Some(("100", true)));
        check("333", Unit::PerMille, Some(("33.3", true)));
        check("60000", Unit::Bucket, Some(("60", true)));
        check("1.0000001", Unit::Fraction, None);
        check("100.0", Unit::Percent, Some(("100", true)));
        check("101", Unit::Percent, None);
        check("-1", Unit::Percent, None);
        check("", Unit::Percent, None);
    }

    #[test]
    fn sums_are_exact_and_halves_are_rounded_up() {
        let decimal = |text: &str| Decimal::parse(text).unwrap();
        let sum = |texts: &[&str]| {
            let sum = texts
                .iter()
                .try_fold(Decimal::ZERO, |sum, text| sum.plus(decimal(text)));
            sum.unwrap().to_string()
        };
        assert_eq!(sum(&["0.3333", "0.3333", "0.3334"]), "1");
        assert_eq!(sum(&["0.5", "0.05", "2"]), "2.55");
        let rounded = ["0.33335", "0.33334", "0.5", "7"].map(|text| decimal(text).rounded(4));
        assert_eq!(
            rounded.map(|of| of.to_string()),
            ["0.3334", "0.3333", "0.5", "7"]
        );
        assert!(decimal("1.000000001").is_above(Decimal::ONE));
        assert!(!decimal("1.0").is_above(Decimal::ONE));
    }

    #[test]
    fn a_product_is_exact() {
        let share = |coverage: &str, weight: &str| {
            let product = Decimal::parse(coverage)?.times(Decimal::parse(weight)?)?;
            product.share(Unit::Fraction)
        };
        let percent = |text| Percent::parse(text, flag_model::FormatVersion::V2).unwrap();
        assert_eq!(share("0.1", "0.3"), Some((percent("3"), true)));
        assert_eq!(share("0.1", "0.3333"), Some((percent("3.333"), true)));
        assert_eq!(share("0.01", "0.3333"), Some((percent("0.333"), false)));
    }
}

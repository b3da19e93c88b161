//! What many figures say together.

/// The middle one of some figures, and how far they lie apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) least: f64,
    pub(super) max: f64,
}

impl Spread {
    /// Of these figures; of none, nothing that is a number.
    pub(super) fn of(figures: impl IntoIterator<Item = f64>) -> Self {
        let figures: Vec<f64> = figures.into_iter().collect();
        let end = |choose: fn(f64, f64) -> f64| figures.iter().copied().reduce(choose);
        Self {
            least: end(f64::min).unwrap_or(f64::NAN),
            max: end(f64::max).unwrap_or(f64::NAN),
            median: median(figures),
        }
    }

    /// Each figure by the one beside it.
    pub(super) fn of_ratios(
        figures: impl IntoIterator<Item = f64>,
        by: impl IntoIterator<Item = f64>,
    ) -> Self {
        Self::of(figures.into_iter().zip(by).map(|(figure, by)| figure / by))
    }

    /// The text of a figure, with this many decimals.
    pub(super) fn text(&self, decimals: usize) -> String {
        let Self { median, least, max } = self;
        format!("{median:.decimals$} ({least:.decimals$} to {max:.decimals$})")
    }
}

/// The middle one, or the mean of the two in the middle.
pub(super) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_unstable_by(f64::total_cmp);
    let (below, above) = figures.split_at(figures.len() / 2);
    match (below.last(), above.first()) {
        (Some(below), Some(above)) if figures.len().is_multiple_of(2) => {
            f64::midpoint(*below, *above)
        }
        (_, middle) => middle.copied().unwrap_or(f64::NAN),
    }
}

/// A count as a figure.
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
pub(super) fn as_f64(number: u64) -> f64 {
    number as f64
}

/// Bytes as MiB.
pub(super) fn mib(bytes: u64) -> f64 {
    as_f64(bytes) / f64::from(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert!((median(vec![3.0, 1.0, 2.0]) - 2.0).abs() < 1e-12);
        assert!((median(vec![4.0, 1.0, 3.0, 2.0]) - 2.5).abs() < 1e-12);
        assert!((median(vec![7.0]) - 7.0).abs() < 1e-12);
        assert!(median(Vec::new()).is_nan());
    }

    #[test]
    fn ratios_are_taken_pair_by_pair() {
        let spread = Spread::of_ratios([8.0, 30.0, 5.0], [10.0, 20.0, 5.0]);
        assert_eq!(spread.text(1), "1.0 (0.8 to 1.5)");
        assert!(Spread::of_ratios([], [1.0]).median.is_nan());
    }
}

//! The survival function of the chi-square distribution.

/// How precise the sums are.
const PRECISION: f64 = 1e-15;

/// The most terms; they are needed where the statistic is near the degrees of freedom, and those are many.
const TERMS: u32 = 10_000;

/// The probability that a chi-square variable of `freedom` degrees of freedom is at least `statistic`.
///
/// It is the regularized incomplete gamma function Q(freedom/2, statistic/2): by the series of the NIST Digital Library of
/// Mathematical Functions, 8.7.1, or for large statistics by the continued fraction 8.9.2, evaluated with Lentz's method.
pub(super) fn survival(statistic: f64, freedom: u32) -> f64 {
    let (a, x) = (f64::from(freedom) / 2.0, statistic / 2.0);
    if freedom == 0 || x <= 0.0 {
        return 1.0;
    }
    if !x.is_finite() {
        return 0.0;
    }
    let factor = (a * x.ln() - x - ln_gamma_of_half(freedom)).exp();
    let q = if x < a + 1.0 {
        1.0 - factor * series(a, x)
    } else {
        factor * fraction(a, x)
    };
    q.clamp(0.0, 1.0)
}

/// The sum of x^n / (a (a+1) … (a+n)).
fn series(a: f64, x: f64) -> f64 {
    let mut term = 1.0 / a;
    let mut sum = term;
    for n in 1..TERMS {
        term *= x / (a + f64::from(n));
        sum += term;
        if term < sum * PRECISION {
            break;
        }
    }
    sum
}

/// The continued fraction 1/(x+1−a − 1(1−a)/(x+3−a − 2(2−a)/(x+5−a − …))).
fn fraction(a: f64, x: f64) -> f64 {
    let mut denominator = x + 1.0 - a;
    let mut ratio = f64::MAX;
    let mut inverse = 1.0 / denominator;
    let mut value = inverse;
    for n in 1..TERMS {
        let n = f64::from(n);
        let numerator = n * (a - n);
        denominator += 2.0;
        inverse = 1.0 / not_zero(numerator.mul_add(inverse, denominator));
        ratio = not_zero(denominator + numerator / ratio);
        let change = ratio * inverse;
        value *= change;
        if (change - 1.0).abs() < PRECISION {
            break;
        }
    }
    value
}

fn not_zero(number: f64) -> f64 {
    if number.abs() < f64::MIN_POSITIVE {
        f64::MIN_POSITIVE
    } else {
        number
    }
}

/// ln Γ(n/2), from Γ(1) = 1 or Γ(1/2) = √π up by Γ(a+1) = a Γ(a).
fn ln_gamma_of_half(n: u32) -> f64 {
    let (mut at, mut sum) = match n % 2 {
        0 => (2, 0.0),
        _ => (1, std::f64::consts::PI.ln() / 2.0),
    };
    while at < n {
        sum += (f64::from(at) / 2.0).ln();
        at += 2;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of its closed forms, a sum of `exp`, or for odd degrees of freedom of `erfc` and `exp`.
    #[test]
    fn known_values_come_out() {
        for (statistic, freedom, expected) in [
            (0.0, 1, 1.0),
            (1e-6, 1, 0.999_202_115_572_177_9),
            (1.0, 1, 0.317_310_507_862_914_04),
            (3.841_458_820_694_124, 1, 0.05),
            (10.827_566_170_662_733, 1, 0.001),
            (100.0, 1, 1.523_970_604_832_099_5e-23),
            (0.5, 2, 0.778_800_783_071_404_9),
            (13.815_510_557_964_274, 2, 0.001),
            (0.5, 3, 0.918_891_411_654_675_8),
            (16.266_236_196_238_13, 3, 0.001),
            (4.0, 5, 0.549_415_951_352_780_3),
            (1.0, 10, 0.999_827_884_370_044_1),
            (29.588_298_445_074_42, 10, 0.001),
            (500.0, 99, 7.615_943_956_673_8e-55),
            (124.342_113_404_004_07, 100, 0.05),
        ] {
            let found = survival(statistic, freedom);
            let error = (found / expected - 1.0).abs();
            assert!(
                error < 1e-10,
                "{statistic}, {freedom}: {found}, not {expected}"
            );
        }
    }

    #[test]
    fn any_statistic_has_a_probability() {
        for freedom in [0, 1, 2, 50, 5_000] {
            for statistic in [0.0, f64::MIN_POSITIVE, 1.0, 1e3, 1e18, f64::INFINITY] {
                let p = survival(statistic, freedom);
                assert!((0.0..=1.0).contains(&p), "{statistic}, {freedom}: {p}");
            }
        }
    }
}

//! Floats as Python reads and prints them.

use std::borrow::Cow;

/// The longest exponent, in digits, with which `f64` reads whatever text as it is.
const SHORT_EXPONENT: usize = 4;

/// The float that is nearest to a text of digits, point, exponent and underscores.
pub(super) fn nearest(text: &str) -> f64 {
    if let Some(float) = exact(text) {
        return float;
    }
    let text = without_underscores(text);
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((&text, ""));
    let digits = exponent.trim_start_matches(['+', '-']);
    let read = if digits.len() <= SHORT_EXPONENT {
        text.parse()
    } else {
        let sign = if exponent.starts_with('-') { "-" } else { "" };
        match digits.trim_start_matches('0') {
            digits if digits.len() <= SHORT_EXPONENT => {
                [mantissa, "e", sign, "0", digits].concat().parse()
            }
            _ => Decimal::read(&text).to_text().parse(),
        }
    };
    read.unwrap_or(f64::INFINITY)
}

/// Prints a float as Python does.
pub(super) fn print(value: f64) -> String {
    let sign = if value.is_sign_negative() { "-" } else { "" };
    let magnitude = value.abs();
    if magnitude.is_infinite() {
        return [sign, "inf"].concat();
    }
    [sign, &Decimal::shortest(magnitude).print()].concat()
}

/// The float, if it is the product or the quotient of two that are exact; so it is that of most texts.
fn exact(text: &str) -> Option<f64> {
    /// All powers of ten that are exact.
    const POWERS: [f64; 23] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
        1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
    ];
    /// So many digits make an exact float.
    const MOST_DIGITS: usize = 15;
    let mut digits = 0_u64;
    let mut count = 0;
    let mut point = None;
    let mut exponent = 0;
    let bytes = text.as_bytes();
    for (at, &byte) in bytes.iter().enumerate() {
        match byte {
            b'0'..=b'9' if count == MOST_DIGITS => return None,
            b'0'..=b'9' => {
                digits = digits * 10 + u64::from(byte - b'0');
                count += 1;
            }
            b'.' => point = Some(count),
            b'_' => {}
            _ => {
                exponent = read_exponent(text.get(at + 1..)?);
                break;
            }
        }
    }
    if digits == 0 {
        return Some(0.0);
    }
    let after_point = i64::try_from(count - point.unwrap_or(count)).ok()?;
    let power = exponent - after_point;
    let scale = POWERS.get(usize::try_from(power.unsigned_abs()).ok()?)?;
    #[expect(clippy::cast_precision_loss, reason = "fifteen digits are exact")]
    let digits = digits as f64;
    Some(if power < 0 {
        digits / scale
    } else {
        digits * scale
    })
}

/// Leaves out the underscores, which Python has between digits.
pub(super) fn without_underscores(text: &str) -> Cow<'_, str> {
    if text.contains('_') {
        text.split('_').collect()
    } else {
        text.into()
    }
}

/// A decimal without sign: the digits after `0.`, times ten to the power of `point`.
struct Decimal {
    /// Neither the first nor the last one is a zero; none for zero.
    digits: String,
    point: i64,
}

impl Decimal {
    /// Takes a float apart.
    fn read(text: &str) -> Self {
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let mut digits = String::with_capacity(mantissa.len());
        let mut point = read_exponent(exponent);
        for (part, shift) in [(whole, 1), (fraction, 0)] {
            for digit in part.chars() {
                if !digits.is_empty() || digit != '0' {
                    digits.push(digit);
                    point += shift;
                } else {
                    point += shift - 1;
                }
            }
        }
        digits.truncate(digits.trim_end_matches('0').len());
        Self { digits, point }
    }

    /// Spells the decimal so that `f64` reads it: `f64` does not count exponents to the end.
    fn to_text(&self) -> String {
        // Beyond this, it is zero or infinite anyway.
        let exponent = self.point.clamp(-1_000, 1_000);
        format!("0.{}e{exponent}", self.digits)
    }

    /// The fewest digits that are nearer to this float than to any other, and of those the nearest ones.
    fn shortest(value: f64) -> Self {
        let shortest = Self::read(&format!("{value:e}"));
        // Between two that are equally near, Python takes the even one.
        let places = shortest.digits.len().saturating_sub(1);
        let nearest = format!("{value:.places$e}");
        if nearest.parse() == Ok(value) {
            Self::read(&nearest)
        } else {
            shortest
        }
    }

    /// Prints the digits as Python prints a float that has them.
    fn print(&self) -> String {
        let digits = self.digits.as_str();
        let zeros = |count: i64| "0".repeat(usize::try_from(count).unwrap_or_default());
        let whole = usize::try_from(self.point).unwrap_or_default();
        match (self.point, digits.split_at_checked(whole)) {
            _ if digits.is_empty() => "0.0".into(),
            (-3..=0, _) => ["0.", &zeros(-self.point), digits].concat(),
            (1..=16, Some((whole, ""))) => [whole, ".0"].concat(),
            (1..=16, Some((whole, fraction))) => [whole, ".", fraction].concat(),
            (1..=16, None) => [digits, &"0".repeat(whole - digits.len()), ".0"].concat(),
            _ => self.print_with_exponent(),
        }
    }

    fn print_with_exponent(&self) -> String {
        let digits = self.digits.as_str();
        let (first, others) = digits.split_at_checked(1).unwrap_or((digits, ""));
        let point = if others.is_empty() { "" } else { "." };
        let exponent = self.point - 1;
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{first}{point}{others}e{sign}{:02}", exponent.abs())
    }
}

/// Reads an exponent; one that is out of all proportion stays so.
fn read_exponent(text: &str) -> i64 {
    let magnitude = text
        .bytes()
        .filter(u8::is_ascii_digit)
        .fold(0_i64, |sum, digit| {
            sum.saturating_mul(10)
                .saturating_add(i64::from(digit - b'0'))
                .min(i64::MAX / 2)
        });
    if text.starts_with('-') {
        -magnitude
    } else {
        magnitude
    }
}

//! Numbers as decimal text, exact however long.

use std::fmt;

/// Python refuses decimal integers of more digits.
const MAX_DIGITS: usize = 4_300;

/// The most digits of a hexadecimal, octal or binary integer: converting takes quadratic time.
const MAX_RADIX_DIGITS: usize = 256;

/// What is expected where [`Number::decimal`] gives `None`.
pub(super) const TOO_LONG: &str = "an integer of at most 4300 digits";

/// What is expected where [`Number::with_radix`] gives `None`.
pub(super) const TOO_LONG_WITH_RADIX: &str =
    "a hexadecimal, octal or binary integer of at most 256 digits";

/// How many bytes are kept without an allocation.
const SHORT: usize = 22;

/// The most digits that a float keeps whatever they are: two such decimals never share a float.
const EXACT_DIGITS: usize = 15;

/// An integer or a float, in the decimal text that Python would print.
///
/// Equal if the text is equal: `1` is not `1.0`.
#[derive(Clone, PartialEq, Eq)]
pub struct Number(Repr);

#[derive(Clone, PartialEq, Eq)]
enum Repr {
    /// The unused bytes are zero.
    Short {
        length: u8,
        bytes: [u8; SHORT],
    },
    Long(Box<str>),
}

impl Number {
    /// The number as Python prints it: `40`, `-3`, `33.5`, `1e+16`, `inf`.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Repr::Short { length, bytes } => bytes
                .get(..usize::from(*length))
                .and_then(|text| std::str::from_utf8(text).ok())
                .unwrap_or_default(),
            Repr::Long(text) => text,
        }
    }

    /// Whether this was spelled as an integer; `1.0` and `1e3` are floats.
    pub fn is_integer(&self) -> bool {
        let digits = self.as_str().trim_start_matches('-');
        digits.bytes().all(|byte| byte.is_ascii_digit())
    }

    /// An integer of decimal digits and underscores; `None` if there are too many.
    pub(super) fn decimal(text: &str) -> Option<Self> {
        let significant = text.trim_start_matches(['0', '_']);
        let digits = without_underscores(significant);
        match digits.len() {
            0 => Some(Self::new("0")),
            1..=MAX_DIGITS => Some(Self::new(&digits)),
            _ => None,
        }
    }

    /// An integer of digits to the base of `radix` and underscores; `None` if there are too many.
    pub(super) fn with_radix(text: &str, radix: u32) -> Option<Self> {
        let significant = text.trim_start_matches(['0', '_']);
        let digits = without_underscores(significant);
        (digits.len() <= MAX_RADIX_DIGITS).then(|| Self::new(&to_decimal(&digits, radix)))
    }

    /// A float of digits, point, exponent and underscores.
    pub(super) fn float(text: &str) -> Self {
        let decimal = Decimal::read(text);
        if decimal.is_its_own_shortest() {
            return Self::new(&decimal.print());
        }
        match decimal.nearest() {
            value if value.is_infinite() => Self::new("inf"),
            value => Self::new(&Decimal::shortest(value).print()),
        }
    }

    /// The number with a minus sign, which an integer zero doesn't take.
    pub(super) fn negated(&self) -> Self {
        match self.as_str() {
            "0" => self.clone(),
            text => Self::new(&["-", text].concat()),
        }
    }

    fn new(text: &str) -> Self {
        let mut bytes = [0; SHORT];
        match (u8::try_from(text.len()), bytes.get_mut(..text.len())) {
            (Ok(length), Some(start)) => {
                start.copy_from_slice(text.as_bytes());
                Self(Repr::Short { length, bytes })
            }
            _ => Self(Repr::Long(text.into())),
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Number({self})")
    }
}

/// A decimal without sign: the digits after `0.`, times ten to the power of `point`.
struct Decimal {
    /// Neither the first nor the last one is a zero; none for zero.
    digits: String,
    point: i64,
}

impl Decimal {
    /// Takes a float apart; digits and exponent may hold underscores.
    fn read(text: &str) -> Self {
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let mut digits = String::with_capacity(mantissa.len());
        let mut point = read_exponent(exponent);
        for (part, shift) in [(whole, 1), (fraction, 0)] {
            for digit in part.chars().filter(|&digit| digit != '_') {
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

    /// Whether the float nearest to this decimal is printed with these very digits.
    fn is_its_own_shortest(&self) -> bool {
        let is_far_from_the_limits = (-290..300).contains(&self.point);
        self.digits.is_empty() || (self.digits.len() <= EXACT_DIGITS && is_far_from_the_limits)
    }

    /// The nearest float.
    fn nearest(&self) -> f64 {
        // Beyond this, it is zero or infinite anyway, and `f64` does not count exponents to the end.
        let exponent = self.point.clamp(-1_000, 1_000);
        let text = format!("0.{}e{exponent}", self.digits);
        text.parse().unwrap_or(f64::INFINITY)
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

fn without_underscores(text: &str) -> std::borrow::Cow<'_, str> {
    if text.contains('_') {
        text.replace('_', "").into()
    } else {
        text.into()
    }
}

/// Converts an integer to decimal text, in quadratic time.
fn to_decimal(digits: &str, radix: u32) -> String {
    const LIMB: u64 = 1_000_000_000;
    // Eight digits make at most 32 bits, so that no product exceeds 64.
    const CHUNK: usize = 8;
    let mut limbs = vec![0];
    for chunk in digits.as_bytes().chunks(CHUNK) {
        let mut scale = 1;
        let mut carry = 0;
        for &digit in chunk {
            let digit = char::from(digit).to_digit(radix).unwrap_or_default();
            carry = carry * u64::from(radix) + u64::from(digit);
            scale *= u64::from(radix);
        }
        for limb in &mut limbs {
            let sum = *limb * scale + carry;
            *limb = sum % LIMB;
            carry = sum / LIMB;
        }
        while carry > 0 {
            limbs.push(carry % LIMB);
            carry /= LIMB;
        }
    }
    let mut places = limbs.iter().rev();
    let first = places.next().map(u64::to_string).unwrap_or_default();
    places.fold(first, |text, limb| text + &format!("{limb:09}"))
}

//! Numbers, exact however long, and the decimal text that Python prints for them.

use std::borrow::Cow;
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

/// An integer or a float.
///
/// Equal if Python prints both alike: `1` is not `1.0`, and `0.0` not `-0.0`.
#[derive(Clone, PartialEq, Eq)]
pub struct Number(Repr);

#[derive(Clone, PartialEq, Eq)]
enum Repr {
    Integer(i64),
    /// An integer that does not fit in the above, in decimal digits.
    Long(String),
    /// The bits of a float.
    Float(u64),
}

impl Number {
    /// The number as Python prints it: `40`, `-3`, `33.5`, `1e+16`, `inf`. Allocates, unless the integer is long.
    pub fn as_str(&self) -> Cow<'_, str> {
        match &self.0 {
            Repr::Long(text) => Cow::Borrowed(text),
            Repr::Integer(_) | Repr::Float(_) => Cow::Owned(self.to_string()),
        }
    }

    /// Whether this was spelled as an integer; `1.0` and `1e3` are floats.
    pub fn is_integer(&self) -> bool {
        !matches!(self.0, Repr::Float(_))
    }

    /// An integer of decimal digits and underscores; `None` if there are too many.
    pub(super) fn decimal(text: &str) -> Option<Self> {
        if let Ok(integer) = text.parse() {
            return Some(Self(Repr::Integer(integer)));
        }
        let digits = without_underscores(text);
        let digits = digits.trim_start_matches('0');
        (digits.len() <= MAX_DIGITS).then(|| Self::integer(digits))
    }

    /// An integer of digits to the base of `radix` and underscores; `None` if there are too many.
    pub(super) fn with_radix(text: &str, radix: u32) -> Option<Self> {
        let digits = without_underscores(text);
        let digits = digits.trim_start_matches('0');
        (digits.len() <= MAX_RADIX_DIGITS).then(|| match i64::from_str_radix(digits, radix) {
            Ok(integer) => Self(Repr::Integer(integer)),
            Err(_) => Self::integer(&to_decimal(digits, radix)),
        })
    }

    /// A float of digits, point, exponent and underscores. Beyond the largest it is infinite, as in Python.
    pub(super) fn float(text: &str) -> Self {
        let read = text.parse().or_else(|_| without_underscores(text).parse());
        let float: f64 = read.unwrap_or(f64::INFINITY);
        Self(Repr::Float(float.to_bits()))
    }

    /// The number with a minus sign, which an integer zero doesn't take.
    pub(super) fn negated(self) -> Self {
        Self(match self.0 {
            Repr::Integer(integer) => Repr::Integer(-integer),
            Repr::Long(digits) => Repr::Long(format!("-{digits}")),
            Repr::Float(bits) => Repr::Float((-f64::from_bits(bits)).to_bits()),
        })
    }

    /// Whether this is the integer zero.
    pub(super) fn is_zero(&self) -> bool {
        self.0 == Repr::Integer(0)
    }

    /// The integer of decimal digits that don't start with a zero; none are zero.
    fn integer(digits: &str) -> Self {
        Self(match digits.parse() {
            _ if digits.is_empty() => Repr::Integer(0),
            Ok(integer) => Repr::Integer(integer),
            Err(_) => Repr::Long(digits.to_owned()),
        })
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Integer(integer) => write!(f, "{integer}"),
            Repr::Long(digits) => f.write_str(digits),
            Repr::Float(bits) => f.write_str(&float_text(f64::from_bits(*bits))),
        }
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Number({self})")
    }
}

/// The float as Python prints it: as Rust does, except for signs, zeros and ties.
fn float_text(value: f64) -> String {
    let shortest = format!("{value:?}");
    let mantissa = shortest.split_once('e').map(|(mantissa, _)| mantissa);
    let (_, fraction) = mantissa
        .unwrap_or(&shortest)
        .split_once('.')
        .unwrap_or_default();
    let indices = fraction.len();
    // Of two texts that are as short and equally near, Python prints the even one.
    let even = match mantissa {
        Some(_) => format!("{value:.indices$e}"),
        None => format!("{value:.indices$}"),
    };
    let text = if even.parse() == Ok(value) {
        even
    } else {
        shortest
    };
    match text.split_once('e') {
        Some((mantissa, exponent)) => {
            let (sign, digits) = match exponent.strip_prefix('-') {
                Some(digits) => ('-', digits),
                None => ('+', exponent),
            };
            format!("{mantissa}e{sign}{digits:0>2}")
        }
        None => text,
    }
}

/// Leaves out the underscores, which Python has between digits.
fn without_underscores(text: &str) -> Cow<'_, str> {
    if text.contains('_') {
        text.split('_').collect()
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
    let mut indices = limbs.iter().rev();
    let first = indices.next().map(u64::to_string).unwrap_or_default();
    indices.fold(first, |text, limb| text + &format!("{limb:09}"))
}

//! Numbers, exact however long, and the decimal text that Python prints for them.

use std::borrow::Cow;
use std::fmt;

use super::arena::Arena;
use super::float;

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
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Number<'a>(Repr<'a>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Repr<'a> {
    Integer(i64),
    /// An integer that does not fit in the above, in decimal digits.
    Long(&'a &'a str),
    /// The bits of a float.
    Float(u64),
}

impl<'a> Number<'a> {
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
    pub(super) fn decimal(text: &str, arena: &'a Arena<'a>) -> Option<Self> {
        if let Some(integer) = short(text, 10) {
            return Some(Self(Repr::Integer(integer)));
        }
        let digits = float::without_underscores(text);
        let digits = digits.trim_start_matches('0');
        (digits.len() <= MAX_DIGITS).then(|| Self::integer(digits, arena))
    }

    /// An integer of digits to the base of `radix` and underscores; `None` if there are too many.
    pub(super) fn with_radix(text: &str, radix: u32, arena: &'a Arena<'a>) -> Option<Self> {
        if let Some(integer) = short(text, radix) {
            return Some(Self(Repr::Integer(integer)));
        }
        let digits = float::without_underscores(text);
        let digits = digits.trim_start_matches('0');
        (digits.len() <= MAX_RADIX_DIGITS).then(|| Self::integer(&to_decimal(digits, radix), arena))
    }

    /// A float of digits, point, exponent and underscores.
    pub(super) fn float(text: &str) -> Self {
        Self(Repr::Float(float::nearest(text).to_bits()))
    }

    /// The number with a minus sign, which an integer zero doesn't take.
    pub(super) fn negated(self, arena: &'a Arena<'a>) -> Self {
        Self(match self.0 {
            Repr::Integer(integer) => Repr::Integer(-integer),
            Repr::Long(digits) => Repr::Long(arena.thin(arena.text(&["-", digits].concat()))),
            Repr::Float(bits) => Repr::Float((-f64::from_bits(bits)).to_bits()),
        })
    }

    /// Whether this is the integer zero.
    pub(super) fn is_zero(&self) -> bool {
        self.0 == Repr::Integer(0)
    }

    /// The integer of decimal digits that don't start with a zero; none are zero.
    fn integer(digits: &str, arena: &'a Arena<'a>) -> Self {
        Self(match digits.parse() {
            _ if digits.is_empty() => Repr::Integer(0),
            Ok(integer) => Repr::Integer(integer),
            Err(_) => Repr::Long(arena.thin(arena.text(digits))),
        })
    }
}

impl From<i64> for Number<'_> {
    fn from(integer: i64) -> Self {
        Self(Repr::Integer(integer))
    }
}

impl fmt::Display for Number<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Integer(integer) => write!(f, "{integer}"),
            Repr::Long(digits) => f.write_str(digits),
            Repr::Float(bits) => f.write_str(&float::print(f64::from_bits(*bits))),
        }
    }
}

impl fmt::Debug for Number<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Number({self})")
    }
}

/// An integer of digits and underscores, if it fits without a doubt.
#[inline]
fn short(text: &str, radix: u32) -> Option<i64> {
    // So many digits of any radix fit.
    const MOST: usize = 15;
    if text.len() > MOST {
        return None;
    }
    let digits = text.bytes().filter(|&byte| byte != b'_');
    Some(digits.fold(0, |integer, digit| {
        let digit = char::from(digit).to_digit(radix).unwrap_or_default();
        integer * i64::from(radix) + i64::from(digit)
    }))
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

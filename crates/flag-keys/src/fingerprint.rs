//! The SHA-256 of a key's text: all that is kept of it.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// The SHA-256 of a key's text. Of 256 random bits it gives nothing away.
#[derive(Clone, Debug)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint of a text that was presented as a key.
    pub fn of(text: &[u8]) -> Self {
        Self(Sha256::digest(text).into())
    }

    /// Whether the two are equal; takes as long whether they are or not.
    pub fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }

    /// The HMAC-SHA-256 of a purpose with this fingerprint as its key.
    pub fn code_for(&self, purpose: &str) -> Option<Self> {
        let mut code = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        code.update(purpose.as_bytes());
        Some(Self(code.finalize().into_bytes().into()))
    }

    /// Reads 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let [high, low] = <[u8; 2]>::try_from(pair).ok()?.map(digit);
            *byte = high? << 4 | low?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

fn digit(character: u8) -> Option<u8> {
    let digit = char::from(character).to_digit(16)?;
    u8::try_from(digit).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_sha256sum_prints() {
        let abc = Fingerprint::of(b"abc");
        let printed = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(abc.to_string(), printed);
        assert!(Fingerprint::parse(printed).unwrap().matches(&abc));
        assert!(
            Fingerprint::parse(&printed.to_uppercase())
                .unwrap()
                .matches(&abc)
        );
        assert!(!Fingerprint::of(b"abd").matches(&abc));
    }

    #[test]
    fn what_is_no_digest_is_refused() {
        for text in ["", "ba", &"g".repeat(64), &"é".repeat(32), &"0".repeat(65)] {
            assert!(Fingerprint::parse(text).is_none(), "{text}");
        }
    }
}

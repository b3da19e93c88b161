//! The algorithms that place an instance on the rollout line, by the names that Python's `hashlib` has for them.

use std::fmt;

use crate::invalid::shortened;

macro_rules! hash_algorithms {
    ($($(#[$doc:meta])* $variant:ident = $name:literal),+ $(,)?) => {
        /// A hash algorithm: the first eight bytes of its digest place an instance.
        ///
        /// A new one needs a line in this table and one in the table of digests of `flag-rollout`; the compiler demands it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum HashAlgorithm {
            $($(#[$doc])* $variant,)+
        }

        impl HashAlgorithm {
            /// Every algorithm.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The name, as in the `HashAlgorithm` column.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

hash_algorithms! {
    /// MD5, as the Python framework uses it.
    Md5 = "md5",
    /// SHA-1.
    Sha1 = "sha1",
    /// SHA-224.
    Sha224 = "sha224",
    /// SHA-256.
    Sha256 = "sha256",
    /// SHA-384.
    Sha384 = "sha384",
    /// SHA-512.
    Sha512 = "sha512",
    /// SHA3-224.
    Sha3_224 = "sha3_224",
    /// SHA3-256.
    Sha3_256 = "sha3_256",
    /// SHA3-384.
    Sha3_384 = "sha3_384",
    /// SHA3-512.
    Sha3_512 = "sha3_512",
    /// `BLAKE2b` of 512 bits.
    Blake2b = "blake2b",
    /// `BLAKE2s` of 256 bits.
    Blake2s = "blake2s",
}

impl HashAlgorithm {
    /// Reads a name, as in the `HashAlgorithm` column.
    pub fn parse(text: &str) -> Result<Self, InvalidHashAlgorithm> {
        let found = Self::ALL
            .iter()
            .copied()
            .find(|algorithm| algorithm.as_str() == text);
        found.ok_or_else(|| InvalidHashAlgorithm {
            found: shortened(text),
        })
    }
}

impl fmt::Display for HashAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name that no algorithm has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "Hashing algorithm: {found} is invalid. Value should be one of {}.",
    names()
)]
pub struct InvalidHashAlgorithm {
    /// The name that was found, shortened.
    pub found: String,
}

fn names() -> String {
    let names: Vec<&str> = HashAlgorithm::ALL
        .iter()
        .map(|algorithm| algorithm.as_str())
        .collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_algorithm_is_read_by_its_name() {
        for &algorithm in HashAlgorithm::ALL {
            assert_eq!(HashAlgorithm::parse(algorithm.as_str()), Ok(algorithm));
            assert_eq!(algorithm.to_string(), algorithm.as_str());
        }
    }

    #[test]
    fn a_refusal_lists_the_algorithms() {
        let message = HashAlgorithm::parse("md4").unwrap_err().to_string();
        assert_eq!(
            message,
            "Hashing algorithm: md4 is invalid. Value should be one of md5, sha1, sha224, sha256, sha384, sha512, \
             sha3_224, sha3_256, sha3_384, sha3_512, blake2b, blake2s."
        );
    }
}

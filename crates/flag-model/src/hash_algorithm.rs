//! The algorithms that place an instance on the rollout line, by name.

use std::fmt;

use crate::invalid::shortened;

macro_rules! hash_algorithms {
    ($($(#[$doc:meta])* $variant:ident = $name:literal),+ $(,)?) => {
        /// A digest whose first eight bytes place an instance.
        ///
        /// A new one is a line in this table and one in the table of digests of `flag-rollout`, which the compiler
        /// asks for.
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
    /// MD5, as the reference uses it.
    Md5 = "md5",
    /// SHA-1.
    Sha1 = "sha1",
    /// SHA-256.
    Sha256 = "sha256",
}

impl HashAlgorithm {
    /// Reads a name, in the spelling of the `HashAlgorithm` column.
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

/// The name of no algorithm that there is.
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
        }
    }

    #[test]
    fn a_refusal_lists_the_algorithms() {
        let message = HashAlgorithm::parse("md4").unwrap_err().to_string();
        assert_eq!(
            message,
            "Hashing algorithm: md4 is invalid. Value should be one of md5, sha1, sha256."
        );
    }
}

//! The digest of what is published of a project's flags.

use std::fmt;

use sha2::{Digest as _, Sha256};

use super::HeadRow;

/// Bytes of the hash that are kept.
const LENGTH: usize = 16;

/// The digest of a project: the same in every build, replica and store that publish the same revisions.
///
/// It is the first 16 bytes of the SHA-256 of one line per flag, `{type}/{name} {time}` and a line feed, ordered by bytes;
/// the time is that of the newest published revision, with six digits of a fraction. Claims do not count. Digests can be
/// compared for equality only: clocks, copies and restored stores bring older times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProjectDigest([u8; LENGTH]);

impl HeadRow {
    /// Returns the digest of what is published of the project's flags.
    pub fn digest(&self) -> ProjectDigest {
        let mut hash = Sha256::new();
        for (flag, cell) in self.flags() {
            if let Some(time) = cell.published() {
                hash.update(format!("{}/{} {time}\n", flag.flag_type, flag.name));
            }
        }
        let mut digest = [0; LENGTH];
        for (byte, of_hash) in digest.iter_mut().zip(hash.finalize()) {
            *byte = of_hash;
        }
        ProjectDigest(digest)
    }
}

impl ProjectDigest {
    /// Reads 32 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let number = u128::from_str_radix(text, 16).ok()?;
        let digest = Self(number.to_be_bytes());
        (digest.to_string() == text).then_some(digest)
    }
}

/// Writes 32 hexadecimal digits.
impl fmt::Display for ProjectDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

#[cfg(test)]
mod tests {
    use flag_model::{ProjectName, Timestamp};

    use super::*;
    use crate::head::{ChangeMark, encode_claim};

    const TIME: &str = "2024-09-25 19:15:28.248896";

    fn digest(cells: &[(&str, &str)]) -> String {
        let head_row = HeadRow {
            project: ProjectName::new("csr-assistant").ok(),
            cells: cells.iter().copied().collect(),
            metadata: crate::rows::Cells::default(),
            mark: ChangeMark::default(),
        };
        head_row.digest().to_string()
    }

    /// `printf 'data/llm_version 2024-10-01 08:00:00.000000\nfeature/router 2024-09-25 19:15:28.248896\n' | sha256sum`
    #[test]
    fn the_digest_is_defined_on_bytes() {
        let cells = [
            ("feature/router", TIME),
            ("data/llm_version", "2024-10-01 08:00:00"),
        ];
        assert_eq!(digest(&cells), "417a27263a438b0aad7ff8ff477674cf");
        assert_eq!(digest(&[]), "e3b0c44298fc1c149afbf4c8996fb924");
    }

    #[test]
    fn a_claim_does_not_change_the_digest() {
        let at = Timestamp::parse("2025-01-01 00:00:00").unwrap();
        let claim = encode_claim(at, 7, Some(TIME.as_bytes()));
        let of_an_older_release = encode_claim(at, 7, None);
        let before = digest(&[("feature/f", TIME)]);
        assert_eq!(digest(&[("feature/f", &claim)]), before);
        assert_eq!(
            digest(&[("feature/f", TIME), ("feature/g", &of_an_older_release)]),
            before
        );
        assert_ne!(digest(&[("feature/f", &at.to_string())]), before);
    }

    #[test]
    fn only_a_digest_is_read_as_one() {
        let digest = "07ab27263a438b0aad7ff8ff477674cf";
        let parsed = ProjectDigest::parse(digest);
        assert_eq!(parsed.unwrap().to_string(), digest);
        for text in [
            "",
            "7",
            &digest[1..],
            &digest.to_uppercase(),
            &format!("+{}", &digest[1..]),
        ] {
            assert_eq!(ProjectDigest::parse(text), None, "{text}");
        }
    }
}

//! What the holder of a key has: `flag_<id>_<64 hexadecimal digits>`.

use std::fmt::{self, Write as _};

use crate::fingerprint::Fingerprint;
use crate::key::KeyId;

/// How every key begins, so that people and scanners of repositories know one when they see it.
const PREFIX: &str = "flag_";

/// Letters and digits of the ids that are made.
const ID_LENGTH: usize = 12;

/// The text of a key. It is shown once, and nothing of it is kept but its fingerprint.
pub struct Secret {
    id: KeyId,
    text: String,
}

/// The operating system gave no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gave no random bytes")]
pub struct NoRandomness(#[from] getrandom::Error);

impl Secret {
    /// Makes a new one with 256 bits from the operating system's random source.
    pub fn new() -> Result<Self, NoRandomness> {
        let mut id = [0; ID_LENGTH / 2];
        let mut secret = [0; 32];
        getrandom::fill(&mut id)?;
        getrandom::fill(&mut secret)?;
        let id = KeyId::of_digits(&hex(&id));
        let text = format!("{PREFIX}{id}_{}", hex(&secret));
        Ok(Self { id, text })
    }

    /// Which key this is.
    pub fn id(&self) -> &KeyId {
        &self.id
    }

    /// The text, to be shown to its holder only.
    pub fn reveal(&self) -> &str {
        &self.text
    }

    /// What is kept of it.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(self.text.as_bytes())
    }

    /// The id in a text that was presented as a key; `None` if it has not the form of one.
    pub fn id_in(text: &str) -> Option<&str> {
        let (id, _) = text.strip_prefix(PREFIX)?.split_once('_')?;
        Some(id)
    }
}

impl fmt::Debug for Secret {
    /// Names the key and hides the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({}, …)", self.id)
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_names_its_id_and_has_256_bits() {
        let secret = Secret::new().unwrap();
        let text = secret.reveal();
        assert_eq!(Secret::id_in(text), Some(secret.id().as_str()));
        assert_eq!(text.len(), "flag_".len() + ID_LENGTH + 1 + 64);
        assert!(Fingerprint::of(text.as_bytes()).matches(&secret.fingerprint()));
        assert_ne!(Secret::new().unwrap().reveal(), text);
    }

    #[test]
    fn debugging_shows_no_secret() {
        let secret = Secret::new().unwrap();
        let shown = format!("Secret({}, …)", secret.id());
        assert_eq!(format!("{secret:?}"), shown);
    }

    #[test]
    fn what_has_not_the_form_of_a_key_names_no_id() {
        for text in ["", "flag", "flag_", "flag_abc", "Flag_a_b", "abc"] {
            assert_eq!(Secret::id_in(text), None, "{text}");
        }
    }
}

//! What an API key is, and the file that keeps keys: ids, what each may do, and the SHA-256 of what its holder has.
//!
//! Knows no HTTP, no store and no setting. Start with [`KeyFile`]; [`change`] is how a file changes.
//! [`replace`] and [`read_regular`] are for other files of ours that lie where others may write.
mod change;
mod entry;
mod file;
mod fingerprint;
mod key;
mod on_disk;
mod scope;
mod secret;

pub use crate::change::{ChangeError, change};
pub use crate::entry::InvalidEntry;
pub use crate::file::{InvalidKeyFile, KeyFile, MAX_FILE_BYTES};
pub use crate::fingerprint::Fingerprint;
pub use crate::key::{Key, KeyId, Projects};
pub use crate::on_disk::{open_regular, read_regular, replace};
pub use crate::scope::{Scope, Scopes};
pub use crate::secret::{NoRandomness, Secret};

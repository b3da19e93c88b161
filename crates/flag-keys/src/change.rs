//! Changing the file: one writer at a time, and readers see the old file or the new one.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, fchown};
use std::path::{Path, PathBuf};

use crate::file::{InvalidKeyFile, KeyFile, MAX_FILE_BYTES};
use crate::on_disk::{lock, read_regular, replace};

/// Only its owner may read the file.
const MODE: u32 = 0o600;

/// Why a file could not be read or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// It cannot be read or written.
    #[error("cannot read or write it")]
    Io(#[from] io::Error),
    /// Its content is invalid.
    #[error("it is no file of API keys")]
    Invalid(#[from] InvalidKeyFile),
}

impl KeyFile {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, ChangeError> {
        Ok(Self::parse(&Self::read_text(path)?)?)
    }

    /// Reads the text of a file, which may not be over [`MAX_FILE_BYTES`], and nothing that one would have to wait for.
    pub fn read_text(path: &Path) -> io::Result<Vec<u8>> {
        read_regular(path, MAX_FILE_BYTES)
    }
}

/// Changes a file, which need not be there yet. What `change` refuses is not written; other writers wait.
///
/// The lock is a file beside it, as the file itself is replaced.
pub fn change<T, E: From<ChangeError>>(
    path: &Path,
    change: impl FnOnce(&mut KeyFile) -> Result<T, E>,
) -> Result<T, E> {
    // What a link points to is replaced, not the link.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let _lock = lock(&beside(&path, "lock"), MODE).map_err(ChangeError::Io)?;
    let mut file = match KeyFile::read(&path) {
        Err(ChangeError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {
            KeyFile::default()
        }
        read => read?,
    };
    let done = change(&mut file)?;
    let text = file.render().map_err(io::Error::from);
    let write = |new: &mut File, text: &str| {
        keep_readers(&path, new)?;
        new.write_all(text.as_bytes())
    };
    let written = text.and_then(|text| replace(&path, MODE, |new| write(new, &text)));
    written.map_err(ChangeError::Io)?;
    Ok(done)
}

/// Gives a file the group and the mode of the one that it replaces, so that the service that reads it by its group still may. A
/// group that cannot be kept gets nothing.
fn keep_readers(old: &Path, new: &File) -> io::Result<()> {
    let Ok(old) = fs::metadata(old) else {
        return Ok(());
    };
    if old.gid() == new.metadata()?.gid() || fchown(new, None, Some(old.gid())).is_ok() {
        new.set_permissions(old.permissions())?;
    }
    Ok(())
}

/// The path with another ending: `keys.json` has `keys.json.lock` beside it.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(".");
    path.push(ending);
    PathBuf::from(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::thread;

    use flag_model::Timestamp;

    use super::*;
    use crate::{Key, Projects, Scope, Secret};

    fn add(path: &Path) -> Result<(), ChangeError> {
        let secret = Secret::new().unwrap();
        change(path, |file| {
            file.keys.push(Key {
                id: secret.id().clone(),
                fingerprint: secret.fingerprint(),
                scopes: [Scope::Read].into_iter().collect(),
                projects: Projects::All,
                created: Timestamp::UNIX_EPOCH,
                expires_on: None,
                comment: String::new(),
            });
            Ok(())
        })
    }

    #[test]
    fn many_writers_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..5).for_each(|_| add(&path).unwrap()));
            }
        });
        assert_eq!(KeyFile::read(&path).unwrap().keys.len(), 40);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, MODE);
    }

    #[test]
    fn everybody_who_may_read_the_file_may_read_the_next_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        fs::write(&path, "{\"keys\": []}").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        // Only root may give it to a group that is not its own.
        let other = std::os::unix::fs::chown(&path, None, Some(1)).is_ok();
        let group = fs::metadata(&path).unwrap().gid();
        assert!(!other || group == 1);
        add(&path).unwrap();
        let found = fs::metadata(&path).unwrap();
        assert_eq!((found.mode() & 0o777, found.gid()), (0o640, group));
    }

    #[test]
    fn what_is_refused_or_cannot_be_read_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        fs::write(&path, "{").unwrap();
        assert!(matches!(add(&path), Err(ChangeError::Invalid(_))));
        assert_eq!(fs::read_to_string(&path).unwrap(), "{");
        fs::write(&path, "{\"keys\": []}").unwrap();
        let refused = change(&path, |file| {
            file.keys.clear();
            Err::<(), _>(ChangeError::Io(io::ErrorKind::NotFound.into()))
        });
        assert!(refused.is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"keys\": []}");
    }

    #[test]
    fn nothing_is_written_through_a_link_that_somebody_laid() {
        let folder = tempfile::tempdir().unwrap();
        let (path, victim) = (
            folder.path().join("keys.json"),
            folder.path().join("victim"),
        );
        fs::write(&victim, "mine").unwrap();
        let lay = |ending| std::os::unix::fs::symlink(&victim, beside(&path, ending)).unwrap();
        lay("new");
        add(&path).unwrap();
        fs::remove_file(beside(&path, "lock")).unwrap();
        lay("lock");
        assert!(matches!(add(&path), Err(ChangeError::Io(_))));
        assert_eq!(fs::read_to_string(&victim).unwrap(), "mine");
        assert_eq!(KeyFile::read(&path).unwrap().keys.len(), 1);
    }

    #[test]
    fn a_file_that_is_missing_is_made_by_a_change_and_not_by_reading() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        let missing = KeyFile::read(&path).unwrap_err();
        assert!(
            matches!(&missing, ChangeError::Io(error) if error.kind() == io::ErrorKind::NotFound),
            "{missing:?}"
        );
        add(&path).unwrap();
        assert_eq!(KeyFile::read(&path).unwrap().keys.len(), 1);
    }

    #[test]
    fn a_file_in_the_current_folder_needs_no_folder_in_its_name() {
        let folder = tempfile::tempdir().unwrap();
        // The other tests name their files from the root.
        std::env::set_current_dir(folder.path()).unwrap();
        add(Path::new("keys.json")).unwrap();
        let path = folder.path().join("keys.json");
        assert_eq!(KeyFile::read(&path).unwrap().keys.len(), 1);
    }

    #[test]
    fn a_file_is_read_up_to_the_limit_and_left_alone_above_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        let keys = "{\"keys\": []}";
        let rest = usize::try_from(MAX_FILE_BYTES).unwrap() - keys.len();
        let text = keys.to_owned() + &" ".repeat(rest);
        fs::write(&path, &text).unwrap();
        assert!(KeyFile::read(&path).unwrap().keys.is_empty());
        let text = text + " ";
        fs::write(&path, &text).unwrap();
        let refused = add(&path).unwrap_err();
        assert!(
            matches!(&refused, ChangeError::Io(error) if error.kind() == io::ErrorKind::FileTooLarge),
            "{refused:?}"
        );
        assert!(fs::read_to_string(&path).unwrap() == text);
    }

    #[test]
    fn what_a_link_points_to_is_changed() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("keys.json"), folder.path().join("link"));
        add(&path).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        add(&link).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(KeyFile::read(&path).unwrap().keys.len(), 2);
    }
}

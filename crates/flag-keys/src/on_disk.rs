//! Files in folders where others may have laid something in the way: pipes, links, files of the same name.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Read as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;
use tempfile::Builder;

/// Opens a file to read it; refuses what one would have to wait for, or what never ends.
pub fn open_regular(path: &Path) -> io::Result<File> {
    // Without the flag, opening a pipe waits for its writer.
    let mut options = OpenOptions::new();
    let file = options.read(true).custom_flags(flags(OFlags::NONBLOCK));
    let file = file.open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    Ok(file)
}

/// Reads a file of at most `max` bytes, as [`open_regular`] opens it.
pub fn read_regular(path: &Path, max_bytes: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    open_regular(path)?
        .take(max_bytes + 1)
        .read_to_end(&mut content)?;
    if u64::try_from(content.len()).is_ok_and(|length| length > max_bytes) {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(content)
}

/// Puts a whole file in the place of another, as one step, and waits until the disk has it.
///
/// Until then it is a new file with a unique name, so that writers don't collide and no link is followed.
pub fn replace(
    path: &Path,
    mode: u32,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".");
    let mut new = Builder::new()
        .prefix(&name)
        .suffix(".new")
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(folder)?;
    write(new.as_file_mut())?;
    new.as_file().sync_all()?;
    new.persist(path)?;
    File::open(folder)?.sync_all()
}

/// Opens a file, which is made if there is none, and locks it; follows no link.
pub(crate) fn lock(path: &Path, mode: u32) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(false).mode(mode);
    let file = file.custom_flags(flags(OFlags::NOFOLLOW | OFlags::NONBLOCK));
    let file = file.open(path)?;
    file.lock()?;
    Ok(file)
}

fn flags(flags: OFlags) -> i32 {
    i32::try_from(flags.bits()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;
    use std::process::Command;

    use super::*;

    #[test]
    fn a_pipe_is_not_waited_for_and_a_device_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        let made = Command::new("mkfifo").arg(&path).status();
        assert!(made.unwrap().success());
        for path in [&*path, Path::new("/dev/zero"), folder.path()] {
            let refused = open_regular(path).unwrap_err().to_string();
            assert_eq!(refused, "it is no regular file");
        }
    }

    #[test]
    fn a_file_is_replaced_whole_or_not_at_all_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        replace(&path, 0o640, |file| file.write_all(b"old")).unwrap();
        let failed = replace(&path, 0o640, |file| {
            file.write_all(b"half of a new o")?;
            Err(io::ErrorKind::StorageFull.into())
        });
        assert!(failed.is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
    }
}

//! Where an emulator may lie.
use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::cache;

/// The binary's name, in the Google Cloud SDK and in our cache folder.
pub(super) const BINARY: &str = "cbtemulator";

/// Where it lies in a Google Cloud SDK.
const IN_SDK: &str = "platform/bigtable-emulator/cbtemulator";

/// Where packages put the SDK; it may also be in the home folder.
const SDKS: [&str; 3] = [
    "/usr/lib/google-cloud-sdk",
    "/opt/google-cloud-sdk",
    "/snap/google-cloud-cli/current",
];

/// Finds one: the one that `FLAG_BIGTABLE_EMULATOR` names, or else the first of those on the PATH, in the
/// Google Cloud SDK, and in the cache folder.
pub(crate) fn find() -> Result<Option<PathBuf>> {
    if let Some(named) = env::var_os("FLAG_BIGTABLE_EMULATOR") {
        let named = PathBuf::from(named);
        if !is_executable(&named) {
            bail!(
                "FLAG_BIGTABLE_EMULATOR names {}, which is no executable file",
                named.display()
            );
        }
        return Ok(Some(named));
    }
    let folders: Vec<PathBuf> = env::var_os("PATH")
        .map(|path| env::split_paths(&path).collect())
        .unwrap_or_default();
    let home = env::home_dir();
    let mut places = places(&folders, home.as_deref());
    places.extend(cache().map(|cache| cache.join(BINARY)));
    Ok(places.into_iter().find(|place| is_executable(place)))
}

/// The folder that keeps the one we built.
pub(crate) fn cache() -> Result<PathBuf> {
    cache::folder("flag-bigtable-emulator")
}

/// Lists where others may have put one, best first.
fn places(path: &[PathBuf], home: Option<&Path>) -> Vec<PathBuf> {
    let on_path = path.iter().map(|folder| folder.join(BINARY));
    // `gcloud` is usually a link into the SDK's `bin`; asking `gcloud` itself would take a second.
    let beside_gcloud = path
        .iter()
        .filter_map(|folder| fs::canonicalize(folder.join("gcloud")).ok())
        .filter_map(|gcloud| Some(gcloud.parent()?.parent()?.to_path_buf()));
    let usual = SDKS.iter().map(PathBuf::from);
    let at_home = home.map(|home| home.join("google-cloud-sdk"));
    let in_sdks = beside_gcloud
        .chain(usual)
        .chain(at_home)
        .map(|sdk| sdk.join(IN_SDK));
    on_path.chain(in_sdks).collect()
}

fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_comes_before_the_sdk() {
        let places = places(&["/a".into(), "/b".into()], Some(Path::new("/home/ann")));
        let expected = [
            "/a/cbtemulator",
            "/b/cbtemulator",
            "/usr/lib/google-cloud-sdk/platform/bigtable-emulator/cbtemulator",
            "/opt/google-cloud-sdk/platform/bigtable-emulator/cbtemulator",
            "/snap/google-cloud-cli/current/platform/bigtable-emulator/cbtemulator",
            "/home/ann/google-cloud-sdk/platform/bigtable-emulator/cbtemulator",
        ];
        assert_eq!(places, expected.map(PathBuf::from));
    }

    #[test]
    fn a_folder_is_no_executable() {
        assert!(!is_executable(Path::new("/")));
        assert!(is_executable(Path::new("/bin/sh")));
    }
}

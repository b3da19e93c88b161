//! The test of the images: made twice, they are the same; unpacked, they serve.
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::{FOLDER, TAG, make, umoci};
use crate::foreground::{Foreground, has_program};
use crate::metadata::Metadata;
use crate::release::Release;

/// How long the programs in the images may take; on a slow machine they take ten seconds.
const LIMIT: Duration = Duration::from_mins(2);

/// What the test lacks on this machine.
pub(crate) fn missing() -> Option<&'static str> {
    if !has_program("umoci") {
        return Some("skipped, as umoci is not installed");
    }
    (!rustix::process::geteuid().is_root()).then_some("skipped, as only root may change the root")
}

/// Makes images of the binaries in this folder and runs them, with the emulator at this address.
pub(crate) fn check(binaries: &Path, emulator: &str, foreground: &mut Foreground) -> Result<()> {
    let metadata = Metadata::read()?;
    let release = Release::read(&metadata)?;
    let folder = metadata.target_directory.join("image-test");
    let first = make(
        &metadata,
        &release,
        binaries,
        &folder.join("first"),
        foreground,
    )?;
    let images = make(
        &metadata,
        &release,
        binaries,
        &folder.join("second"),
        foreground,
    )?;
    let roots = folder.join("roots");
    if roots.exists() {
        fs::remove_dir_all(&roots)?;
    }
    fs::create_dir(&roots)?;
    for (image, first) in images.iter().zip(&first) {
        let name = image.layout.file_name().context("a layout has a name")?;
        if image.digest != first.digest || fs::read(&image.archive)? != fs::read(&first.archive)? {
            bail!("{} is another one each time", name.display());
        }
        let packed = format!("{}:{TAG}", image.layout.display());
        let unpacked = roots.join(name).display().to_string();
        umoci(&["unpack", "--image", &packed], &[&[unpacked.as_str()]])?;
    }
    foreground
        .run_within(
            LIMIT,
            Command::new("python3")
                // Leaves no bytecode beside the sources.
                .args(["-B", "test_image.py"])
                .current_dir(metadata.workspace_root.join(FOLDER).join("test"))
                .env("FLAG_TEST_IMAGES", folder.join("second"))
                .env("FLAG_TEST_ROOTS", &roots)
                .env("FLAG_TEST_EMULATOR", emulator),
        )
        .context("the images fail")?;
    fs::remove_dir_all(&folder)?;
    println!("the images are the same each time, and serve");
    Ok(())
}

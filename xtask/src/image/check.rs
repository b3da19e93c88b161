//! The test of the images: made twice, they are the same; unpacked, they serve.
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::{FOLDER, TAG, make, umoci};
use crate::foreground::{Foreground, has_program};
use crate::metadata::Metadata;
use crate::python;
use crate::release::{self, Release};

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
    let stripped = folder.join("bin");
    release::strip(binaries, &stripped)?;
    let first = make(
        &metadata,
        &release,
        &stripped,
        &folder.join("first"),
        foreground,
    )?;
    let images = make(
        &metadata,
        &release,
        &stripped,
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
    let test = metadata
        .workspace_root
        .join(FOLDER)
        .join("test/test_image.py");
    let images = folder.join("second");
    let variables = [
        ("FLAG_TEST_IMAGES", images.as_path()),
        ("FLAG_TEST_ROOTS", &roots),
        ("FLAG_TEST_EMULATOR", Path::new(emulator)),
    ];
    python::run(Path::new("python3"), &test, &variables, foreground)?;
    fs::remove_dir_all(&folder)?;
    println!("the images are the same each time, and serve");
    Ok(())
}

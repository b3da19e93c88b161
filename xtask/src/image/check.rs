//! The test of the images: made twice, they are the same; unpacked, they serve.
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::{FOLDER, TAG, make, umoci};
use crate::foreground::{Foreground, has_program};
use crate::metadata::Metadata;
use crate::release::{self, Release};
use crate::{migration, python, walk};

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
    let images = folder.join("second");
    let mut variables = python::variables(binaries, emulator);
    variables.extend([("FLAG_TEST_IMAGES", &*images), ("FLAG_TEST_ROOTS", &*roots)]);
    use_images(&variables, foreground)?;
    fs::remove_dir_all(&folder)?;
    println!("the images are the same each time, and serve");
    Ok(())
}

/// Runs what is in unpacked images: by itself, as a newcomer does, and beside the Python service.
fn use_images(variables: &[(&str, &Path)], foreground: &mut Foreground) -> Result<()> {
    let plain = Path::new(python::PLAIN);
    let test = format!("{FOLDER}/test/test_image.py");
    python::run(plain, &test, variables, foreground)?;
    if has_program("haproxy") {
        python::run(plain, walk::TEST, variables, foreground)?;
    } else {
        println!("no walk with two replicas, as haproxy is not installed");
    }
    migration::follow(variables, foreground)
}

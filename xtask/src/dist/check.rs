//! The test of what is handed out: packed twice, it is the same; unpacked, it works.
use std::fs;
use std::path::Path;

use anyhow::{Result, bail};

use super::{Effort, SYSTEMD, make};
use crate::foreground::{Foreground, has_program};
use crate::metadata::Metadata;
use crate::python;
use crate::release::{self, Release};
use crate::test;

/// What the test lacks on this machine.
pub(crate) fn missing() -> Option<&'static str> {
    (!has_program("dpkg-deb")).then_some("skipped, as dpkg-deb is not installed")
}

/// Packs the binaries that tests use, and uses them.
pub(crate) fn check(foreground: &mut Foreground) -> Result<()> {
    let binaries = test::build(foreground)?;
    let metadata = Metadata::read()?;
    let release = Release::read(&metadata)?;
    let top = metadata.target_directory.join("dist-test");
    let (folder, stripped) = (top.join("dist"), top.join("bin"));
    release::strip(&binaries, &stripped)?;
    let sums = || {
        make(&metadata, &release, &stripped, &folder, Effort::Least)?;
        Ok::<_, anyhow::Error>(fs::read_to_string(folder.join("SHA256SUMS"))?)
    };
    let (first, second) = (sums()?, sums()?);
    if first != second {
        bail!("packages are others each time:\n{first}{second}");
    }
    let test = format!("{SYSTEMD}/test/test_packages.py");
    let variables = [("FLAG_TEST_PACKAGES", folder.as_path())];
    python::run(Path::new(python::PLAIN), &test, &variables, foreground)?;
    fs::remove_dir_all(&top)?;
    println!("the packages are the same each time, and work");
    Ok(())
}

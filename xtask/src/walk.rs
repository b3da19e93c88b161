//! A newcomer's walk, by `tests/walk`: with the programs as they were built.
//!
//! [`image`](crate::image) walks once more with what is in the images.
use std::path::Path;

use anyhow::{Context, Result};

use crate::foreground::Foreground;
use crate::python;

/// What walks.
pub(crate) const TEST: &str = "tests/walk/test_walk.py";

/// Walks with the binaries in this folder.
pub(crate) fn run(binaries: &Path, emulator: &str, foreground: &mut Foreground) -> Result<()> {
    let variables = python::variables(binaries, emulator);
    python::run(Path::new(python::PLAIN), TEST, &variables, foreground)
        .context("a newcomer would get stuck")
}

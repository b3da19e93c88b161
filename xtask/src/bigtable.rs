//! The test of `deploy/bigtable`, which makes the tables: its names and rules are those of the programs.
use std::path::Path;

use anyhow::Result;

use crate::foreground::Foreground;
use crate::python;

/// What is tested is its business.
const TEST: &str = "deploy/bigtable/test/test_bigtable.py";

/// Checks it with the binaries in this folder and the emulator at this address.
pub(crate) fn check(binaries: &Path, emulator: &str, foreground: &mut Foreground) -> Result<()> {
    let variables = python::variables(binaries, emulator);
    python::run(Path::new(python::PLAIN), TEST, &variables, foreground)
}

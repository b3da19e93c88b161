//! Tests in Python: of what is in `deploy`, and of what a newcomer and a team that migrates do.
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::foreground::Foreground;
use crate::metadata::Metadata;

/// What the tests share.
const SHARED: &str = "deploy/test";

/// How long one may take; on a slow machine the longest take two minutes.
const LIMIT: Duration = Duration::from_mins(8);

/// The interpreter of those that need no package.
pub(crate) const PLAIN: &str = "python3";

/// The variables that tell a test where the binaries are, and where the emulator listens.
pub(crate) fn variables<'a>(
    binaries: &'a Path,
    emulator: &'a str,
) -> Vec<(&'static str, &'a Path)> {
    vec![
        ("FLAG_TEST_BIN_DIR", binaries),
        ("FLAG_TEST_EMULATOR", Path::new(emulator)),
    ]
}

/// Runs a test, named from the repository's top, with an interpreter, in its folder, with these variables.
pub(crate) fn run(
    python: &Path,
    test: &str,
    variables: &[(&str, &Path)],
    foreground: &mut Foreground,
) -> Result<()> {
    let root = Metadata::read()?.workspace_root;
    let test = root.join(test);
    let folder = test.parent().context("a test has a folder")?;
    foreground.run_within(
        LIMIT,
        Command::new(python)
            // Leaves no bytecode beside the sources.
            .arg("-B")
            .arg(&test)
            .current_dir(folder)
            .env("PYTHONPATH", root.join(SHARED))
            .envs(variables.iter().copied()),
    )
}

//! Tests in Python of what is in `deploy`.
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::foreground::Foreground;

/// How long one may take; on a slow machine each takes half a minute.
const LIMIT: Duration = Duration::from_mins(3);

/// Runs a test with an interpreter, in its folder, with these variables.
pub(crate) fn run(
    python: &Path,
    test: &Path,
    variables: &[(&str, &Path)],
    foreground: &mut Foreground,
) -> Result<()> {
    let folder = test.parent().context("a test has a folder")?;
    foreground.run_within(
        LIMIT,
        Command::new(python)
            // Leaves no bytecode beside the sources.
            .arg("-B")
            .arg(test)
            .current_dir(folder)
            .envs(variables.iter().copied()),
    )
}

//! Tests in Python of what is in `deploy`.
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::foreground::Foreground;
use crate::metadata::Metadata;

/// What the tests share.
const SHARED: &str = "deploy/test";

/// How long one may take; on a slow machine each takes half a minute.
const LIMIT: Duration = Duration::from_mins(3);

/// Runs a test with an interpreter, in its folder, with these variables.
pub(crate) fn run(
    python: &Path,
    test: &Path,
    variables: &[(&str, &Path)],
    foreground: &mut Foreground,
) -> Result<()> {
    let shared = Metadata::read()?.workspace_root.join(SHARED);
    let folder = test.parent().context("a test has a folder")?;
    foreground.run_within(
        LIMIT,
        Command::new(python)
            // Leaves no bytecode beside the sources.
            .arg("-B")
            .arg(test)
            .current_dir(folder)
            .env("PYTHONPATH", shared)
            .envs(variables.iter().copied()),
    )
}

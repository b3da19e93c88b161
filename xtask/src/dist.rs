//! What is handed out: binaries, manual pages, completions.
use std::fs;

use anyhow::{Context, Result};

use crate::foreground::{Foreground, cargo};
use crate::metadata::Metadata;

/// The binaries that are handed out.
const BINARIES: [&str; 2] = ["flag-service", "flagctl"];

/// The shells that get completions, with the names of their files.
const SHELLS: [(&str, &str); 3] = [
    ("bash", "flagctl.bash"),
    ("zsh", "_flagctl"),
    ("fish", "flagctl.fish"),
];

/// Builds the binaries and puts everything into `dist` in the target folder.
pub(crate) fn run(foreground: &mut Foreground) -> Result<()> {
    let target = Metadata::read()?.target_directory;
    let dist = target.join("dist");
    let manual = dist.join("man");
    let completions = dist.join("completions");
    for folder in [&manual, &completions] {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let packages = BINARIES.iter().flat_map(|binary| ["-p", binary]);
    foreground.run(
        cargo()
            .args(["build", "--release", "--locked"])
            .args(packages),
    )?;
    for binary in BINARIES {
        let built = target.join("release").join(binary);
        fs::copy(&built, dist.join(binary))
            .with_context(|| format!("cannot copy {}", built.display()))?;
    }
    let flagctl = dist.join("flagctl");
    foreground.run(
        std::process::Command::new(&flagctl)
            .arg("manual")
            .arg(&manual),
    )?;
    for (shell, file) in SHELLS {
        let script = std::process::Command::new(&flagctl)
            .args(["completions", shell])
            .output()?;
        fs::write(completions.join(file), script.stdout)?;
    }
    println!(
        "binaries, manual pages and completions are in {}",
        dist.display()
    );
    Ok(())
}

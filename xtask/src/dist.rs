//! What is handed out: an archive, Debian packages, bills of material, and checksums of all of them.
mod bill;
mod check;
mod debian;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

pub(crate) use self::check::{check, missing};
use crate::foreground::Foreground;
use crate::metadata::Metadata;
use crate::release::{self, BINARIES, Release, output};

/// The shells that get completions.
const SHELLS: [&str; 3] = ["bash", "zsh", "fish"];

/// Where the options stand in the manual page of the service.
const OPTIONS: &str = ".\\\" Options of `flag-service --generate=manual-options`.\n";

/// What lies in the archive as it lies in the repository.
const DOCUMENTS: [&str; 3] = ["CHANGELOG.md", "LICENSE", "README.md"];

/// Where the unit and what belongs to it is.
const SYSTEMD: &str = "deploy/systemd";

/// How it is packed.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Folder with `flag-service` and `flagctl`, instead of building them for release
    #[arg(long)]
    binaries: Option<PathBuf>,
}

/// How much time packing may take.
#[derive(Clone, Copy)]
enum Effort {
    /// As much as makes it smaller.
    Most,
    /// As little as possible.
    Least,
}

/// Packs everything into `dist` in the target folder.
pub(crate) fn run(args: &Args, foreground: &mut Foreground) -> Result<()> {
    let metadata = Metadata::read()?;
    let release = Release::read(&metadata)?;
    let binaries = match &args.binaries {
        Some(folder) => folder.clone(),
        None => release::build(&metadata, &release, foreground)?,
    };
    let folder = metadata.target_directory.join("dist");
    make(&metadata, &release, &binaries, &folder, Effort::Most)?;
    println!("{}", fs::read_to_string(folder.join("SHA256SUMS"))?.trim());
    println!(
        "archive, packages and bills of material are in {}",
        folder.display()
    );
    Ok(())
}

/// Packs everything anew into a folder. The same binaries give the same bytes.
fn make(
    metadata: &Metadata,
    release: &Release,
    binaries: &Path,
    folder: &Path,
    effort: Effort,
) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    let name = format!("flag-{}-{}-linux", release.version, std::env::consts::ARCH);
    let top = folder.join(&name);
    lay_out(metadata, binaries, &top)?;
    release.age(&top)?;
    debian::pack(metadata, release, &top, folder, effort)?;
    let archive = folder.join(format!("{name}.tar.gz"));
    // With neither the name of the file nor the time of packing.
    let gzip = match effort {
        Effort::Most => "gzip -9 --no-name",
        Effort::Least => "gzip -1 --no-name",
    };
    output(
        Command::new("tar")
            .args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner"])
            .args(["--use-compress-program", gzip, "--directory"])
            .arg(folder)
            .arg("--file")
            .arg(archive)
            .args(["--create", &name]),
    )?;
    fs::remove_dir_all(&top)?;
    for package in metadata.packages_of(&BINARIES) {
        let bill = bill::of(package, release, &metadata.workspace_root)?;
        fs::write(
            folder.join(format!("{}-{}.cdx.json", package.name, release.version)),
            bill,
        )?;
    }
    let sums = Command::new("sh")
        .args(["-c", "sha256sum -- *"])
        .current_dir(folder)
        .output()?;
    if !sums.status.success() {
        bail!(
            "sha256sum failed: {}",
            String::from_utf8_lossy(&sums.stderr)
        );
    }
    fs::write(folder.join("SHA256SUMS"), sums.stdout)?;
    Ok(())
}

/// Lays out programs, manual pages, completions, the unit and documents.
fn lay_out(metadata: &Metadata, binaries: &Path, top: &Path) -> Result<()> {
    let (bin, manual, completions) = (top.join("bin"), top.join("man"), top.join("completions"));
    let systemd = top.join("systemd");
    for folder in [&bin, &manual, &completions, &systemd] {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    for binary in BINARIES {
        copy(&binaries.join(binary), &bin.join(binary))?;
    }
    let flagctl = bin.join("flagctl");
    output(Command::new(&flagctl).arg("manual").arg(&manual))?;
    let service = bin.join("flag-service");
    let generated = |what| output(Command::new(&service).args(["--generate", what]));
    for shell in SHELLS {
        let of_flagctl = output(Command::new(&flagctl).args(["completions", shell]))?;
        for (name, script) in [("flagctl", of_flagctl), ("flag-service", generated(shell)?)] {
            let file = match shell {
                "zsh" => format!("_{name}"),
                _ => format!("{name}.{shell}"),
            };
            fs::write(completions.join(file), script + "\n")?;
        }
    }
    let source = metadata.workspace_root.join(SYSTEMD);
    let page = fs::read_to_string(source.join("flag-service.8"))?;
    let (before, after) = page
        .split_once(OPTIONS)
        .context("the manual page has no place for the options")?;
    let page = format!("{before}{}\n{after}", generated("manual-options")?);
    fs::write(manual.join("flag-service.8"), page)?;
    for file in [
        "flag-service.service",
        "flag-service.sysusers",
        "flag-service.toml",
    ] {
        copy(&source.join(file), &systemd.join(file))?;
    }
    for file in DOCUMENTS {
        copy(&metadata.workspace_root.join(file), &top.join(file))?;
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).with_context(|| format!("cannot copy {}", from.display()))?;
    Ok(())
}
